// JSON from strangers: bounded in size, depth and number of values, every key once, every field of its type. A violation is
// a ReceiptError (BITNET_RECEIPT_CHECK_FORMAT). Used in .cpp files only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "src/base/sha256.h"
#include "src/sampler/sampler.h"

namespace bitnet {

nlohmann::json parse_receipt_json(std::string_view text);

// The form that is hashed: keys sorted, no spaces.
std::string canonical_text(const nlohmann::json& value);

// Members that must be there. path is what messages call the object: "", "model.".
const nlohmann::json& receipt_object(const nlohmann::json& object, const char* key);
std::string receipt_string(const nlohmann::json& object, const char* key, const char* path = "");
uint64_t receipt_uint(const nlohmann::json& object, const char* key, const char* path = "");
// A finite number.
double receipt_number(const nlohmann::json& object, const char* key, const char* path = "");
const nlohmann::json& receipt_array(const nlohmann::json& object, const char* key, const char* path = "");
std::vector<bitnet_token> receipt_tokens(const nlohmann::json& object, const char* key);

nlohmann::ordered_json sampler_to_json(const SamplerConfig& config);
// The seed is not part of it.
SamplerConfig sampler_from_json(const nlohmann::json& object);

}  // namespace bitnet
