// One answer after the other until none redirects.
#include "http_get.h"

#include <httplib.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "bitnet.h"
#include "hub.h"
#include "redirect_rules.h"

namespace hub {
namespace {

// cpp-httplib bounds neither the number of fields nor the length of a line, and matches the first with std::regex, whose
// depth of recursion is the line's length.
constexpr size_t kLongestStatusLine = 512;
constexpr size_t kLongestLine = 16384;
constexpr size_t kLongestHead = 65536;
// Framing of chunks, beyond what was delivered.
constexpr uint64_t kMostFraming = 1u << 20;

class AnswerStream final : public httplib::Stream {
public:
    explicit AnswerStream(NetConnection& connection, const Url& url) : connection_(connection), url_(url) {}

    bool is_readable() const override { return true; }
    bool is_writable() const override { return true; }
    ssize_t read(char* bytes, size_t size) override {
        if (begin_ == end_) {
            begin_ = 0;
            end_ = connection_.read(buffer_, sizeof buffer_);
            if (end_ == 0) {
                at_end_ = true;
                return 0;
            }
        }
        const size_t n = std::min(size, end_ - begin_);
        std::memcpy(bytes, buffer_ + begin_, n);
        begin_ += n;
        count(std::string_view(bytes, n));
        return static_cast<ssize_t>(n);
    }
    ssize_t write(const char* bytes, size_t size) override {
        connection_.write(std::string_view(bytes, size));
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    // The library only asks whether it fits into an fd_set, which ours need not.
    socket_t socket() const override { return 0; }

    void head_is_read() { in_head_ = false; }
    void delivered(size_t n) { n_delivered_ += n; }
    bool at_end() const { return at_end_; }

private:
    void count(std::string_view bytes) {
        n_read_ += bytes.size();
        if (!in_head_) {
            if (n_read_ - n_delivered_ > kMostFraming + 8 * n_delivered_ + sizeof buffer_)
                throw Error(ErrorKind::kProtocol, url_.authority() + ": the answer is all framing and no content");
            return;
        }
        for (char c : bytes) {
            if (++n_line_ > (n_lines_ == 0 ? kLongestStatusLine : kLongestLine) || n_read_ > kLongestHead)
                throw Error(ErrorKind::kProtocol, url_.authority() + ": the head of the answer is too long");
            if (c == '\n') n_line_ = 0, ++n_lines_;
        }
    }

    NetConnection& connection_;
    const Url& url_;
    char buffer_[32768];
    size_t begin_ = 0, end_ = 0;
    bool at_end_ = false;
    bool in_head_ = true;
    size_t n_line_ = 0, n_lines_ = 0;
    uint64_t n_read_ = 0, n_delivered_ = 0;
};

// What a file's link says counts only where the hub says it; is_hub: this answer is the hub's own.
ResponseHead head_of(const httplib::Response& answer, const Url& url, bool is_hub) {
    ResponseHead head;
    head.status = answer.status;
    const auto number = [&](const char* name) -> std::optional<uint64_t> {
        if (!answer.has_header(name)) return std::nullopt;
        const auto value = parse_number(answer.get_header_value(name));
        if (!value || answer.get_header_value_count(name) != 1)
            throw Error(ErrorKind::kProtocol, url.authority() + ": the answer's " + name + " is no number");
        return value;
    };
    head.content_length = number("Content-Length");
    if (is_hub) head.linked_size = number("X-Linked-Size");
    head.content_range = answer.get_header_value("Content-Range");
    head.etag = answer.get_header_value("ETag");
    if (is_hub) head.linked_etag = answer.get_header_value("X-Linked-Etag");
    head.error_code = answer.get_header_value("X-Error-Code");
    head.retry_after_s = static_cast<double>(parse_number(answer.get_header_value("Retry-After")).value_or(0));
    const std::string encoding = answer.get_header_value("Content-Encoding");
    head.is_encoded = !encoding.empty() && encoding != "identity";
    return head;
}

// Opens what the class keeps for its heirs: a request over any stream.
class Requester final : public httplib::ClientImpl {
public:
    explicit Requester(const Url& url) : httplib::ClientImpl(url.host, url.port) {
        set_url_encode(false);  // targets are encoded already
        set_decompress(false);
        set_follow_location(false);
    }
    bool exchange(httplib::Stream& stream, httplib::Request& request, httplib::Response& answer) {
        httplib::Error error = httplib::Error::Success;
        return process_request(stream, request, answer, true, error);
    }
};

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

HttpGetter::HttpGetter(Url endpoint, std::string token, NetworkLimits limits)
    : endpoint_(std::move(endpoint)), token_(std::move(token)), limits_(std::move(limits)) {
    require_safe_token(endpoint_, token_);
}

void HttpGetter::get(const Url& first, const HttpFields& fields, const HttpHandlers& handlers) const {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value != nullptr ? value : "");
    };
    Url url = first;
    for (int n_redirects = 0;; ++n_redirects) {
        const std::optional<Proxy> proxy = find_proxy(url, variable);
        httplib::Request request;
        request.method = "GET";
        request.path = proxy && !url.is_tls() ? url.text() : url.target;
        request.set_header("Host", url.authority());
        request.set_header("User-Agent", std::string("bitnet/") + bitnet_version_string());
        request.set_header("Accept-Encoding", "identity");
        for (const auto& [name, value] : fields) request.set_header(name, value);
        const bool is_hub = may_have_token(url, endpoint_);
        if (!token_.empty() && is_hub) request.set_header("Authorization", "Bearer " + token_);
        if (proxy && !url.is_tls() && !proxy->authorization.empty())
            request.set_header("Proxy-Authorization", proxy->authorization);

        NetConnection connection(url, proxy, limits_);
        AnswerStream stream(connection, url);
        bool stopped = false;
        std::string location;
        request.response_handler = [&](const httplib::Response& answer) {
            stream.head_is_read();
            const ResponseHead head = head_of(answer, url, is_hub);
            if (is_redirect(head.status)) {
                location = answer.get_header_value("Location");
                if (handlers.on_redirect) handlers.on_redirect(head);
                stopped = true;
                return false;
            }
            stopped = !handlers.on_head(head);
            return !stopped;
        };
        request.content_receiver = [&](const char* bytes, size_t size, auto, auto) {
            stream.delivered(size);
            handlers.on_body(std::string_view(bytes, size));
            return true;
        };
        httplib::Response answer;
        const bool complete = Requester(url).exchange(stream, request, answer);
        if (complete && answer.status == 204)
            handlers.on_head(head_of(answer, url, is_hub));  // the library asks nobody then
        if (!complete && !stopped)
            throw Error(ErrorKind::kNetwork,
                        url.authority() + (stream.at_end() ? ": the connection ended before the answer did"
                                                           : ": the answer is no HTTP"));
        if (!stopped || location.empty()) {
            if (is_redirect(answer.status))
                throw Error(ErrorKind::kProtocol, url.authority() + ": a redirect to nowhere");
            return;
        }
        url = follow_redirect(url, location, n_redirects);
    }
}

}  // namespace hub
