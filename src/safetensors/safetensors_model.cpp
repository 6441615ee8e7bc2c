// One file or many. The index of many is a promise of somebody else: each name in it must be a file beside it, and each
// tensor must be in the file that it says.
#include "src/safetensors/safetensors_model.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/safetensors/strict_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr uint64_t kMaxIndexBytes = uint64_t{16} << 20;
constexpr size_t kMaxFiles = 512;  // each is an open descriptor

Error bad_index(const std::string& index, const std::string& what, const std::string& subject) {
    return Error(BITNET_E_GGUF_METADATA, index + ": " + what + "; download the file again").with_subject(subject);
}

// Beside the index and nowhere else: no folder, no drive, no way up, and no index that would lead to another.
bool is_plain_shard(std::string_view name) {
    constexpr std::string_view kSuffix = ".safetensors";
    if (name.size() <= kSuffix.size() || name.size() > 255 || !name.ends_with(kSuffix) || name[0] == '.') return false;
    return std::none_of(name.begin(), name.end(), [](char c) {
        return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

std::filesystem::path to_path(const std::string& utf8) {
    return std::filesystem::path(std::u8string(utf8.begin(), utf8.end()));
}

}  // namespace

std::string in_folder(const std::string& folder, std::string_view file) {
    const bool closed = !folder.empty() && (folder.back() == '/' || folder.back() == '\\');
    return folder + (closed ? "" : "/") + std::string(file);
}

bool file_exists(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(to_path(path), ignored);
}

SafetensorsModel SafetensorsModel::open(const std::string& folder) {
    SafetensorsModel model;
    const std::string single = in_folder(folder, kSingle), index = in_folder(folder, kIndex);
    if (file_exists(single)) {
        model.read(single);
        model.sort_entries();
        return model;
    }
    if (!file_exists(index)) {
        const bool torch = file_exists(in_folder(folder, "pytorch_model.bin")) ||
                           file_exists(in_folder(folder, "pytorch_model.bin.index.json"));
        const std::string shown = for_message(folder, 1024);
        throw Error(
            BITNET_E_FILE_NOT_FOUND,
            shown + ": neither " + kSingle + " nor " + kIndex + " is there; " +
                (torch ? "pytorch_model.bin is a program as well as data and is not read: save the model as safetensors"
                       : "download the weights, too"))
            .with_subject(shown);
    }
    const std::string shown = for_message(index, 1024);
    const json root = parse_strict_json(read_text_file(index, kMaxIndexBytes), shown, BITNET_E_GGUF_METADATA);
    const auto map = root.find("weight_map");
    if (map == root.end() || !map->is_object() || map->empty())
        throw bad_index(shown, "there is no weight_map with the files of the tensors", shown);
    model.paths_.push_back(index);
    std::map<std::string, size_t> files;
    for (const auto& [tensor, file] : map->items()) {
        const std::string subject = for_message(tensor);
        if (!file.is_string()) throw bad_index(shown, "the file of tensor '" + subject + "' is not a text", subject);
        const std::string& name = file.get_ref<const std::string&>();
        if (!is_plain_shard(name)) {
            throw bad_index(shown,
                            "tensor '" + subject + "' is said to be in '" + for_message(name) +
                                "', which is not the name of a .safetensors file beside the index",
                            subject);
        }
        ++files[name];
        if (files.size() > kMaxFiles) {
            throw Error(BITNET_E_SECURITY_INPUT,
                        shown + ": more than " + std::to_string(kMaxFiles) + " files; no model has that many")
                .with_numbers(kMaxFiles, files.size());
        }
    }
    for (const auto& [name, n_tensors] : files) {
        model.read(in_folder(folder, name));
        const SafetensorsFile& file = *model.files_.back();
        for (const SafetensorsTensor& tensor : file.tensors()) {
            const auto placed = map->find(tensor.name);
            if (placed != map->end() && *placed == name) continue;
            const std::string subject = for_message(tensor.name);
            throw bad_index(shown, "tensor '" + subject + "' in " + for_message(name) + " is not placed there",
                            subject);
        }
        if (file.tensors().size() == n_tensors) continue;
        for (const auto& [tensor, place] : map->items()) {
            if (place != name || file.find(tensor) != nullptr) continue;
            const std::string subject = for_message(tensor);
            throw Error(BITNET_E_GGUF_MISSING_TENSOR, shown + ": tensor '" + subject + "' is not in " +
                                                          for_message(name) +
                                                          ", where the index places it; download that file again")
                .with_subject(subject);
        }
    }
    model.sort_entries();
    return model;
}

void SafetensorsModel::read(const std::string& path) {
    auto file = std::make_unique<SafetensorsFile>(SafetensorsFile::read(open_file_source(path, false)));
    for (const SafetensorsTensor& tensor : file->tensors()) entries_.push_back({file.get(), &tensor});
    files_.push_back(std::move(file));
    paths_.push_back(path);
}

// Names are unique: within a file by its reader, across files because the index places each in one.
void SafetensorsModel::sort_entries() {
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.tensor->name < b.tensor->name; });
}

const SafetensorsModel::Entry* SafetensorsModel::find(std::string_view name) const {
    const auto found =
        std::lower_bound(entries_.begin(), entries_.end(), name,
                         [](const Entry& entry, std::string_view wanted) { return entry.tensor->name < wanted; });
    return found == entries_.end() || found->tensor->name != name ? nullptr : &*found;
}

}  // namespace bitnet
