// The reader of request heads and of chunked bodies: what two programs could understand in two ways is refused.
#include "server/http/request_head.h"

#include <string>

#include <doctest/doctest.h>

#include "server/http/chunked_body.h"
#include "server/http/connection.h"

using namespace serve;

namespace {

// "" for a head that is accepted, "..." for one that could go on, else the error's code.
std::string verdict(std::string_view bytes, size_t piece = SIZE_MAX, const HeadLimits& limits = {}) {
    HeadReader reader(limits);
    try {
        while (!bytes.empty() && !reader.complete()) bytes.remove_prefix(reader.feed(bytes.substr(0, piece)));
        return reader.complete() ? "" : "...";
    } catch (const ApiError& error) {
        return error_info(error.code).name;
    }
}

RequestHead read(std::string_view bytes) {
    HeadReader reader({});
    CHECK(reader.feed(bytes) == bytes.size());
    REQUIRE(reader.complete());
    return reader.head();
}

std::string with_field(const std::string& field) { return "GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n\r\n"; }

// The body, or the error's code; "..." where it could go on.
std::string unchunked(std::string_view bytes, size_t most = 100, size_t piece = SIZE_MAX) {
    ChunkedBody chunks(most);
    std::string body;
    try {
        while (!bytes.empty() && !chunks.complete()) {
            const size_t used = chunks.feed(bytes.substr(0, piece), body);
            bytes.remove_prefix(used);
        }
        return !chunks.complete() ? "..." : bytes.empty() ? body : "left over: " + std::string(bytes);
    } catch (const ApiError& error) {
        return error_info(error.code).name;
    }
}

}  // namespace

