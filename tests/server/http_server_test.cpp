// The front with routes of the test's own: streams, clients that go, handlers that fail.
#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace serve;
using namespace std::chrono_literals;

namespace {

// A server on a port of the system's choice, until the end of the test.
class RunningServer {
public:
    explicit RunningServer(const Router& router) : server_(make_http_server(options_, router)) {
        const std::string address = server_->address();
        port_ = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        thread_ = std::thread([this] { server_->run(); });
    }
    ~RunningServer() {
        server_->stop(5s);
        thread_.join();
    }
    HttpServer& operator*() const { return *server_; }

    int connect() const {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        const timeval most = {20, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
        return fd;
    }

private:
    static ServerOptions free_port() {
        ServerOptions options;
        options.port = 0;
        return options;
    }

    const ServerOptions options_ = free_port();
    std::unique_ptr<HttpServer> server_;
    uint16_t port_ = 0;
    std::thread thread_;
};

// Reads until the text ends so, or the connection does.
std::string read_until(int fd, const std::string& end) {
    std::string text;
    char bytes[4096];
    while (end.empty() || !text.ends_with(end)) {
        const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0) break;
        text.append(bytes, static_cast<size_t>(n));
    }
    return text;
}

void ask(int fd, const std::string& request) {
    REQUIRE(send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
}

template <typename Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 2000; i++) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

HttpResponse stream_of(std::function<void(ByteSink&)> stream) {
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.stream = std::move(stream);
    return response;
}

void add(Router& router, const char* path, Handler handler) {
    router.add({"GET", path, Access::kPublic, ErrorStyle::kNative, std::move(handler)});
}

constexpr const char* kHost = "Host: localhost\r\n\r\n";

}  // namespace

