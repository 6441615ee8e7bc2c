// Deadlines: the first byte within the idle timeout, the head within the header timeout of it, the body within the body timeout
// of that and never a long silence in it, every write within the write timeout.
#include "server/http/connection.h"

#include <sys/socket.h>

#include <algorithm>

#include "server/core/clock_text.h"
#include "server/core/server_log.h"
#include "server/http/chunked_body.h"
#include "server/http/request_head.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::seconds;

constexpr size_t kReadBytes = 16u << 10;
constexpr Seconds kLinger{2};

// One request more for as long as it lives.
class Counted {
public:
    explicit Counted(std::atomic<int>& count) : count_(count) { count_++; }
    ~Counted() { count_--; }

private:
    std::atomic<int>& count_;
};

// Gives back what a body holds of the common budget.
class Budget {
public:
    Budget(std::atomic<uint64_t>& used, uint64_t most) : used_(used), most_(most) {}
    ~Budget() { used_ -= taken_; }
    void take(uint64_t n) {
        taken_ += n;
        if (used_.fetch_add(n) + n <= most_) return;
        ApiError error(ErrorCode::kUnavailable, "too many large requests at once");
        error.retry_after_s = 1;
        throw error;
    }

private:
    std::atomic<uint64_t>& used_;
    const uint64_t most_;
    uint64_t taken_ = 0;
};

}  // namespace

std::string request_id_for(const RequestHead& head) {
    const std::string_view given = head.header("X-Request-Id");
    const auto harmless = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
               c == '.';
    };
    if (!given.empty() && given.size() <= 64 && std::all_of(given.begin(), given.end(), harmless))
        return std::string(given);
    return random_id("req_");
}

void Connection::cut(bool reading_only) const noexcept {
    shutdown(transport_->socket(), reading_only ? SHUT_RD : SHUT_RDWR);
}

void Connection::run() noexcept {
    try {
        if (transport_->handshake(Clock::now() + Seconds(plan_.options.header_timeout_s)) != Transport::Result::kOk)
            return;
        while (serve_one()) {
        }
    } catch (const std::exception& error) {
        log_line(LogLevel::kError, "a connection failed", {{"error", error.what()}, {"peer", peer_}});
    }
}

Transport::Result Connection::read_more(SteadyTime deadline) {
    char bytes[kReadBytes];
    size_t n = 0;
    const Transport::Result result = transport_->read(bytes, sizeof bytes, deadline, n);
    if (result == Transport::Result::kOk) input_.append(bytes, n);
    return result;
}

bool Connection::wait_for_request() {
    if (!input_.empty()) return true;
    idle_ = true;
    // Whoever sets stopping looks at idle afterwards, and here it is the other way round: one of the two sees the other.
    if (plan_.stopping) return false;
    const int timeout = first_ ? plan_.options.header_timeout_s : plan_.options.idle_timeout_s;
    const Transport::Result result = read_more(Clock::now() + Seconds(timeout));
    idle_ = false;
    return result == Transport::Result::kOk;
}

bool Connection::read_head(HeadReader& reader, SteadyTime deadline) {
    while (true) {
        const size_t used = reader.feed(input_);
        input_.erase(0, used);
        if (reader.complete()) return true;
        const Transport::Result result = read_more(deadline);
        if (result == Transport::Result::kTimeout && !reader.empty())
            throw ApiError(ErrorCode::kRequestTimeout, "the request's head did not come in time");
        if (result != Transport::Result::kOk) return false;
    }
}

bool Connection::read_body(const RequestHead& head, std::string& body, SteadyTime began) {
    const size_t most = plan_.options.max_body_bytes;
    if (head.content_length > most)
        throw ApiError(ErrorCode::kPayloadTooLarge, "the body is longer than " + std::to_string(most) + " bytes");
    if (!head.chunked && head.content_length == 0) return true;
    if (head.expects_continue && input_.empty()) {
        const auto deadline = Clock::now() + Seconds(plan_.options.write_timeout_s);
        if (transport_->write("HTTP/1.1 100 Continue\r\n\r\n", deadline) != Transport::Result::kOk) return false;
    }
    Budget budget(plan_.buffered_bytes, plan_.options.max_buffered_bytes);
    ChunkedBody chunks(most);
    const SteadyTime end = began + Seconds(plan_.options.body_timeout_s);
    while (true) {
        const size_t before = body.size();
        if (head.chunked) {
            input_.erase(0, chunks.feed(input_, body));
        } else {
            const size_t n = std::min<size_t>(input_.size(), static_cast<size_t>(head.content_length) - before);
            body.append(input_, 0, n);
            input_.erase(0, n);
        }
        budget.take(body.size() - before);
        if (head.chunked ? chunks.complete() : body.size() == head.content_length) return true;
        const SteadyTime silence = Clock::now() + Seconds(plan_.options.header_timeout_s);
        const Transport::Result result = read_more(std::min(end, silence));
        if (result == Transport::Result::kTimeout)
            throw ApiError(ErrorCode::kRequestTimeout, "the request's body did not come in time");
        if (result != Transport::Result::kOk) return false;
    }
}

