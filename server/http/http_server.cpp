// cpp-httplib behind the router.
#include "server/http/http_server.h"

#include <httplib.h>

#include "server/core/clock_text.h"

namespace serve {

namespace {

class Server final : public HttpServer {
public:
    Server(const ServerOptions& options, const Router& router) : options_(options), router_(router) {
        const auto handle = [this](const httplib::Request& in, httplib::Response& out) { serve_one(in, out); };
        server_.Get(".*", handle);
        server_.Post(".*", handle);
        server_.Put(".*", handle);
        server_.Delete(".*", handle);
        server_.set_payload_max_length(options_.max_body_bytes);
        port_ = options_.port ? options_.port : server_.bind_to_any_port(options_.host);
        if (options_.port && !server_.bind_to_port(options_.host, options_.port))
            throw ApiError(ErrorCode::kUnavailable, "cannot listen on " + address());
    }
    std::string address() const override { return options_.host + ":" + std::to_string(port_); }
    void run() override { server_.listen_after_bind(); }
    void stop() override { server_.stop(); }
    int n_connections() const override { return 0; }

private:
    void serve_one(const httplib::Request& in, httplib::Response& out) {
        HttpRequest request;
        request.method = in.method;
        request.path = in.path;
        for (const auto& [name, value] : in.headers) request.headers[name] = value;
        for (const auto& [name, value] : in.params) request.query[name] = value;
        request.body = in.body;
        request.received = std::chrono::steady_clock::now();
        request.request_id = random_id("req_");
        HttpResponse response = router_.answer(std::move(request));
        out.status = response.status;
        for (const auto& [name, value] : response.headers) out.set_header(name, value);
        if (!response.stream) {
            out.set_content(std::move(response.body), response.content_type);
            return;
        }
        out.set_chunked_content_provider(response.content_type,
                                         [stream = std::move(response.stream)](size_t, httplib::DataSink& sink) {
                                             class Sink : public ByteSink {
                                             public:
                                                 explicit Sink(httplib::DataSink& out_sink) : sink_(out_sink) {}
                                                 bool write(std::string_view bytes) override {
                                                     return sink_.write(bytes.data(), bytes.size());
                                                 }

                                             private:
                                                 httplib::DataSink& sink_;
                                             } out_sink(sink);
                                             stream(out_sink);
                                             sink.done();
                                             return true;
                                         });
    }

    const ServerOptions options_;
    const Router& router_;
    httplib::Server server_;
    int port_ = 0;
};

}  // namespace

std::unique_ptr<HttpServer> make_http_server(const ServerOptions& options, const Router& router) {
    return std::make_unique<Server>(options, router);
}

}  // namespace serve
