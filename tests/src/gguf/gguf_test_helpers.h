// What the GGUF tests share: parsing from memory, and catching the Error a call must end in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/error.h"
#include "src/gguf/gguf_reader.h"

namespace test {

inline std::shared_ptr<const bitnet::GgufFile> parse(const std::vector<uint8_t>& bytes,
                                                     const bitnet::GgufReadOptions& options = {}) {
    return bitnet::GgufFile::read(bitnet::open_memory_source(bytes.data(), bytes.size()), options);
}

// The Error that the call throws; a failed check and BITNET_OK when it returns normally.
template <typename Call>
bitnet::Error error_of(Call&& call) {
    try {
        call();
    } catch (const bitnet::Error& error) {
        CHECK_MESSAGE(error.message().find('\n') == std::string::npos, "one line: ", error.message());
        return error;
    }
    FAIL_CHECK("no error was thrown");
    return bitnet::Error(BITNET_OK, "");
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Everything a program can ask of a parsed file; the point is that sanitizers watch.
inline size_t touch_everything(const bitnet::GgufFile& file) {
    size_t sum = 0;
    for (size_t i = 0; i < file.n_keys(); ++i) {
        const bitnet::GgufValue& value = file.value_at(i);
        CHECK(file.find(file.key_at(i)) == &value);
        sum += value.to_text(64).size() + value.description().size();
        for (size_t k = 0; k < value.size(); k += 1 + value.size() / 16) {
            if (const auto text = value.as_string(k)) sum += text->size();
            sum += value.as_uint(k).has_value() + value.as_int(k).has_value() + value.as_float(k).has_value();
        }
    }
    for (const bitnet::GgufTensor& tensor : file.tensors()) {
        CHECK(file.find_tensor(tensor.name) == &tensor);
        std::vector<uint8_t> end(1);
        file.read_data(tensor, tensor.n_bytes - 1, end.data(), 1);
        sum += end[0];
    }
    return sum;
}

}  // namespace test
