// Labels of metrics: each from a set that is small and known beforehand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace serve {

// As the specification spells it: "i2s" for "i2_s"; other types of the library as they are; "other" for what is none.
std::string quantization_label(const std::string& quantization);
// "cpu", "cuda:0".
std::string device_label(const std::string& device);
// A method of HTTP, or "other".
std::string method_label(const std::string& method);
// Parameters in whole billions, "2b"; "under_1b" and "over_100b" beyond them.
std::string size_label(uint64_t n_parameters);

}  // namespace serve
