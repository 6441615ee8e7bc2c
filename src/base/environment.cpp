#include "src/base/environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int32_t kMaxThreads = 1024;
constexpr int32_t kMaxBatch = 1 << 24;

[[noreturn]] void refuse(const char* name, const std::string& value, const std::string& expected) {
    // A hostile value must not make the message long or break its one line.
    std::string shown;
    for (const char c : value.substr(0, 40)) shown += c >= ' ' && c <= '~' ? c : '?';
    throw Error(BITNET_E_CONFIG, std::string(name) + " is '" + shown + (value.size() > 40 ? "..." : "") + "'; it must be " +
                                     expected + ". Correct it or unset it")
        .with_subject(name);
}

// All of text as a decimal number; a sign, a space or a rest is none.
template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

int32_t count(const char* name, const std::string& text, int32_t low, int32_t high) {
    if (text.empty()) return 0;
    const std::optional<int32_t> n = whole_number<int32_t>(text);
    if (!n || *n < low || *n > high) {
        refuse(name, text, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return *n;
}

bool flag(const char* name, const std::string& text) {
    if (!text.empty() && text != "0" && text != "1") refuse(name, text, "0 or 1");
    return text == "1";
}

bool same_letters(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
        if (c != lower[i]) return false;
    }
    return true;
}

// Units are powers of 1024, as memory is counted everywhere else.
constexpr struct {
    const char* name;
    int shift;
} kUnits[] = {{"", 0}, {"b", 0}, {"k", 10}, {"kb", 10}, {"kib", 10}, {"m", 20}, {"mb", 20}, {"mib", 20},
              {"g", 30}, {"gb", 30}, {"gib", 30}, {"t", 40}, {"tb", 40}, {"tib", 40}};

std::optional<uint64_t> byte_size(std::string_view text) {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::optional<uint64_t> n = whole_number<uint64_t>(text.substr(0, digits));
    if (!n || *n == 0) return std::nullopt;
    for (const auto& unit : kUnits) {
        if (!same_letters(text.substr(digits), unit.name)) continue;
        return *n <= (UINT64_MAX >> unit.shift) ? std::optional<uint64_t>(*n << unit.shift) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Environment::Environment(const Lookup& lookup) {
    const auto value = [&lookup](const char* name) {
        const char* text = lookup(name);
        return std::string(text != nullptr ? text : "");
    };
    kernel_ = value("BITNET_KERNEL");
    n_threads_ = value("BITNET_NUM_THREADS");
    rayon_threads_ = value("RAYON_NUM_THREADS");
    batch_size_ = value("BITNET_BATCH_SIZE");
    memory_limit_ = value("BITNET_MEMORY_LIMIT");
    deterministic_ = value("BITNET_DETERMINISTIC");
    seed_ = value("BITNET_SEED");
    strict_tokenizers_ = value("BITNET_STRICT_TOKENIZERS");
    offline_ = value("BITNET_OFFLINE");
    const std::string home = value("HOME");
    std::string base = value("XDG_CACHE_HOME");
    if (base.empty() && !home.empty()) base = home + "/.cache";
    const auto in_base = [&base](const char* folder) { return base.empty() ? base : base + folder; };
    const std::string own = value("BITNET_CACHE");
    const std::string hub = value("HF_HUB_CACHE");
    const std::string hub_home = value("HF_HOME");
    const std::string dirs[] = {!own.empty() ? own : in_base("/bitnet"),
                                !hub.empty()        ? hub
                                : !hub_home.empty() ? hub_home + "/hub"
                                                    : in_base("/huggingface/hub")};
    for (const std::string& dir : dirs) {
        if (!dir.empty()) cache_dirs_.push_back(dir);
    }
}

int32_t Environment::n_threads() const {
    if (!n_threads_.empty()) return count("BITNET_NUM_THREADS", n_threads_, 1, kMaxThreads);
    return count("RAYON_NUM_THREADS", rayon_threads_, 0, kMaxThreads);  // 0 means "automatic" to Rayon, as it does here
}

int32_t Environment::batch_size() const { return count("BITNET_BATCH_SIZE", batch_size_, 1, kMaxBatch); }

uint64_t Environment::memory_limit() const {
    if (memory_limit_.empty() || same_letters(memory_limit_, "none")) return 0;
    const std::optional<uint64_t> bytes = byte_size(memory_limit_);
    if (!bytes) refuse("BITNET_MEMORY_LIMIT", memory_limit_, "a size such as 512MB or 2GB, or none");
    return *bytes;
}

bool Environment::deterministic() const { return flag("BITNET_DETERMINISTIC", deterministic_); }

std::optional<uint64_t> Environment::seed() const {
    if (seed_.empty()) return std::nullopt;
    const std::optional<uint64_t> seed = whole_number<uint64_t>(seed_);
    if (!seed) refuse("BITNET_SEED", seed_, "a whole number from 0 to 18446744073709551615");
    return seed;
}

bool Environment::strict_tokenizers() const { return flag("BITNET_STRICT_TOKENIZERS", strict_tokenizers_); }

bool Environment::offline() const { return flag("BITNET_OFFLINE", offline_); }

const Environment& environment() {
    static const Environment instance([](const char* name) { return std::getenv(name); });
    return instance;
}

}  // namespace bitnet
