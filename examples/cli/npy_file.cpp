// The format: "\x93NUMPY", version, length of the header, a Python dictionary as text, then the values. The dictionary is only
// searched for the three entries it has; whatever else stands in it, the file's length must be what they say.
#include "npy_file.h"

#include <charconv>
#include <cstring>

#include "cli_common.h"

namespace cli {
namespace {

constexpr std::string_view kNpyMagic = "\x93NUMPY";

[[noreturn]] void fail(const std::string& path, const std::string& what) {
    throw Failure{kExitFailure, path + ": " + what + "; write it with numpy.save of a float32 array [rows, width]"};
}

std::string header_of(const char* type, const std::string& shape) {
    std::string dict = std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    dict.resize((kNpyMagic.size() + 4 + dict.size() + 1 + 63) / 64 * 64 - kNpyMagic.size() - 4 - 1, ' ');
    dict += '\n';
    std::string out(kNpyMagic);
    out += {'\1', '\0', static_cast<char>(dict.size() & 255), static_cast<char>(dict.size() >> 8)};
    return out + dict;
}

// The text behind 'name': in the dictionary.
std::string_view entry(std::string_view dict, std::string_view name) {
    const std::string quoted = "'" + std::string(name) + "':";
    const size_t at = dict.find(quoted);
    if (at == std::string_view::npos) return {};
    dict.remove_prefix(at + quoted.size());
    while (dict.starts_with(' ')) dict.remove_prefix(1);
    return dict;
}

std::vector<uint64_t> shape_of(std::string_view text) {
    std::vector<uint64_t> shape;
    const size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) return {};
    text = text.substr(1, end - 1);
    while (!text.empty() && shape.size() < 8) {
        if (text.front() == ' ' || text.front() == ',') {
            text.remove_prefix(1);
            continue;
        }
        uint64_t number = 0;
        const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
        if (result.ec != std::errc()) return {};
        text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
        shape.push_back(number);
    }
    return shape;
}

}  // namespace

NpyArray read_npy(const std::string& path, uint64_t most) {
    const std::string file = read_text(path);
    const std::string_view bytes = file;
    if (!bytes.starts_with(kNpyMagic) || bytes.size() < 12) fail(path, "this is no .npy file");
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
    const size_t version = byte(6);
    if (version != 1 && version != 2) fail(path, "version " + std::to_string(version) + " of .npy is not known");
    const size_t begin = version == 1 ? 10 : 12;
    const size_t length = byte(8) | byte(9) << 8 | (version == 2 ? byte(10) << 16 | byte(11) << 24 : 0);
    if (length > bytes.size() - begin) fail(path, "the file ends within its header");
    const std::string_view dict = bytes.substr(begin, length), data = bytes.substr(begin + length);
    std::string_view type = entry(dict, "descr");
    type = type.substr(0, 5);
    const size_t item = type == "'<f4'" || type == "'<i4'" ? 4 : type == "'<f8'" ? 8 : 0;
    if (item == 0) fail(path, "its numbers are no little-endian float32, float64 or int32");
    if (!entry(dict, "fortran_order").starts_with("False")) fail(path, "it is stored column by column");
    const std::vector<uint64_t> shape = shape_of(entry(dict, "shape"));
    if (shape.empty() || shape.size() > 2) fail(path, "it does not have one or two dimensions");
    const uint64_t n_rows = shape.size() == 2 ? shape[0] : 1, width = shape.back();
    if (width == 0 || n_rows == 0 || n_rows > most / width) fail(path, "it is empty, or larger than any trace");
    if (data.size() != n_rows * width * item) fail(path, "its length is not that of its shape");
    NpyArray out;
    out.n_rows = static_cast<int64_t>(n_rows);
    out.width = static_cast<int64_t>(width);
    const size_t n = static_cast<size_t>(n_rows * width);
    if (type == "'<i4'") {
        out.ids.resize(n);
        std::memcpy(out.ids.data(), data.data(), data.size());
        return out;
    }
    out.values.resize(n);
    if (item == 4) {
        std::memcpy(out.values.data(), data.data(), data.size());
        return out;
    }
    for (size_t i = 0; i < n; ++i) {
        double value;
        std::memcpy(&value, data.data() + i * sizeof value, sizeof value);
        out.values[i] = static_cast<float>(value);
    }
    return out;
}

std::string npy_of(const float* values, int64_t n_rows, int64_t width) {
    const size_t n_bytes = static_cast<size_t>(n_rows * width) * sizeof *values;
    std::string out = header_of("<f4", std::to_string(n_rows) + ", " + std::to_string(width));
    return out.append(reinterpret_cast<const char*>(values), n_bytes);
}

std::string npy_of(const std::vector<int32_t>& ids) {
    std::string out = header_of("<i4", std::to_string(ids.size()) + ",");
    return out.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
}

}  // namespace cli
