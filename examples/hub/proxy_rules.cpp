// Proxies from the environment.
#include "proxy_rules.h"

#include "hub.h"

namespace hub {
namespace {

bool is_excepted(const Url& url, std::string_view list) {
    while (!list.empty()) {
        const size_t comma = list.find_first_of(", ");
        std::string_view item = list.substr(0, comma);
        list = comma == list.npos ? "" : list.substr(comma + 1);
        if (item == "*") return true;
        if (item.starts_with("*.")) item.remove_prefix(1);
        if (item.starts_with(".")) item.remove_prefix(1);
        if (item.empty()) continue;
        const std::string name = url.host.find(':') == url.host.npos ? url.host : "[" + url.host + "]";
        for (const std::string& host : {url.host, name, name + ":" + std::to_string(url.port)}) {
            if (host == item) return true;
            if (host.size() > item.size() && host.ends_with(item) && host[host.size() - item.size() - 1] == '.')
                return true;
        }
    }
    return false;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string percent_decode(std::string_view text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            result += text[i];
        }
    }
    return result;
}

}  // namespace

std::string base64(std::string_view bytes) {
    static const char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](size_t at) { return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0u; };
        const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        for (unsigned digit = 0; digit < 4; ++digit)
            result += i + digit > bytes.size() ? '=' : kLetters[group >> (18 - 6 * digit) & 63];
    }
    return result;
}

std::optional<Proxy> find_proxy(const Url& url, const std::function<std::string(const char*)>& variable) {
    const auto first_of = [&](std::initializer_list<const char*> names) {
        for (const char* name : names)
            if (std::string value = variable(name); !value.empty()) return value;
        return std::string();
    };
    std::string text = url.is_tls() ? first_of({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                                    : first_of({"http_proxy", "all_proxy", "ALL_PROXY"});
    if (text.empty() || is_excepted(url, first_of({"no_proxy", "NO_PROXY"}))) return std::nullopt;
    if (text.find("://") == text.npos) text.insert(0, "http://");
    Proxy proxy;
    const size_t begin = text.find("://") + 3;
    const size_t end = text.find_first_of("/?#", begin);
    const size_t at = text.substr(0, end).rfind('@');
    if (at != text.npos && at >= begin) {
        // The password must not reach a message, so it goes before anything can fail.
        proxy.authorization = "Basic " + base64(percent_decode(text.substr(begin, at - begin)));
        text.erase(begin, at + 1 - begin);
    }
    if (!text.starts_with("http://"))
        throw Error(ErrorKind::kUsage,
                    "proxy " + in_quotes(text) + " of the environment: only http:// proxies can be used");
    try {
        const Url where = parse_url(text, "the proxy of the environment");
        proxy.host = where.host;
        proxy.port = where.port;
    } catch (const Error& error) {
        throw Error(ErrorKind::kUsage, error.what());
    }
    return proxy;
}

}  // namespace hub
