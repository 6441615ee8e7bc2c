// Reading a JSON schema: which keywords are known, what $ref names, and two schemas that must both hold as one.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace bitnet {

using Schema = nlohmann::ordered_json;  // keeps the order of properties

// Throws the error about a schema at a JSON pointer.
[[noreturn]] void schema_error(const std::string& pointer, const std::string& what,
                               bitnet_status status = BITNET_E_CONFIG);
// Throws for a keyword that is not known and is more than a description, and for a known one of the wrong type.
void check_keywords(const Schema& schema, const std::string& pointer);
// True for a schema that says nothing: {} but for descriptions.
bool says_nothing(const Schema& schema);
// The pointer of a part of what is at `pointer`.
std::string pointer_part(const std::string& pointer, const std::string& key);

// What "#/..." names in the schema. Throws for other references and for names that are not there.
const Schema& find_reference(const Schema& root, const std::string& reference, const std::string& pointer);

class SchemaMerger {
public:
    explicit SchemaMerger(const Schema& root) : root_(root) {}

    // What holds where both hold; pointer is for messages. Throws BITNET_E_CONFIG for what cannot be written as one.
    Schema merge(const Schema& a, const Schema& b, const std::string& pointer, int depth = 0);

private:
    Schema resolved(const Schema& schema, const std::string& pointer, int depth);
    void merge_properties(Schema& out, const Schema& a, const Schema& b, const std::string& pointer, int depth);

    const Schema& root_;
    size_t n_merges_ = 0;
};

}  // namespace bitnet
