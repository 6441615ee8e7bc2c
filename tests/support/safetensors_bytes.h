// Safetensors files made in memory, right ones and wrong ones: the header is whatever text a test wants it to be.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace test {

// u64 length, header, data.
inline std::vector<uint8_t> safetensors_bytes(const std::string& header, const std::vector<uint8_t>& data,
                                              uint64_t claimed_length = UINT64_MAX) {
    const uint64_t length = claimed_length == UINT64_MAX ? header.size() : claimed_length;
    std::vector<uint8_t> out(8);
    std::memcpy(out.data(), &length, 8);
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

// Collects tensors and writes them one after the other.
class SafetensorsBytes {
public:
    SafetensorsBytes& add(const std::string& name, const std::string& type, const std::vector<uint64_t>& shape,
                          const std::vector<uint8_t>& data) {
        std::string dims;
        for (const uint64_t n : shape) dims += (dims.empty() ? "" : ",") + std::to_string(n);
        header_ += (header_.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":")" + type + R"(","shape":[)" + dims +
                   R"(],"data_offsets":[)" + std::to_string(data_.size()) + "," +
                   std::to_string(data_.size() + data.size()) + "]}";
        data_.insert(data_.end(), data.begin(), data.end());
        return *this;
    }
    SafetensorsBytes& add_f32(const std::string& name, const std::vector<uint64_t>& shape,
                              const std::vector<float>& values) {
        std::vector<uint8_t> data(values.size() * sizeof(float));
        std::memcpy(data.data(), values.data(), data.size());
        return add(name, "F32", shape, data);
    }
    std::vector<uint8_t> bytes() const { return safetensors_bytes(header_.empty() ? "{}" : header_ + "}", data_); }

private:
    std::string header_;
    std::vector<uint8_t> data_;
};

}  // namespace test
