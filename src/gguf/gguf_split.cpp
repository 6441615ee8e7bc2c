// Finding and checking the parts of a split model. Every disagreement between the parts is an error with its own words:
// a wrong part beside the right ones would otherwise give a model that loads and talks nonsense.
#include "src/gguf/gguf_split.h"

#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

std::string part_suffix(uint64_t part, uint64_t count) {
    const auto five_digits = [](uint64_t n) {
        const std::string digits = std::to_string(n);
        return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
    };
    return "-" + five_digits(part + 1) + "-of-" + five_digits(count) + ".gguf";
}

std::optional<uint64_t> split_number(const GgufPart& part, const char* key) {
    const GgufValue* value = part.find(key);
    if (value == nullptr) return std::nullopt;
    const std::optional<uint64_t> number = value->is_array() ? std::nullopt : value->as_uint();
    if (!number) {
        throw Error(BITNET_E_GGUF_METADATA, part.source->name() + ": metadata key '" + key + "' is " +
                                                value->description() + "; it must be a count; split the model again")
            .with_subject(key);
    }
    return number;
}

[[noreturn]] void fail_part(const GgufPart& part, const char* key, const std::string& what, uint64_t expected,
                            uint64_t actual) {
    throw Error(BITNET_E_GGUF_METADATA, part.source->name() + ": " + what + "; download all parts of one model again")
        .with_numbers(expected, actual)
        .with_subject(key);
}

}  // namespace

SplitInfo split_info(const GgufPart& part) {
    SplitInfo info;
    const std::optional<uint64_t> count = split_number(part, gguf_key::kSplitCount);
    const std::optional<uint64_t> number = split_number(part, gguf_key::kSplitNumber);
    info.n_tensors = split_number(part, gguf_key::kSplitTensorCount);
    if (!count && !number) return info;
    if (!count || !number || *count == 0 || *number >= *count)
        fail_part(part, gguf_key::kSplitCount,
                  "this is part " + (number ? std::to_string(*number) : "?") + " (from 0) of " +
                      (count ? std::to_string(*count) : "?") + " parts, which is impossible",
                  count.value_or(0), number.value_or(0));
    info.count = *count;
    info.number = *number;
    return info;
}

std::optional<std::string> sibling_path(const std::string& path, uint64_t own_number, uint64_t count, uint64_t part) {
    const std::string suffix = part_suffix(own_number, count);
    if (path.size() <= suffix.size() || path.compare(path.size() - suffix.size(), suffix.size(), suffix) != 0)
        return std::nullopt;
    return path.substr(0, path.size() - suffix.size()) + part_suffix(part, count);
}

void read_sibling_parts(const std::string& path, bool use_mmap, const GgufReadOptions& options,
                        std::vector<std::unique_ptr<GgufPart>>& parts) {
    const GgufPart& first = *parts.front();
    const SplitInfo info = split_info(first);
    if (info.count > options.limits.max_parts) {
        throw Error(BITNET_E_SECURITY_INPUT, first.source->name() + ": the model is split into " + std::to_string(info.count) +
                                        " parts; the limit is " + std::to_string(options.limits.max_parts))
            .with_numbers(options.limits.max_parts, info.count)
            .with_subject(gguf_key::kSplitCount);
    }
    const std::optional<std::string> first_path = sibling_path(path, info.number, info.count, 0);
    if (!first_path)
        fail_part(first, gguf_key::kSplitCount,
                  "this is part " + std::to_string(info.number + 1) + " of " + std::to_string(info.count) +
                      " of a split model, and its name must end in " + part_suffix(info.number, info.count) +
                      " for the others to be found",
                  info.count, 1);
    if (info.number != 0)
        fail_part(first, gguf_key::kSplitNumber,
                  "this is part " + std::to_string(info.number + 1) + " of " + std::to_string(info.count) +
                      " of a split model; give the first part, " + for_message(*first_path, 1024),
                  0, info.number);

    GgufPartContext context;
    context.tensors_before = first.tensors.size();
    if (const GgufValue* value = first.find(gguf_key::kFileType)) context.file_type = value->as_uint();
    for (uint64_t i = 1; i < info.count; ++i) {
        const std::string name = *sibling_path(path, 0, info.count, i);
        std::shared_ptr<const ByteSource> source;
        try {
            source = open_file_source(name, use_mmap);
        } catch (const Error& error) {
            if (error.status() != BITNET_E_FILE_NOT_FOUND) throw;
            throw Error(BITNET_E_FILE_NOT_FOUND, for_message(name, 1024) + ": part " + std::to_string(i + 1) + " of " +
                                                     std::to_string(info.count) +
                                                     " of the model is missing; put all parts into one folder")
                .with_numbers(info.count, i)
                .with_subject(for_message(name, 1024));
        }
        context.part = static_cast<uint32_t>(i);
        std::unique_ptr<GgufPart> part = read_gguf_part(std::move(source), options, context);
        const SplitInfo own = split_info(*part);
        if (own.count != info.count)
            fail_part(*part, gguf_key::kSplitCount,
                      "this file belongs to a model of " + std::to_string(own.count) + " parts, not of " +
                          std::to_string(info.count),
                      info.count, own.count);
        if (own.number != i)
            fail_part(*part, gguf_key::kSplitNumber,
                      "this file is part " + std::to_string(own.number + 1) + ", though its name says " +
                          std::to_string(i + 1),
                      i, own.number);
        context.tensors_before += part->tensors.size();
        parts.push_back(std::move(part));
    }
    if (info.n_tensors && *info.n_tensors != context.tensors_before)
        fail_part(first, gguf_key::kSplitTensorCount,
                  "the parts hold " + std::to_string(context.tensors_before) + " tensors, not " +
                      std::to_string(*info.n_tensors) + " as the first one says",
                  *info.n_tensors, context.tensors_before);
}

}  // namespace bitnet
