// A GGUF file taken apart into keys and tensors, changed, and put together again. Written for tests without a line of
// the library's own reader or writer: what it makes may be as wrong as a test wants.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/gguf_bytes.h"
#include "tests/support/temp_dir.h"

namespace test {

struct EditKey {
    std::string name;
    std::vector<uint8_t> value;  // type id and value, as in the file
};

struct EditTensor {
    std::string name;
    std::vector<uint64_t> ne;
    uint32_t type;
    std::vector<uint8_t> data;  // up to the next tensor: padding may follow the last byte

    uint64_t n_elements() const {
        uint64_t n = 1;
        for (const uint64_t d : ne) n *= d;
        return n;
    }
};

class ModelEdit {
public:
    explicit ModelEdit(const std::vector<uint8_t>& file) : file_(file) {
        skip(4);
        version_ = number<uint32_t>();
        const uint64_t n_tensors = number<uint64_t>(), n_keys = number<uint64_t>();
        for (uint64_t i = 0; i < n_keys; ++i) {
            EditKey key{string(), {}};
            const size_t begin = at_;
            skip_value(number<uint32_t>());
            key.value.assign(file_.begin() + static_cast<std::ptrdiff_t>(begin),
                             file_.begin() + static_cast<std::ptrdiff_t>(at_));
            if (key.name == "general.alignment") std::memcpy(&alignment_, key.value.data() + 4, 4);
            keys.push_back(std::move(key));
        }
        std::vector<std::pair<uint64_t, size_t>> offsets;
        for (uint64_t i = 0; i < n_tensors; ++i) {
            EditTensor tensor{string(), {}, 0, {}};
            const uint32_t n_dims = number<uint32_t>();
            for (uint32_t d = 0; d < n_dims; ++d) tensor.ne.push_back(number<uint64_t>());
            tensor.type = number<uint32_t>();
            offsets.emplace_back(number<uint64_t>(), tensors.size());
            tensors.push_back(std::move(tensor));
        }
        const size_t start = (at_ + alignment_ - 1) / alignment_ * alignment_;
        std::sort(offsets.begin(), offsets.end());
        for (size_t i = 0; i < offsets.size(); ++i) {
            const size_t begin = start + offsets[i].first;
            const size_t end = i + 1 < offsets.size() ? start + offsets[i + 1].first : file_.size();
            tensors[offsets[i].second].data.assign(file_.begin() + static_cast<std::ptrdiff_t>(begin),
                                                   file_.begin() + static_cast<std::ptrdiff_t>(end));
        }
    }
    static ModelEdit open(const std::string& path) { return ModelEdit(read_file(path)); }

    std::vector<EditKey> keys;
    std::vector<EditTensor> tensors;

    EditTensor& tensor(const std::string& name) {
        for (EditTensor& t : tensors) {
            if (t.name == name) return t;
        }
        throw std::logic_error("no tensor " + name);
    }
    ModelEdit& remove_tensor(const std::string& name) {
        const EditTensor& found = tensor(name);
        tensors.erase(tensors.begin() + (&found - tensors.data()));
        return *this;
    }
    ModelEdit& remove_key(const std::string& name) {
        std::erase_if(keys, [&](const EditKey& key) { return key.name == name; });
        return *this;
    }
    // Replaces a key, or appends it. type: the file's type id of value.
    template <typename T>
    ModelEdit& set(const std::string& name, uint32_t type, T value) {
        return put(name, GgufBytes().u32(type).number(value));
    }
    ModelEdit& set_u32(const std::string& name, uint32_t value) { return set(name, 4, value); }
    ModelEdit& set_f32(const std::string& name, float value) { return set(name, 6, value); }
    ModelEdit& set_string(const std::string& name, const std::string& value) {
        return put(name, GgufBytes().u32(8).string(value));
    }
    ModelEdit& set_u32_array(const std::string& name, const std::vector<uint32_t>& values) {
        GgufBytes bytes;
        bytes.u32(9).u32(4).u64(values.size());
        for (const uint32_t value : values) bytes.u32(value);
        return put(name, bytes);
    }
    // Prefixes of keys follow the architecture's name.
    ModelEdit& rename_architecture(const std::string& from, const std::string& to) {
        for (EditKey& key : keys) {
            if (key.name.compare(0, from.size() + 1, from + ".") == 0) key.name = to + key.name.substr(from.size());
        }
        return set_string("general.architecture", to);
    }

    std::vector<uint8_t> bytes() const {
        GgufBytes out(version_);
        out.counts(tensors.size(), keys.size());
        for (const EditKey& key : keys) out.string(key.name).raw(view(key.value));
        uint64_t offset = 0;
        for (const EditTensor& t : tensors) {
            out.tensor(t.name, t.ne, t.type, offset);
            offset += (t.data.size() + alignment_ - 1) / alignment_ * alignment_;
        }
        out.pad(alignment_);
        for (const EditTensor& t : tensors) out.raw(view(t.data)).pad(alignment_);
        return out.bytes();
    }

private:
    static std::string_view view(const std::vector<uint8_t>& bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    // GgufBytes begins with magic and version, which a value has not.
    ModelEdit& put(const std::string& name, const GgufBytes& value) {
        const std::vector<uint8_t> bytes(value.bytes().begin() + 8, value.bytes().end());
        for (EditKey& key : keys) {
            if (key.name == name) {
                key.value = bytes;
                return *this;
            }
        }
        keys.push_back({name, bytes});
        return *this;
    }
    void skip(uint64_t n) {
        if (n > file_.size() - at_) throw std::logic_error("the file to edit is cut short");
        at_ += n;
    }
    template <typename T>
    T number() {
        skip(sizeof(T));
        T value;
        std::memcpy(&value, file_.data() + at_ - sizeof(T), sizeof(T));
        return value;
    }
    std::string string() {
        const uint64_t n = number<uint64_t>();
        skip(n);
        return std::string(reinterpret_cast<const char*>(file_.data()) + at_ - n, n);
    }
    void skip_value(uint32_t type) {
        static constexpr uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
        if (type == 8) {
            string();
        } else if (type == 9) {
            const uint32_t element = number<uint32_t>();
            const uint64_t n = number<uint64_t>();
            if (element != 8) return skip(n * kBytes[element]);
            for (uint64_t i = 0; i < n; ++i) string();
        } else {
            skip(kBytes[type]);
        }
    }

    std::vector<uint8_t> file_;
    size_t at_ = 0;
    uint32_t version_ = 3;
    uint32_t alignment_ = 32;
};

}  // namespace test
