// Requests and responses as the handlers see them: plain values, no HTTP library. A test calls a handler with a request it
// has written and looks at the response.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serve {

using SteadyTime = std::chrono::steady_clock::time_point;

// Who asks. Without authentication everyone is the anonymous administrator of a server on the loopback address.
struct Identity {
    std::string name;      // of the key or token ("alice"); "" for anonymous. Separates prefix caches and quotas
    bool admin = true;     // may load, swap and unload models
    int max_priority = 3;  // the highest Priority it may ask for
};

struct CaseLess {
    bool operator()(std::string_view a, std::string_view b) const noexcept;
};

struct HttpRequest {
    std::string method;                 // "POST"
    std::string path;                   // decoded, without query
    std::vector<std::string> captures;  // what the {names} of the route's pattern stand for, decoded
    std::map<std::string, std::string, CaseLess> headers;
    std::map<std::string, std::string> query;
    std::string body;
    std::string request_id;
    std::string peer;  // address of the client, for the log
    Identity identity;
    SteadyTime received = {};
    // True once the client has closed the connection: nobody will read the answer. Cheap; any thread. Never null.
    std::function<bool()> client_gone = [] { return false; };

    // "" where there is none.
    std::string_view header(std::string_view name) const;
};

// Where a streamed body goes.
class ByteSink {
public:
    virtual ~ByteSink() = default;
    // False when the client is gone; then stop and cancel what makes the bytes. Blocks while the client does not read, up to
    // the server's write timeout.
    virtual bool write(std::string_view bytes) = 0;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    // Where set, the body is what it writes (chunked); it runs on the connection's thread after the headers went out, must
    // end when a write fails, and tells failures in the protocol's own way (an error event), since the status is out.
    std::function<void(ByteSink&)> stream;
};

using Handler = std::function<HttpResponse(const HttpRequest&)>;

}  // namespace serve
