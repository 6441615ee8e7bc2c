// Looking inside: GGUF files as they stand, and what the nodes of a run compute.
#include <charconv>
#include <map>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/gguf/gguf_reader.h"
#include "src/gguf/tensor_rows.h"

using namespace bitnet;

struct bitnet_file {
    std::shared_ptr<const GgufFile> file;
    std::map<std::string, std::string, std::less<>> problems;  // by tensor
    uint64_t n_bytes = 0;
};

namespace {

const bitnet_file& checked(const bitnet_file* file) {
    require(file != nullptr, "the file is NULL");
    return *file;
}

const GgufTensor& tensor_at(const GgufFile& file, size_t index) {
    const std::vector<GgufTensor>& tensors = file.tensors();
    if (index >= tensors.size()) {
        throw Error(BITNET_E_NOT_FOUND, "the file has " + std::to_string(tensors.size()) +
                                            " tensors, none with index " + std::to_string(index));
    }
    return tensors[index];
}

const char* problem_of(const bitnet_file& file, const GgufTensor& tensor) {
    const auto found = file.problems.find(tensor.name);
    return found != file.problems.end() ? found->second.c_str() : "";
}

// 3 for "blk.3.attn_q".
int32_t layer_of(std::string_view name) {
    constexpr std::string_view kBlock = "blk.";
    int32_t layer = -1;
    if (name.starts_with(kBlock)) std::from_chars(name.data() + kBlock.size(), name.data() + name.size(), layer);
    return layer;
}

void show_value(const tg::TracedValue& traced, void* user_data) {
    const NodeCallback& callback = *static_cast<const NodeCallback*>(user_data);
    bitnet_node_value value{};
    value.struct_size = sizeof value;
    value.index = static_cast<int32_t>(traced.node);
    value.name = traced.row.name;
    value.op = traced.row.op;
    value.kernel = traced.row.kernel;
    value.layer = layer_of(traced.row.name);
    value.n_rows = traced.row.rows;
    value.width = traced.width;
    value.values = traced.values;
    callback.function(&value, callback.user_data);
}

}  // namespace

extern "C" {

bitnet_status bitnet_file_open(const char* path, bitnet_file** out_file) {
    if (out_file != nullptr) *out_file = nullptr;
    return api_call(__func__, about(path), [&] {
        require(path != nullptr && out_file != nullptr, "bitnet_file_open: a pointer is NULL");
        auto opened = std::make_unique<bitnet_file>();
        GgufReadOptions options;
        options.on_bad_tensor = [&](const std::string& tensor, const Error& error) {
            opened->problems.emplace(tensor, error.message());
        };
        opened->file = GgufFile::open(path, true, options);
        for (size_t part = 0; part < opened->file->n_parts(); ++part)
            opened->n_bytes += opened->file->source(part).size();
        *out_file = opened.release();
    });
}

void bitnet_file_free(bitnet_file* file) { delete file; }

bitnet_status bitnet_file_get_info(const bitnet_file* file, bitnet_file_info* out_info) {
    return api_call(__func__, [&] {
        const GgufFile& gguf = *checked(file).file;
        bitnet_file_info info{};
        info.version = gguf.version();
        info.alignment = gguf.alignment();
        info.n_keys = gguf.n_keys();
        info.n_tensors = gguf.tensors().size();
        info.n_bytes = file->n_bytes;
        info.n_parts = static_cast<int32_t>(gguf.n_parts());
        write_info(out_info, info);
    });
}

bitnet_status bitnet_file_get_metadata_key(const bitnet_file* file, size_t index, char* buffer, size_t capacity,
                                           size_t* out_size) {
    return api_call(__func__, [&] {
        const GgufFile& gguf = *checked(file).file;
        if (index >= gguf.n_keys()) {
            throw Error(BITNET_E_NOT_FOUND, "the file has " + std::to_string(gguf.n_keys()) +
                                                " metadata keys, none with index " + std::to_string(index));
        }
        write_text(gguf.key_at(index), buffer, capacity, out_size);
    });
}

bitnet_status bitnet_file_get_metadata(const bitnet_file* file, const char* key, char* buffer, size_t capacity,
                                       size_t* out_size) {
    return api_call(__func__, [&] {
        const GgufFile& gguf = *checked(file).file;
        require(key != nullptr, "the key is NULL");
        const GgufValue* value = gguf.find(key);
        if (value == nullptr) {
            throw Error(BITNET_E_NOT_FOUND, "the file has no metadata key '" + std::string(key).substr(0, 200) + "'");
        }
        write_text(value->to_text(SIZE_MAX), buffer, capacity, out_size);
    });
}

bitnet_status bitnet_file_get_tensor(const bitnet_file* file, size_t index, bitnet_file_tensor* out_tensor) {
    return api_call(__func__, [&] {
        const GgufTensor& tensor = tensor_at(*checked(file).file, index);
        bitnet_file_tensor info{};
        info.problem = problem_of(*file, tensor);
        info.name = tensor.name.c_str();
        info.type = *info.problem == '\0' ? kern::quant_type_info(tensor.type).name : "";
        info.type_id = tensor.file_type_id;
        info.n_dims = static_cast<int32_t>(tensor.n_dims);
        info.part = static_cast<int32_t>(tensor.part);
        std::copy(std::begin(tensor.ne), std::end(tensor.ne), info.shape);
        info.file_offset = tensor.offset;
        info.n_bytes = *info.problem == '\0' ? tensor.n_bytes : 0;
        write_info(out_tensor, info);
    });
}

bitnet_status bitnet_file_read_tensor(const bitnet_file* file, size_t index, int64_t first_row, int64_t n_rows,
                                      float* out, size_t capacity, size_t* out_n) {
    return api_call(__func__, [&] {
        const GgufTensor& tensor = tensor_at(*checked(file).file, index);
        if (const char* problem = problem_of(*file, tensor); *problem != '\0') {
            throw Error(BITNET_E_GGUF_TENSOR_DATA, std::string("its values cannot be read: ") + problem);
        }
        if (first_row < 0 || n_rows < 0 || first_row > tensor.n_rows() || n_rows > tensor.n_rows() - first_row) {
            throw Error(BITNET_E_ARGUMENT, "rows " + std::to_string(first_row) + " and " + std::to_string(n_rows) +
                                               " from there are not in tensor '" + tensor.name + "', which has " +
                                               std::to_string(tensor.n_rows()));
        }
        // The reader has checked that all elements can be counted.
        const size_t n = static_cast<size_t>(n_rows * tensor.ne[0]);
        if (out_n != nullptr) *out_n = n;
        if (n > capacity) write_buffer<float>(nullptr, n, nullptr, capacity, out_n, "floats");
        require(out != nullptr || n == 0, "the buffer is NULL");
        read_tensor_rows(*file->file, tensor, first_row, n_rows, out);
    });
}

bitnet_status bitnet_context_set_node_callback(bitnet_context* context, bitnet_node_callback callback,
                                               void* user_data) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.set_on_value(callback != nullptr ? show_value : nullptr, &context->on_node);
        context->on_node = {callback, user_data};
    });
}

}  // extern "C"
