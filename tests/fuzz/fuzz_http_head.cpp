// libFuzzer target for what the server reads before anything else: a request's head and a chunked body. The first byte cuts the
// rest into pieces. However it is cut, the verdict is the same, and what is accepted holds what the rest of the server counts on.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/http/chunked_body.h"
#include "server/http/request_head.h"

namespace {

using namespace serve;

void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "fuzz_http_head: %s\n", what);
    std::abort();
}

struct Verdict {
    std::string error, text;  // text: of a head its parts, of a body what it carried
    size_t used = 0;
    bool complete = false;
    bool operator==(const Verdict&) const = default;
};

// The parts of a head that was accepted, checked.
std::string parts(RequestHead& head) {
    std::string text = head.method + " " + head.target + " " + std::to_string(head.content_length);
    require(is_token(head.method), "a method that is no token");
    require(head.target == "*" || head.target.front() == '/', "a target that is no path");
    for (char c : head.target) require(c > ' ' && c <= '~', "a target with a forbidden character");
    require(!(head.chunked && head.headers.contains("Content-Length")), "two lengths");
    require(head.minor_version == 0 || head.headers.contains("Host"), "no host");
    for (const auto& [name, value] : head.headers) {
        require(is_token(name), "a field without a name");
        for (char c : value)
            require(c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f), "a control character");
        text.append("|").append(name).append(":").append(value);
    }
    return text;
}

Verdict read_head(std::string_view bytes, size_t piece) {
    Verdict verdict;
    HeadReader reader(HeadLimits{4096, 1000, 20});
    try {
        while (verdict.used < bytes.size() && !reader.complete())
            verdict.used += reader.feed(bytes.substr(verdict.used, piece));
        verdict.complete = reader.complete();
        if (verdict.complete) verdict.text = parts(reader.head());
    } catch (const ApiError& error) {
        verdict = {error.message, "", 0, false};
    }
    return verdict;
}

Verdict read_body(std::string_view bytes, size_t piece) {
    Verdict verdict;
    ChunkedBody chunks(10000);
    try {
        while (verdict.used < bytes.size() && !chunks.complete())
            verdict.used += chunks.feed(bytes.substr(verdict.used, piece), verdict.text);
        verdict.complete = chunks.complete();
        require(verdict.text.size() <= 10000, "a body above its limit");
    } catch (const ApiError& error) {
        verdict = {error.message, "", 0, false};
    }
    return verdict;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const size_t piece = data[0] % 64 + 1;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    require(read_head(bytes, piece) == read_head(bytes, SIZE_MAX), "a head that depends on how it comes");
    require(read_body(bytes, piece) == read_body(bytes, SIZE_MAX), "a body that depends on how it comes");
    return 0;
}
