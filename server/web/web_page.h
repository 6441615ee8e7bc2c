// The page at /: one HTML file inside the program, and the headers it is served with.
#pragma once

#include <string>
#include <string_view>

namespace serve {

// server/web/index.html as it was when the program was built.
std::string_view web_page();

// The Content-Security-Policy for a page whose only style and script are inline: everything is forbidden except these two,
// by their digests, and requests to the server the page came from.
std::string page_security_policy(std::string_view html);

// The entity tag of a text: the same text, the same tag.
std::string entity_tag(std::string_view text);

}  // namespace serve
