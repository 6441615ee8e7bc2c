// What downloads decide without a network: addresses, redirects, proxies, lists of files, how to go on, when to give up.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "examples/hub/file_digest.h"
#include "examples/hub/hub.h"
#include "examples/hub/hub_url.h"
#include "examples/hub/model_spec.h"
#include "examples/hub/proxy_rules.h"
#include "examples/hub/redirect_rules.h"
#include "examples/hub/repo_listing.h"
#include "examples/hub/resume_rules.h"

using namespace hub;

namespace {

template <typename Work>
std::string error_of(ErrorKind kind, Work work) {
    try {
        work();
    } catch (const Error& error) {
        CHECK(error.kind() == kind);
        CHECK(std::string(error.what()).find('\n') == std::string::npos);
        return error.what();
    }
    FAIL("nothing was refused");
    return "";
}

Url url_of(const char* text) { return parse_url(text, "the address"); }

std::vector<RepoFile> files_named(const std::vector<std::string>& names) {
    std::vector<RepoFile> files;
    for (const std::string& name : names) files.push_back({name, 1, "", ""});
    return files;
}

std::string chosen(const std::vector<std::string>& names, const char* wanted = "") {
    std::string all;
    for (const RepoFile& file : choose_model(files_named(names), wanted, "a/b"))
        all += (all.empty() ? "" : " ") + file.path;
    return all;
}

ResponseHead answer(int status) {
    ResponseHead head;
    head.status = status;
    return head;
}

ResponseHead part(const char* range, const char* etag = "") {
    ResponseHead head = answer(206);
    head.content_range = range;
    head.etag = etag;
    return head;
}

}  // namespace

TEST_CASE("an address is taken apart, and written the same way") {
    const Url url = url_of("HTTPS://Hub.Example:8443/a%20b?x=/y#part");
    CHECK(url.host == "hub.example");
    CHECK(url.port == 8443);
    CHECK(url.target == "/a%20b?x=/y");
    CHECK(url.text() == "https://hub.example:8443/a%20b?x=/y");
    CHECK(url_of("https://a:443").text() == "https://a/");
    CHECK(url_of("http://[::1]:80/").authority() == "[::1]");
    CHECK(url_of("http://a?q").target == "/?q");
    CHECK(url_of("http://a/\xc3\xa4").target == "/%C3%A4");
}

TEST_CASE("an address that is none, or hides something, is refused") {
    for (const char* text :
         {"", "a", "http:", "http://", "ftp://a/", "http://:80/", "http://a:0/", "http://a:65536/", "http://a:8x/",
          "http://a b/", "http://a/\r\nX: y", "http://u:p@a/", "http://a\\@b/", "http://[a]/", "http://[::1/",
          "http://[::1]x/", "http://a/\\b", "//a/", "http://a%00b/"}) {
        CAPTURE(text);
        error_of(ErrorKind::kProtocol, [&] { url_of(text); });
    }
    error_of(ErrorKind::kProtocol, [] { url_of(("http://a/" + std::string(20000, 'x')).c_str()); });
}

TEST_CASE("a location is seen from where it was told") {
    const Url base = url_of("https://hub.example/a/b?c=d/e");
    CHECK(resolve_location(base, "/x?y").text() == "https://hub.example/x?y");
    CHECK(resolve_location(base, "x").text() == "https://hub.example/a/x");
    CHECK(resolve_location(base, "?x").text() == "https://hub.example/a/b?x");
    CHECK(resolve_location(base, "//cdn.example/x").text() == "https://cdn.example/x");
    CHECK(resolve_location(base, "http://cdn.example/x?u=https://z").text() == "http://cdn.example/x?u=https://z");
    CHECK(resolve_location(base, "/x?u=a:b").text() == "https://hub.example/x?u=a:b");
}

