// Redirects and the token.
#include "redirect_rules.h"

#include "hub.h"

namespace hub {

Url follow_redirect(const Url& from, std::string_view location, int n_before) {
    if (n_before >= kMostRedirects)
        throw Error(ErrorKind::kProtocol, from.origin() + ": more than " + std::to_string(kMostRedirects) +
                                              " redirects, last to " + in_quotes(location));
    Url next = resolve_location(from, location);
    if (from.is_tls() && !next.is_tls())
        throw Error(ErrorKind::kProtocol, from.origin() + ": redirects from https to " + next.origin() +
                                              ", which anyone on the way could change; it is not followed");
    return next;
}

bool may_have_token(const Url& url, const Url& endpoint) { return url.origin() == endpoint.origin(); }

void require_safe_token(const Url& endpoint, const std::string& token) {
    if (token.empty()) return;
    for (char c : token)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
            throw Error(ErrorKind::kUsage, "HF_TOKEN has spaces or control characters; give the token alone");
    if (!endpoint.is_tls() && !is_loopback(endpoint.host))
        throw Error(ErrorKind::kUsage,
                    endpoint.origin() +
                        ": HF_TOKEN would be sent there without encryption; use an https:// endpoint "
                        "or unset HF_TOKEN");
}

}  // namespace hub