TEST_CASE("a request's head is read the same whole and byte by byte") {
    const std::string text =
        "\r\nPOST /v1/inference?a=b HTTP/1.1\r\nHost: localhost:8080\r\ncontent-length: 12\r\nX-A: 1\r\nx-a:\t2 \r\n"
        "Cookie: a=1\r\nCookie: b=2\r\nConnection: foo, Close\r\nExpect: 100-Continue\r\nX-Empty:\r\n\r\n";
    const RequestHead head = read(text);
    CHECK(head.method == "POST");
    CHECK(head.target == "/v1/inference?a=b");
    CHECK(head.raw_path() == "/v1/inference");
    CHECK(head.header("HOST") == "localhost:8080");
    CHECK(head.header("X-a") == "1, 2");
    CHECK(head.header("Cookie") == "a=1; b=2");
    CHECK(head.header("X-Empty") == "");
    CHECK(head.content_length == 12);
    CHECK_FALSE(head.chunked);
    CHECK_FALSE(head.keep_alive);
    CHECK(head.expects_continue);
    CHECK(verdict(text, 1) == "");
    CHECK(verdict(text.substr(0, text.size() - 1), 1) == "...");
    // What follows the head is left for its body.
    HeadReader reader({});
    CHECK(reader.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest") == 27);
}

TEST_CASE("a connection is kept as its version and its Connection field say") {
    CHECK(read("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
    CHECK_FALSE(read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
    CHECK_FALSE(read("GET / HTTP/1.0\r\n\r\n").keep_alive);
    CHECK(read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    CHECK(read("GET / HTTP/1.0\r\n\r\n").minor_version == 0);
}

TEST_CASE("request lines that HTTP/1 does not have are refused") {
    for (const char* line : {"GET /",
                             "GET",
                             "GET  /  HTTP/1.1",
                             " GET / HTTP/1.1",
                             "GET / HTTP/1.1 ",
                             "GET / HTTP/2.0",
                             "GET / HTTP/0.9",
                             "GET / http/1.1",
                             "GET / HTTP/1.2",
                             "GET / HTTP/11",
                             "PRI * HTTP/2.0",
                             "GET example.com HTTP/1.1",
                             "GET * HTTP/1.1",
                             "G(T / HTTP/1.1",
                             "GET /a b HTTP/1.1",
                             "GET /\t HTTP/1.1",
                             "GET /# HTTP/1.1",
                             "GET /% HTTP/1.1",
                             "GET /%4 HTTP/1.1",
                             "GET /%zz HTTP/1.1",
                             "GET /%00 HTTP/1.1",
                             "GET /%0d%0aX:1 HTTP/1.1",
                             "GET /?a=%7f HTTP/1.1",
                             "GET /\xc3\xa9 HTTP/1.1",
                             "GET http:// HTTP/1.1",
                             "GET http:///x HTTP/1.1",
                             "GET ftp://a/ HTTP/1.1",
                             "\x16\x03\x01",
                             "CONNECT a:80 HTTP/1.1"}) {
        INFO(line);
        // At the line's end already: nothing more will come from such a client.
        CHECK(verdict(std::string(line) + "\r\n") == "VALIDATION_FAILED");
    }
    CHECK(verdict("\r\n\r\n\r\n") == "VALIDATION_FAILED");
    CHECK(verdict("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == "");
    CHECK(verdict("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n") == "METHOD_NOT_ALLOWED");
    CHECK(read("GET http://a:1/b?c HTTP/1.1\r\nHost: a\r\n\r\n").target == "/b?c");
    CHECK(read("GET HTTPS://a?c HTTP/1.1\r\nHost: a\r\n\r\n").target == "/?c");
    CHECK(read("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").target == "/");
}

TEST_CASE("lines end in CR LF and hold no control characters") {
    using namespace std::string_literals;
    for (const std::string& text :
         {"GET / HTTP/1.1\nHost: a\n\n"s, "GET / HTTP/1.1\r\nHost: a\n\r\n"s, "GET / HTTP/1.1\rHost: a\r\n\r\n"s,
          "GET / HTTP/1.1\r\r\n"s, with_field("X: a\0b"s), with_field("X: a\x01"), with_field("X: a\x7f"),
          with_field("X: a\x0b"), with_field("X: a\rb")})
        CHECK(verdict(text) == "VALIDATION_FAILED");
    CHECK(verdict(with_field("X: a\tb \xc3\xa9")) == "");
}

TEST_CASE("fields that could be understood in two ways are refused") {
    for (const char* field : {"Content-Length: 1\r\nTransfer-Encoding: chunked",
                              "Content-Length: 1\r\nContent-Length: 1",
                              "Content-Length: 1, 1",
                              "Content-Length: +1",
                              "Content-Length: -1",
                              "Content-Length: 0x1",
                              "Content-Length: 1 2",
                              "Content-Length:",
                              "Content-Length: 9999999999999999999",
                              "Content-Length: \xd9\xa1",
                              "Transfer-Encoding: gzip, chunked",
                              "Transfer-Encoding: identity",
                              "Transfer-Encoding: xchunked",
                              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                              "Transfer-Encoding:",
                              "Transfer-Encoding : chunked",
                              "Content-Length : 1",
                              " Content-Length: 1",
                              "X: a\r\n folded",
                              ": no name",
                              "no colon",
                              "a b: c",
                              "a\"b: c",
                              "Host: b",
                              "Host: a b",
                              "Authorization: a\r\nauthorization: b",
                              "Expect: 200-ok",
                              "Content-Encoding: gzip",
                              "Content-Encoding: br"}) {
        INFO(field);
        CHECK(verdict(with_field(field)) == "VALIDATION_FAILED");
        CHECK(verdict(with_field(field), 1) == "VALIDATION_FAILED");
    }
    CHECK(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == "VALIDATION_FAILED");
    CHECK(verdict("GET / HTTP/1.1\r\n\r\n") == "VALIDATION_FAILED");
    CHECK(verdict("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n") == "VALIDATION_FAILED");
    CHECK(read(with_field("Transfer-Encoding: Chunked")).chunked);
    CHECK(read(with_field("Content-Length: 0012")).content_length == 12);
    CHECK(verdict(with_field("Content-Encoding: identity")) == "");
}

TEST_CASE("a head is bounded in bytes, fields and target") {
    HeadLimits limits;
    limits.max_bytes = 200;
    limits.max_fields = 3;
    limits.max_target_bytes = 100;
    CHECK(verdict(with_field("X: " + std::string(100, 'a')), 7, limits) == "");
    CHECK(verdict(with_field("X: " + std::string(200, 'a')), 7, limits) == "HEADERS_TOO_LARGE");
    CHECK(verdict(with_field("A: 1\r\nB: 1"), 7, limits) == "");
    CHECK(verdict(with_field("A: 1\r\nB: 1\r\nC: 1"), 7, limits) == "HEADERS_TOO_LARGE");
    CHECK(verdict("GET /" + std::string(99, 'a') + " HTTP/1.0\r\n\r\n", 7, limits) == "");
    CHECK(verdict("GET /" + std::string(100, 'a') + " HTTP/1.0\r\n\r\n", 7, limits) == "VALIDATION_FAILED");
    // Without waiting for an end that may never come.
    CHECK(verdict("GET /" + std::string(175, 'a'), 7, limits) == "VALIDATION_FAILED");
}

TEST_CASE("a request keeps the id its client gave it where that is short and harmless") {
    CHECK(request_id_for(read(with_field("X-Request-Id: abc-1_2.3"))) == "abc-1_2.3");
    for (const std::string& id :
         {std::string("a b"), std::string("\xc3\xa9"), std::string("a\"b"), std::string(65, 'a')}) {
        const std::string given = request_id_for(read(with_field("X-Request-Id: " + id)));
        CHECK(given.starts_with("req_"));
        CHECK(given.size() == 36);
    }
    CHECK(request_id_for(read(with_field("X: y"))) != request_id_for(read(with_field("X: y"))));
}

TEST_CASE("a chunked body comes out the same whole and byte by byte") {
    const char* const text = "4\r\nWiki\r\n5;name=value\r\npedia\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    for (size_t piece : {size_t{1}, size_t{2}, size_t{7}, SIZE_MAX})
        CHECK(unchunked(text, 100, piece) == "Wikipedia0123456789");
    CHECK(unchunked("0\r\n\r\n") == "");
    CHECK(unchunked("1\r\nx\r\n0\r\n\r\nGET /") == "left over: GET /");
    CHECK(unchunked("1\r\nx\r\n0\r\n") == "...");
    CHECK(unchunked("00000000000001\r\nx\r\n0\r\n\r\n") == "x");
}

TEST_CASE("a chunked body that is coded wrongly or too large is refused") {
    for (const char* text :
         {"\r\n", "g\r\n", "-1\r\n", "+1\r\n", " 1\r\n", "0x1\r\n", "1 \r\n", "1\n", "1\rx", "1\r\nxy", "1\r\nx\ry",
          "1\r\nx\n", ";a\r\n", "1;a\nb\r\n", "1;\x01\r\n", "0\r\nA: \x01\r\n\r\n", "0\r\n\ry", "fffffffffffffffff\r\n",
          "0000000000000000000000\r\n"}) {
        INFO(text);
        CHECK(unchunked(text) == "VALIDATION_FAILED");
        CHECK(unchunked(text, 100, 1) == "VALIDATION_FAILED");
    }
    CHECK(unchunked("64\r\n" + std::string(100, 'a') + "\r\n0\r\n\r\n") == std::string(100, 'a'));
    // By its size alone: not one byte of it has come.
    CHECK(unchunked("65\r\n") == "PAYLOAD_TOO_LARGE");
    CHECK(unchunked("fffffffffffffff\r\n") == "PAYLOAD_TOO_LARGE");
    CHECK(unchunked("60\r\n" + std::string(96, 'a') + "\r\n5\r\n") == "PAYLOAD_TOO_LARGE");
}

TEST_CASE("a chunked body may not cost many times what it carries") {
    std::string bomb;
    for (int i = 0; i < 20000; i++) bomb += "1;" + std::string(100, 'e') + "\r\nx\r\n";
    CHECK(unchunked(bomb, 1 << 20) == "VALIDATION_FAILED");
    CHECK(unchunked("1;" + std::string(20000, 'e')) == "VALIDATION_FAILED");
    std::string trailers = "0\r\n";
    for (int i = 0; i < 2000; i++) trailers += "Name: value\r\n";
    CHECK(unchunked(trailers) == "VALIDATION_FAILED");
    std::string small;
    for (int i = 0; i < 20000; i++) small += "1\r\nx\r\n";
    CHECK(unchunked(small + "0\r\n\r\n", 1 << 20) == std::string(20000, 'x'));
}
