// The weights of a model folder as one table: model.safetensors, or the files that model.safetensors.index.json names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/safetensors/safetensors_file.h"

namespace bitnet {

class SafetensorsModel {
public:
    // folder is UTF-8. Files are read, not mapped, so that a model larger than memory leaves no trace in it.
    // Throws BITNET_E_FILE_NOT_FOUND; BITNET_E_GGUF_METADATA for an index that names a file outside of the folder, itself or
    // no safetensors file; BITNET_E_GGUF_MISSING_TENSOR for a tensor that is not where the index places it; and as
    // SafetensorsFile::read.
    static SafetensorsModel open(const std::string& folder);

    struct Entry {
        const SafetensorsFile* file = nullptr;
        const SafetensorsTensor* tensor = nullptr;
    };
    // Sorted by name.
    const std::vector<Entry>& entries() const noexcept { return entries_; }
    const Entry* find(std::string_view name) const;  // nullptr: there is none
    // Paths of everything that was read.
    const std::vector<std::string>& files() const noexcept { return paths_; }

private:
    void read(const std::string& path);
    void sort_entries();

    std::vector<std::string> paths_;
    std::vector<std::unique_ptr<SafetensorsFile>> files_;
    std::vector<Entry> entries_;
};

// Of the folder's file with this name; the separator is the one that every system takes.
std::string in_folder(const std::string& folder, std::string_view file);
// A regular file, or a link to one, is there.
bool file_exists(const std::string& path);

}  // namespace bitnet