TEST_CASE("redirects end, never lose their encryption, and only the hub gets the token") {
    const Url hub_url = url_of("https://hub.example/");
    CHECK(follow_redirect(hub_url, "https://cdn.example/f", 9).host == "cdn.example");
    error_of(ErrorKind::kProtocol, [&] { follow_redirect(hub_url, "https://cdn.example/f", 10); });
    error_of(ErrorKind::kProtocol, [&] { follow_redirect(hub_url, "http://hub.example/f", 0); });
    error_of(ErrorKind::kProtocol, [&] { follow_redirect(hub_url, "file:///etc/passwd", 0); });
    CHECK(follow_redirect(url_of("http://a/"), "https://b/", 0).is_tls());
    CHECK(may_have_token(url_of("https://hub.example:443/api"), hub_url));
    for (const char* other : {"http://hub.example/", "https://hub.example:444/", "https://evil-hub.example/",
                              "https://hub.example.evil/", "https://a.hub.example/"})
        CHECK_FALSE(may_have_token(url_of(other), hub_url));
}

TEST_CASE("a token crosses no network in the clear") {
    require_safe_token(url_of("https://hub.example"), "hf_x");
    require_safe_token(url_of("http://127.0.0.1:80"), "hf_x");
    require_safe_token(url_of("http://hub.example"), "");
    for (const char* open : {"http://hub.example", "http://127.0.0.1.evil.example", "http://localhost.evil"}) {
        const std::string message = error_of(ErrorKind::kUsage, [&] { require_safe_token(url_of(open), "hf_x"); });
        CHECK(message.find("hf_x") == std::string::npos);
    }
    error_of(ErrorKind::kUsage, [] { require_safe_token(url_of("https://a"), "x\r\nHost: b"); });
}

TEST_CASE("proxies come from the environment as curl reads it") {
    const auto with = [](std::vector<std::pair<std::string, std::string>> set) {
        return [set = std::move(set)](const char* name) {
            for (const auto& [key, value] : set)
                if (key == name) return value;
            return std::string();
        };
    };
    const Url tls = url_of("https://hub.example/"), plain = url_of("http://hub.example/");
    CHECK_FALSE(find_proxy(tls, with({})));
    CHECK(find_proxy(tls, with({{"HTTPS_PROXY", "http://proxy:3128"}}))->port == 3128);
    CHECK(find_proxy(tls, with({{"https_proxy", "proxy"}}))->host == "proxy");
    CHECK(find_proxy(plain, with({{"ALL_PROXY", "http://p/"}}))->port == 80);
    CHECK_FALSE(find_proxy(plain, with({{"HTTP_PROXY", "http://proxy:3128"}})));
    CHECK_FALSE(find_proxy(plain, with({{"HTTPS_PROXY", "http://proxy:3128"}})));
    CHECK(find_proxy(tls, with({{"https_proxy", "http://u:p%3A@p"}}))->authorization == "Basic " + base64("u:p:"));
    for (const char* list : {"*", "hub.example", ".example", "a, example", "*.example", "hub.example:443"})
        CHECK_FALSE(find_proxy(tls, with({{"https_proxy", "p"}, {"no_proxy", list}})));
    for (const char* list : {"", "ub.example", "hub.example.org", "hub.example:80", ","})
        CHECK(find_proxy(tls, with({{"https_proxy", "p"}, {"NO_PROXY", list}})));
    for (const char* other : {"socks5://p", "https://p", "http://u:secret@p:x"}) {
        const std::string message = error_of(ErrorKind::kUsage, [&] {
            find_proxy(tls, with({{"https_proxy", other}}));
        });
        CHECK(message.find("secret") == std::string::npos);
    }
}

TEST_CASE("base64 is that of RFC 4648") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("a spec names a repository, and what of it") {
    CHECK(parse_spec("microsoft/bitnet-b1.58-2B-4T-gguf").repo == "microsoft/bitnet-b1.58-2B-4T-gguf");
    const ModelSpec spec = parse_spec("a/b:sub/f.gguf");
    CHECK(spec.repo == "a/b");
    CHECK(spec.wanted == "sub/f.gguf");
    CHECK(is_repo_name("gpt2"));
    for (const char* name : {"a--b/c", "a/..", "../a", "a/b.", "-a/b", "a/b-", "a/b/c", "a b/c", "", "/", "a/\xc3\xa4"})
        CHECK_FALSE(is_repo_name(name));
    CHECK(is_commit(std::string(40, 'a')));
    CHECK_FALSE(is_commit(std::string(40, 'A')));
    CHECK_FALSE(is_commit("main"));
}

