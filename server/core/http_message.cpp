// Header names compare without case (RFC 9110, 5.1).
#include "server/core/http_message.h"

#include <algorithm>

namespace serve {

namespace {

char lower_letter(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool CaseLess::operator()(std::string_view a, std::string_view b) const noexcept {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return lower_letter(x) < lower_letter(y); });
}

std::string_view HttpRequest::header(std::string_view name) const {
    const auto found = headers.find(std::string(name));
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace serve
