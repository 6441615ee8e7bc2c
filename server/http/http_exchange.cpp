// A Stream of cpp-httplib whose input is a string and whose output is a Transport.
#include "server/http/http_exchange.h"

#include <httplib.h>

#include <cstring>
#include <ctime>
#include <string_view>

#include "server/core/server_log.h"

namespace serve {

namespace {

// Slower readers than this many bytes a second are cut off, beyond the write timeout itself.
constexpr size_t kLeastRate = 1024;
constexpr size_t kFlushBytes = 64u << 10;

class ExchangeStream final : public httplib::Stream {
public:
    ExchangeStream(std::string input, Transport& transport, std::chrono::seconds write_timeout)
        : input_(std::move(input)), transport_(transport), write_timeout_(write_timeout) {}

    bool is_readable() const override { return true; }
    bool is_writable() const override { return !broken_; }
    ssize_t read(char* bytes, size_t size) override {
        const size_t n = std::min(size, input_.size() - n_read_);
        std::memcpy(bytes, input_.data() + n_read_, n);
        n_read_ += n;
        return static_cast<ssize_t>(n);
    }
    // Head and body of an answer leave together; of a stream every part at once.
    ssize_t write(const char* bytes, size_t size) override {
        output_.append(bytes, size);
        if ((at_once_ || output_.size() >= kFlushBytes) && !flush()) return -1;
        return broken_ ? -1 : static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    // The library only asks whether it fits into an fd_set, which ours need not.
    socket_t socket() const override { return 0; }

    void write_at_once() {
        at_once_ = true;
        flush();
    }
    bool flush() {
        if (broken_ || output_.empty()) return !broken_;
        const auto allowed = write_timeout_ + std::chrono::seconds(output_.size() / kLeastRate);
        broken_ = transport_.write(output_, std::chrono::steady_clock::now() + allowed) != Transport::Result::kOk;
        output_.clear();
        return !broken_;
    }

private:
    const std::string input_;
    size_t n_read_ = 0;
    std::string output_;
    Transport& transport_;
    const std::chrono::seconds write_timeout_;
    bool at_once_ = false;
    bool broken_ = false;
};

// The Date field of an answer (RFC 9110, 6.6.1); made anew once a second.
const char* http_date() {
    thread_local std::time_t made = 0;
    thread_local char text[40];
    const std::time_t now = std::time(nullptr);
    if (now == made) return text;
    made = now;
    std::tm parts = {};
    gmtime_r(&now, &parts);
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

class ProviderSink final : public ByteSink {
public:
    explicit ProviderSink(httplib::DataSink& sink) : sink_(sink) {}
    bool write(std::string_view bytes) override {
        // The library takes an empty part for the end.
        if (!bytes.empty() && whole_) whole_ = sink_.write(bytes.data(), bytes.size());
        return whole_;
    }
    bool whole() const { return whole_; }

private:
    httplib::DataSink& sink_;
    bool whole_ = true;
};

// What the thread is at: the library's handlers get nothing of ours to carry along.
struct Current {
    Exchange* exchange;
    ExchangeStream* stream;
};
thread_local Current current = {};

class ExchangeListener final : public httplib::Server, public ExchangeServer {
public:
    ExchangeListener() {
        svr_sock_ = 0;  // never used, but -1 would mean that the server shuts down, and end every stream
        set_pre_routing_handler([](const httplib::Request& in, httplib::Response& out) {
            answer(in, out);
            return HandlerResponse::Handled;
        });
        set_post_routing_handler([](const httplib::Request& in, httplib::Response& out) { tidy(in, out); });
    }

    bool run(Exchange& exchange, Transport& transport) override {
        ExchangeStream stream(exchange.request.method + " " + exchange.target + " HTTP/1." +
                                  std::to_string(exchange.minor_version) + "\r\n\r\n",
                              transport, exchange.write_timeout);
        current = {&exchange, &stream};
        bool closed = false;
        const bool written = process(*this, stream, exchange.close, closed);
        current = {};
        return stream.flush() && written;
    }

private:
    // The signature has changed between Debian 12 (0.11) and 13 (0.18).
    template <typename Self>
    static bool process(Self& self, httplib::Stream& stream, bool close, bool& closed) {
        if constexpr (requires { self.process_request(stream, close, closed, nullptr); })
            return self.process_request(stream, close, closed, nullptr);
        else
            return self.process_request(stream, "", 0, "", 0, close, closed, nullptr);
    }

    static void answer(const httplib::Request& in, httplib::Response& out) {
        Exchange& exchange = *current.exchange;
        HttpRequest request = std::move(exchange.request);
        request.path = in.path;
        for (const auto& [name, value] : in.params) request.query[name] = value;
        HttpResponse response = exchange.answer(std::move(request));
        out.status = response.status;
        for (const auto& [name, value] : response.headers) out.set_header(name, value);
        for (const auto& [name, value] : exchange.more_headers) out.set_header(name, value);
        if (!response.stream) {
            out.body = std::move(response.body);
            if (!response.content_type.empty()) out.set_header("Content-Type", response.content_type);
            return;
        }
        if (in.method == "HEAD") {
            out.set_header("Content-Type", response.content_type);
            return;
        }
        auto write_all = [stream = std::move(response.stream)](httplib::DataSink& sink) {
            current.stream->write_at_once();
            ProviderSink out_sink(sink);
            try {
                stream(out_sink);
            } catch (const std::exception& error) {
                // The status is out; a body that breaks off is all that can still be said.
                log_line(LogLevel::kError, "a streamed answer failed", {{"error", error.what()}});
                return false;
            }
            if (out_sink.whole()) sink.done();
            return out_sink.whole();
        };
        if (exchange.minor_version == 1) {
            out.set_chunked_content_provider(response.content_type,
                                             [write_all](size_t, httplib::DataSink& sink) { return write_all(sink); });
        } else {
            // HTTP/1.0 knows no chunks: the body ends with the connection.
            exchange.close = true;
            out.set_content_provider(response.content_type,
                                     [write_all](size_t, httplib::DataSink& sink) { return write_all(sink); });
        }
    }

    // What the library adds by itself and is not so here.
    static void tidy(const httplib::Request& in, httplib::Response& out) {
        out.headers.erase("Keep-Alive");
        out.headers.erase("Connection");
        out.set_header("Date", http_date());
        // JSON with a page's text in it stays JSON, whatever a browser makes of its beginning.
        if (!out.has_header("X-Content-Type-Options")) out.set_header("X-Content-Type-Options", "nosniff");
        out.set_header("Connection", current.exchange->close ? "close" : "keep-alive");
        if (in.method == "HEAD") out.headers.erase("Accept-Ranges");
        if (out.status == 204) {
            out.headers.erase("Content-Length");
            out.headers.erase("Content-Type");
        }
    }
};

}  // namespace

std::unique_ptr<ExchangeServer> make_exchange_server() { return std::make_unique<ExchangeListener>(); }

}  // namespace serve