TEST_CASE("paths that could leave their folder are not safe") {
    for (const char* path : {"a", "a.gguf", "a/b/c", "...", "a..b", "-", "a b", "\xc3\xa4.gguf"})
        CHECK(is_safe_path(path));
    for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\\b", "a\nb", "\x7f"})
        CHECK_FALSE(is_safe_path(path));
    CHECK_FALSE(is_safe_path(std::string(201, 'a')));
    CHECK_FALSE(is_safe_path(std::string_view("a\0b", 3)));
}

TEST_CASE("of several GGUF files the one in the best ternary format is taken") {
    CHECK(chosen({"README.md", "model.gguf"}) == "model.gguf");
    CHECK(chosen({"m-f16.gguf", "m-TQ1_0.gguf", "ggml-model-I2_S.gguf"}) == "ggml-model-I2_S.gguf");
    CHECK(chosen({"m-tq1_0.gguf", "m-tq2_0.gguf", "m-q4_0.gguf"}) == "m-tq2_0.gguf");
    CHECK(chosen({"m-q8_0.gguf", "mmproj-m-i2_s.gguf"}) == "m-q8_0.gguf");
    CHECK(chosen({"m-i2_s-00002-of-00002.gguf", "m-f16.gguf", "m-i2_s-00001-of-00002.gguf"}) ==
          "m-i2_s-00001-of-00002.gguf m-i2_s-00002-of-00002.gguf");
    // Not "q4_0" inside of "iq4_0".
    CHECK(error_of(ErrorKind::kUsage, [] {
              chosen({"a-iq4_0.gguf", "b-iq4_0.gguf"});
          }).find("a-iq4_0.gguf") != std::string::npos);
    error_of(ErrorKind::kUsage, [] { chosen({"a-i2_s.gguf", "b-i2_s.gguf", "c-tq2_0.gguf"}); });
    error_of(ErrorKind::kNotFound, [] { chosen({"model.safetensors"}); });
    error_of(ErrorKind::kNotFound, [] { chosen({"m-00001-of-00002.gguf"}); });
}

TEST_CASE("a file is asked for by its path, one of its parts, or a part of its name") {
    const std::vector<std::string> names = {"a-i2_s.gguf", "x/a-tq2_0.gguf", "b-00001-of-00002.gguf",
                                            "b-00002-of-00002.gguf"};
    CHECK(chosen(names, "x/a-tq2_0.gguf") == "x/a-tq2_0.gguf");
    CHECK(chosen(names, "TQ2_0") == "x/a-tq2_0.gguf");
    CHECK(chosen(names, "b-00002-of-00002.gguf") == "b-00001-of-00002.gguf b-00002-of-00002.gguf");
    error_of(ErrorKind::kUsage, [&] { chosen(names, "a"); });
    error_of(ErrorKind::kNotFound, [&] { chosen(names, "q4_0"); });
}

TEST_CASE("what is kept of a download needs something that ties it to the rest") {
    const std::string hash(64, 'a');
    CHECK(next_request({100, hash, ""}, {0, "\"e\""}).offset == 0);
    CHECK(next_request({100, hash, ""}, {40, ""}).offset == 40);
    CHECK(next_request({100, "", ""}, {40, "\"e\""}).if_range == "\"e\"");
    CHECK(next_request({100, "", ""}, {40, ""}).offset == 0);
    CHECK(next_request({100, "", ""}, {40, "W/\"e\""}).offset == 0);
    CHECK(next_request({100, hash, ""}, {40, "W/\"e\""}).if_range.empty());
}