HttpRequest Connection::begin_request(RequestHead& head, const std::string& request_id, SteadyTime received) const {
    HttpRequest request;
    request.method = head.method.empty() ? "GET" : head.method;
    request.request_id = request_id;
    request.peer = peer_;
    request.received = received;
    request.client_gone = [transport = transport_.get()] { return transport->peer_gone(); };
    return request;
}

void Connection::refuse(RequestHead& head, const std::string& request_id, SteadyTime received, const ApiError& error) {
    Exchange exchange;
    exchange.request = begin_request(head, request_id, received);
    const std::string method = exchange.request.method, path = std::string(head.raw_path());
    // The writer knows few methods; of ours only HEAD makes a difference to an answer.
    if (method != "HEAD") exchange.request.method = "GET";
    exchange.close = true;
    exchange.write_timeout = Seconds(plan_.options.write_timeout_s);
    exchange.more_headers = plan_.origins.answer_headers(head);
    exchange.more_headers.emplace_back("X-Request-Id", request_id);
    exchange.answer = [&](HttpRequest request) {
        request.method = method;
        request.path = path;
        HttpResponse response = plan_.router.refuse(request, error);
        plan_.router.report(request, nullptr, response.status, response.body.size());
        return response;
    };
    if (plan_.exchanges->run(exchange, *transport_)) linger();
}

HttpResponse Connection::answer(HttpRequest request, const RequestHead& head) const {
    const auto refused = [&](const ApiError& error) {
        HttpResponse response = plan_.router.refuse(request, error);
        plan_.router.report(request, nullptr, response.status, response.body.size());
        return response;
    };
    try {
        if (OriginRules::is_preflight(head)) {
            HttpResponse response = plan_.origins.answer_preflight(head);
            plan_.router.report(request, nullptr, response.status, 0);
            return response;
        }
        plan_.origins.check(head);
        if (plan_.draining && request.method != "GET" && request.method != "HEAD") {
            ApiError error(ErrorCode::kUnavailable, "the server is shutting down");
            error.retry_after_s = 5;
            return refused(error);
        }
    } catch (const ApiError& error) {
        return refused(error);
    }
    if (request.method == "OPTIONS") {
        const std::string allowed = plan_.router.allowed_methods(request.path);
        if (!allowed.empty() || request.path == "*") {
            HttpResponse response;
            response.status = 204;
            response.headers.emplace_back("Allow", allowed.empty() ? "GET, HEAD, POST, DELETE, OPTIONS" : allowed);
            plan_.router.report(request, nullptr, response.status, 0);
            return response;
        }
    }
    return plan_.router.answer(std::move(request));
}

bool Connection::serve_one() {
    if (!wait_for_request()) return false;
    first_ = false;
    const Counted counted(plan_.n_requests);
    const SteadyTime received = Clock::now();
    HeadLimits limits;
    limits.max_bytes = plan_.options.max_header_bytes;
    HeadReader reader(limits);
    RequestHead& head = reader.head();
    Exchange exchange;
    std::string body;
    try {
        if (!read_head(reader, received + Seconds(plan_.options.header_timeout_s))) return false;
        if (!read_body(head, body, Clock::now())) return false;
    } catch (const ApiError& error) {
        refuse(head, request_id_for(head), received, error);
        return false;
    }
    const std::string request_id = request_id_for(head);
    exchange.request = begin_request(head, request_id, received);
    exchange.request.body = std::move(body);
    exchange.target = head.target;
    exchange.minor_version = head.minor_version;
    exchange.close = !head.keep_alive || plan_.draining;
    exchange.write_timeout = Seconds(plan_.options.write_timeout_s);
    exchange.more_headers = plan_.origins.answer_headers(head);
    exchange.more_headers.emplace_back("X-Request-Id", request_id);
    exchange.answer = [&](HttpRequest request) {
        request.headers = head.headers;
        return answer(std::move(request), head);
    };
    if (!plan_.exchanges->run(exchange, *transport_)) return false;
    if (!exchange.close) return true;
    linger();
    return false;
}

void Connection::linger() noexcept {
    transport_->end_writing();
    char bytes[kReadBytes];
    size_t n = 0;
    const SteadyTime end = Clock::now() + kLinger;
    while (!plan_.stopping && Clock::now() < end &&
           transport_->read(bytes, sizeof bytes, end, n) == Transport::Result::kOk) {
    }
}

}  // namespace serve