TEST_CASE("each part of a stream leaves at once, and the connection goes on behind it") {
    Router router;
    std::atomic<int> read = 0;
    add(router, "/stream", [&](const HttpRequest&) {
        return stream_of([&](ByteSink& sink) {
            CHECK(sink.write("one"));
            CHECK(comes_true([&] { return read == 1; }));  // only then does the second part exist
            CHECK(sink.write(""));
            CHECK(sink.write("two\n"));
        });
    });
    const RunningServer server(router);
    const int fd = server.connect();
    for (int i = 0; i < 2; i++) {
        read = 0;
        ask(fd, std::string("GET /stream HTTP/1.1\r\n") + kHost);
        const std::string begin = read_until(fd, "3\r\none\r\n");
        CHECK(begin.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(begin.find("\r\nTransfer-Encoding: chunked\r\n") != begin.npos);
        CHECK(begin.find("\r\nConnection: keep-alive\r\n") != begin.npos);
        CHECK(begin.find("\r\nContent-Type: text/event-stream\r\n") != begin.npos);
        read = 1;
        CHECK(read_until(fd, "0\r\n\r\n") == "4\r\ntwo\n\r\n0\r\n\r\n");
    }
    // HTTP/1.0 has no chunks: the body ends with the connection.
    read = 1;
    ask(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string old = read_until(fd, "");
    CHECK(old.find("chunked") == old.npos);
    CHECK(old.find("\r\nConnection: close\r\n") != old.npos);
    CHECK(old.ends_with("\r\n\r\nonetwo\n"));
    close(fd);
}

TEST_CASE("a stream learns that its client is gone, by asking and by writing") {
    Router router;
    std::atomic<int> asked = 0, written = 0, ended = 0;
    add(router, "/asks", [&](const HttpRequest& request) {
        return stream_of([&, gone = request.client_gone](ByteSink& sink) {
            CHECK_FALSE(gone());
            CHECK(sink.write("x"));
            if (comes_true(gone)) asked++;
        });
    });
    add(router, "/writes", [&](const HttpRequest&) {
        return stream_of([&](ByteSink& sink) {
            if (comes_true([&] { return !sink.write("x"); })) written++;
        });
    });
    router.add_observer([&](const HttpRequest&, const Route*, int, uint64_t, uint64_t) { ended++; });
    const RunningServer server(router);
    for (const char* path : {"/asks", "/writes"}) {
        const int fd = server.connect();
        // What was sent ahead does not count as a client that is there.
        ask(fd, std::string("GET ") + path + " HTTP/1.1\r\n" + kHost + "GET /asks HTTP/1.1\r\n");
        read_until(fd, "x\r\n");
        close(fd);
    }
    CHECK(comes_true([&] { return asked == 1 && written == 1 && ended == 2; }));
    CHECK(comes_true([&] { return (*server).n_connections() == 0 && (*server).n_requests() == 0; }));
}

TEST_CASE("a handler that throws is a 500, a stream that throws breaks off, and both leave the server well") {
    Router router;
    add(router, "/throws", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("a reason"); });
    add(router, "/breaks", [](const HttpRequest&) {
        return stream_of([](ByteSink& sink) {
            sink.write("x");
            throw std::runtime_error("a reason");
        });
    });
    const RunningServer server(router);
    int fd = server.connect();
    ask(fd, std::string("GET /throws HTTP/1.1\r\n") + kHost + "HEAD /breaks HTTP/1.1\r\n" + kHost +
                "GET /breaks HTTP/1.1\r\n" + kHost);
    const std::string text = read_until(fd, "");
    CHECK(text.starts_with("HTTP/1.1 500 "));
    CHECK(text.find("INTERNAL_ERROR") != text.npos);
    CHECK(text.ends_with("1\r\nx\r\n"));  // no last chunk: the client sees that it is not whole
    close(fd);
    fd = server.connect();
    ask(fd, std::string("GET /nothing HTTP/1.1\r\n") + kHost);
    CHECK(read_until(fd, "}").starts_with("HTTP/1.1 404 "));
    close(fd);
}

TEST_CASE("three hundred streams are open at once") {
    Router router;
    std::atomic<bool> go_on = false;
    std::atomic<int> open = 0;
    add(router, "/stream", [&](const HttpRequest&) {
        return stream_of([&](ByteSink& sink) {
            open++;
            sink.write("begin");
            comes_true([&] { return go_on.load(); });
            sink.write("end");
        });
    });
    add(router, "/health", [](const HttpRequest&) { return HttpResponse(); });
    const RunningServer server(router);
    std::vector<int> clients;
    for (int i = 0; i < 300; i++) {
        clients.push_back(server.connect());
        ask(clients.back(), std::string("GET /stream HTTP/1.1\r\n") + kHost);
    }
    CHECK(comes_true([&] { return open == 300; }));
    CHECK((*server).n_requests() == 300);
    const int other = server.connect();
    ask(other, std::string("GET /health HTTP/1.1\r\n") + kHost);
    CHECK(read_until(other, "\r\n\r\n").starts_with("HTTP/1.1 200 "));
    close(other);
    go_on = true;
    int whole = 0;
    for (int fd : clients) {
        whole += read_until(fd, "0\r\n\r\n").ends_with("5\r\nbegin\r\n3\r\nend\r\n0\r\n\r\n");
        close(fd);
    }
    CHECK(whole == 300);
}

TEST_CASE("stopping lets an answer end within its grace and cuts it off after") {
    for (const bool in_time : {true, false}) {
        Router router;
        std::atomic<bool> begun = false, stopped = false, cut = false;
        add(router, "/waits", [&](const HttpRequest& request) {
            begun = true;
            comes_true([&] { return in_time ? stopped.load() : request.client_gone(); });
            cut = request.client_gone();
            return HttpResponse();
        });
        const ServerOptions options = [] {
            ServerOptions with;
            with.port = 0;
            return with;
        }();
        std::string answer;
        {
            const RunningServer server(router);
            const int fd = server.connect(), idle = server.connect();
            ask(fd, std::string("GET /waits HTTP/1.1\r\n") + kHost);
            CHECK(comes_true([&] { return begun.load(); }));
            (*server).stop(in_time ? 10s : 1ms);
            stopped = true;
            CHECK(read_until(idle, "").empty());  // who waits without asking does not hold it up
            answer = read_until(fd, "");
            close(fd);
            close(idle);
        }
        CHECK(cut != in_time);
        CHECK(answer.starts_with("HTTP/1.1 200 ") == in_time);
    }
}