TEST_CASE("every answer to a request for a part has its meaning") {
    const FileGoal goal = {100, "", ""};
    const PartialFile partial = {40, "\"e\""};
    const RangeRequest request = {40, "\"e\""};
    const auto step = [&](const ResponseHead& head) { return decide(goal, partial, request, head).step; };
    CHECK(step(part("bytes 40-99/100", "\"e\"")) == Step::kAppend);
    CHECK(step(part("bytes 40-99/*")) == Step::kAppend);
    CHECK(step(part("bytes 40-99/100", "\"f\"")) == Step::kStartOver);
    CHECK(step(part("bytes 39-99/100")) == Step::kStartOver);
    CHECK(step(part("")) == Step::kStartOver);
    CHECK(step(part("bytes 40-99/101")) == Step::kTryAgain);
    CHECK(step(answer(200)) == Step::kRewrite);
    CHECK(step(answer(416)) == Step::kStartOver);
    CHECK(decide(goal, {100, ""}, {100, ""}, answer(416)).step == Step::kComplete);
    CHECK(decide(goal, {}, {}, answer(416)).step == Step::kFail);
    CHECK(decide(goal, {}, {}, part("bytes 0-99/100")).step == Step::kStartOver);
    for (int status : {408, 429, 500, 502, 503, 504}) CHECK(step(answer(status)) == Step::kTryAgain);
    for (int status : {401, 403}) CHECK(step(answer(status)) == Step::kDenied);
    for (int status : {404, 410}) CHECK(step(answer(status)) == Step::kNotFound);
    for (int status : {100, 204, 304, 400, 418, 0}) CHECK(step(answer(status)) == Step::kFail);
    ResponseHead head = answer(200);
    head.content_length = 99;
    CHECK(step(head) == Step::kTryAgain);
    head.content_length = 100;
    head.is_encoded = true;
    CHECK(step(head) == Step::kFail);
}

TEST_CASE("a range of bytes is read strictly") {
    const auto range = parse_content_range("bytes 5-9/10");
    REQUIRE(range);
    CHECK(range->first == 5);
    CHECK(range->last == 9);
    CHECK(range->total == 10);
    CHECK_FALSE(parse_content_range("bytes 0-0/*")->total);
    for (const char* text : {"", "bytes", "bytes ", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes -9/10",
                             "bytes 5-/10", "bytes 5-9/", "bytes 5-9/x", "bytes 5-9/10 ", "items 5-9/10", "bytes */10",
                             "bytes 5/9-10", "bytes 99999999999999999999-9/10", "bytes +5-9/10"})
        CHECK_FALSE(parse_content_range(text));
}

TEST_CASE("what a link says of a file must fit what the list says") {
    FileGoal goal;
    ResponseHead head = answer(302);
    head.linked_size = 7;
    head.linked_etag = '"' + std::string(64, 'a') + '"';
    merge_linked_facts(goal, head, "f");
    CHECK(goal.size == 7);
    CHECK(goal.sha256 == std::string(64, 'a'));
    head.linked_size = 8;
    error_of(ErrorKind::kCorrupt, [&] { merge_linked_facts(goal, head, "f"); });
    head.linked_size.reset();
    head.linked_etag = '"' + std::string(64, 'b') + '"';
    error_of(ErrorKind::kCorrupt, [&] { merge_linked_facts(goal, head, "f"); });
    head.linked_etag = '"' + std::string(40, 'b') + '"';
    merge_linked_facts(goal, head, "f");
    CHECK(goal.sha256 == std::string(64, 'a'));
}

TEST_CASE("retries wait longer and longer, and end unless something new comes") {
    RetryBudget budget(7, 1);
    CHECK(budget.after_failure(0, 1000, 0) == 1);
    CHECK(budget.after_failure(9, 1000, 0) == 2);
    CHECK(budget.after_failure(0, 1000, 60) == 60);
    CHECK(budget.after_failure(10, 1000, 0) == 1);  // a hundredth of the file
    for (double wait : {2, 4, 8, 16, 30}) CHECK(budget.after_failure(0, 1000, 0) == wait);
    CHECK(budget.after_failure(0, 1000, 1e9) == 120);  // nobody waits for years
    CHECK_FALSE(budget.after_failure(0, 1000, 0));
    CHECK_FALSE(RetryBudget(0, 1).after_failure(0, 1000, 0));
    RetryBudget unknown(1, 1);
    CHECK(unknown.after_failure(1 << 19, UINT64_MAX, 0));
    CHECK_FALSE(unknown.after_failure(1 << 19, UINT64_MAX, 0));
    CHECK(unknown.after_failure(1 << 20, UINT64_MAX, 0));
}

TEST_CASE("hashes are those of NIST and git") {
    FileDigest digest(3);
    digest.update("a");
    digest.update("bc");
    const FileDigest::Result result = digest.finish();
    CHECK(result.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(result.git_hash == "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");  // printf abc | git hash-object --stdin
    CHECK(FileDigest(std::nullopt).finish().git_hash.empty());
}
