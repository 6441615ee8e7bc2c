// The page's bytes, copied in by the assembler (as examples/stories/default_model.c does for the model), and digests of it.
#include "server/web/web_page.h"

#include <array>

#include <openssl/evp.h>

#include "server/core/api_error.h"

// NOLINTBEGIN: names that the assembler sees
#if defined(__APPLE__)
#define READ_ONLY_SECTION ".const_data\n"
#define SYMBOL(name) "_" name
#else
#define READ_ONLY_SECTION ".section .rodata\n"
#define SYMBOL(name) name
#endif
__asm__(READ_ONLY_SECTION ".globl " SYMBOL("web_page_begin") "\n" SYMBOL("web_page_begin") ":\n"
                          ".incbin \"" BITNET_WEB_PAGE_FILE "\"\n"
                          ".globl " SYMBOL("web_page_end") "\n" SYMBOL("web_page_end") ":\n"
                          ".byte 0\n"
                          ".text\n");
// NOLINTEND
extern "C" const char web_page_begin[];
extern "C" const char web_page_end[];

namespace serve {

namespace {

std::string sha256_base64(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw ApiError(ErrorCode::kInternal, "OpenSSL has no SHA-256");
    std::string coded(4 * ((size + 2) / 3) + 1, '\0');
    coded.resize(static_cast<size_t>(
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(coded.data()), digest.data(), static_cast<int>(size))));
    return coded;
}

// What stands between the first <name> and </name>.
std::string_view inside(std::string_view html, const std::string& name) {
    const std::string open = "<" + name + ">", close = "</" + name + ">";
    const size_t begin = html.find(open);
    const size_t end = html.find(close, begin == html.npos ? 0 : begin);
    if (begin == html.npos || end == html.npos) return {};
    return html.substr(begin + open.size(), end - begin - open.size());
}

}  // namespace

std::string_view web_page() { return {web_page_begin, static_cast<size_t>(web_page_end - web_page_begin)}; }

std::string page_security_policy(std::string_view html) {
    return "default-src 'none'; script-src 'sha256-" + sha256_base64(inside(html, "script")) + "'; style-src 'sha256-" +
           sha256_base64(inside(html, "style")) +
           "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
           "require-trusted-types-for 'script'; trusted-types 'none'";
}

std::string entity_tag(std::string_view text) { return "\"" + sha256_base64(text) + "\""; }

}  // namespace serve
