#include "src/gguf/tl_tiling.h"

#include <charconv>
#include <optional>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using kern::TlTiling;

// bitnet.cpp's preset_kernels and what its setup_env.py generates without them. TL2 needs bm 32, whatever a preset says.
struct PresetRow {
    int64_t n_rows, k;
    TlTiling tl1_preset, tl1_setup_env, tl2;
};
constexpr PresetRow kPresets[] = {
    {1536, 4096, {256, 128, 32}, {256, 128, 32}, {256, 96, 32}},  // bitnet_b1_58-large
    {1536, 1536, {128, 64, 64}, {128, 64, 64}, {128, 192, 32}},
    {4096, 1536, {256, 128, 32}, {256, 128, 32}, {256, 96, 32}},
    {3200, 8640, {160, 64, 32}, {160, 64, 32}, {160, 96, 32}},  // bitnet_b1_58-3B
    {3200, 3200, {320, 128, 64}, {320, 128, 64}, {320, 96, 32}},
    {8640, 3200, {320, 64, 32}, {320, 64, 32}, {320, 96, 32}},
    {14336, 4096, {256, 128, 64}, {256, 128, 32}, {256, 96, 32}},  // Llama3-8B-1.58
    {4096, 14336, {256, 128, 32}, {128, 64, 64}, {128, 96, 32}},
    {1024, 4096, {128, 64, 64}, {256, 128, 32}, {256, 96, 32}},
    {4096, 4096, {128, 64, 32}, {128, 64, 64}, {128, 96, 32}},
};

constexpr size_t kMostEntries = 256;

bool same(const TlTiling& a, const TlTiling& b) { return a.bm_rows == b.bm_rows && a.bk == b.bk && a.bm == b.bm; }

std::string text_of(const TlTiling& t) {
    return std::to_string(t.bm_rows) + "," + std::to_string(t.bk) + "," + std::to_string(t.bm);
}

[[noreturn]] void bad_text(std::string_view entry) {
    throw Error(BITNET_E_CONFIG, "tl_tiling has '" + for_message(entry) +
                                     "'; it must be BM,BK,bm or MxK:BM,BK,bm (several with ; between them), preset or "
                                     "setup_env")
        .with_subject("tl_tiling");
}

// A number of 1..2^24 followed by `end`, or by nothing where that is 0; taken off the text.
std::optional<int64_t> take_number(std::string_view& text, char end) {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const size_t n = static_cast<size_t>(stop - text.data());
    if (error != std::errc() || value < 1 || value > (int64_t{1} << 24)) return std::nullopt;
    if (end == 0 ? n != text.size() : n >= text.size() || text[n] != end) return std::nullopt;
    text.remove_prefix(n + (end == 0 ? 0 : 1));
    return value;
}

}  // namespace

TlTilings::TlTilings(std::string_view text) {
    while (!text.empty()) {
        const size_t end = text.find(';');
        const std::string_view entry = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (entry == "preset" || entry == "setup_env") {
            choice_ = entry == "preset" ? Choice::preset : Choice::setup_env;
            continue;
        }
        Given given = {};
        std::string_view rest = entry;
        if (entry.find(':') != std::string_view::npos) {
            const auto n_rows = take_number(rest, 'x'), k = take_number(rest, ':');
            if (!n_rows || !k) bad_text(entry);
            given.n_rows = *n_rows;
            given.k = *k;
        }
        const auto bm_rows = take_number(rest, ','), bk = take_number(rest, ','), bm = take_number(rest, 0);
        if (!bm_rows || !bk || !bm || given_.size() == kMostEntries) bad_text(entry);
        given.tiling = {*bm_rows, *bk, *bm};
        given_.push_back(given);
    }
}

std::string TlTilings::complete(kern::DialectShape* shape) const {
    const Given* any = nullptr;
    for (const Given& given : given_) {
        if (given.n_rows == 0) any = &given;
        if (given.n_rows != shape->n_rows || given.k != shape->k) continue;
        shape->tiling = given.tiling;
        return "";
    }
    if (any != nullptr) {
        shape->tiling = any->tiling;
        return "";
    }
    const std::string what = "is " + std::string(kern::quant_type_info(shape->type).name) + " of " +
                             std::to_string(shape->n_rows) + " rows of " + std::to_string(shape->k) +
                             " weights; its byte order depends on tile sizes that the file does not record, ";
    const std::string example = std::to_string(shape->n_rows) + "x" + std::to_string(shape->k) + ":";
    for (const PresetRow& row : kPresets) {
        if (row.n_rows != shape->n_rows || row.k != shape->k) continue;
        const bool tl2 = shape->type == kern::QuantType::tl2;
        if (!tl2 && choice_ == Choice::none && !same(row.tl1_preset, row.tl1_setup_env)) {
            return what + "and bitnet.cpp has two for this shape: tl_tiling \"preset\" (" + text_of(row.tl1_preset) +
                   ") or \"setup_env\" (" + text_of(row.tl1_setup_env) + "); give the one it was converted with";
        }
        shape->tiling = tl2 ? row.tl2 : choice_ == Choice::setup_env ? row.tl1_setup_env : row.tl1_preset;
        return "";
    }
    return what +
           "and bitnet.cpp has no preset for this shape; give those of the conversion (its kernel_config.ini) in "
           "tl_tiling, as \"" +
           example + "BM,BK,bm\"";
}

}  // namespace bitnet
