// One model from every kind of source: file mapped or read, memory at any address, descriptor with an offset,
// callbacks, the ARM order of codes. The logits are the same bits, and a source that fails is reported, not believed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

const test::Tokens kTokens = {3, 1, 4, 1, 5};

std::vector<uint8_t> golden_bytes(const std::string& name) { return test::read_file(test::golden_model(name)); }

test::Logits expected_logits(const std::string& name) {
    return test::fresh_logits(test::load_model(test::golden_model(name)), kTokens);
}

bitnet_memory_info memory_of(const test::ModelHandle& model) {
    const test::ContextHandle context = test::make_context(model);
    bitnet_memory_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_context_get_memory(context.get(), &info));
    return info;
}

class Descriptor {
public:
    explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        REQUIRE(fd_ >= 0);
    }
    ~Descriptor() { ::close(fd_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

// A reader over bytes that can fail at its n-th call, or after the load was over.
struct Reader {
    const std::vector<uint8_t>& bytes;
    int fail_at = -1;
    int calls = 0;
    bool over = false;
    bool misused = false;

    static int32_t read(void* user_data, uint64_t offset, void* dst, uint64_t n) {
        Reader& r = *static_cast<Reader*>(user_data);
        if (r.over || offset > r.bytes.size() || n > r.bytes.size() - offset) r.misused = true;
        if (r.misused || r.calls++ == r.fail_at) return -5;
        std::memcpy(dst, r.bytes.data() + offset, n);
        return 0;
    }
    bitnet_reader handle() {
        bitnet_reader reader = {};
        reader.struct_size = sizeof reader;
        reader.size = bytes.size();
        reader.read = read;
        reader.user_data = this;
        return reader;
    }
};

constexpr const char* kNames[] = {"b158-i2s", "b158-tq1", "llama-f16", "llama-mix", "llama-q4", "llama-i2s"};

}  // namespace

TEST_CASE("a mapped file, a file that is read, and their memory as reported") {
    for (const char* name : kNames) {
        CAPTURE(std::string(name));
        const test::Logits expected = expected_logits(name);
        for (const int32_t use_mmap : {0, 1}) {
            CAPTURE(use_mmap);
            const test::ModelHandle model =
                test::load_model(test::golden_model(name), [&](bitnet_model_params& p) { p.use_mmap = use_mmap; });
            CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected));
            const bitnet_memory_info memory = memory_of(model);
            const uint64_t file_bytes = test::info_of(model).n_file_bytes;
            if (use_mmap == 0) CHECK(memory.weights_mapped_bytes == 0);
            if (use_mmap == 0) CHECK(memory.weights_owned_bytes > file_bytes / 2);
            // Never two copies of a matrix: what was read only to be packed is gone.
            CHECK(memory.weights_owned_bytes + memory.weights_mapped_bytes < file_bytes * 5 / 4);
            CHECK(memory.kv_bytes > 0);
            CHECK(memory.scratch_bytes > 0);
        }
    }
}

TEST_CASE("memory at any address, and bytes of a file that is gone") {
    for (const char* name : kNames) {
        CAPTURE(std::string(name));
        const test::Logits expected = expected_logits(name);
        const std::vector<uint8_t> bytes = golden_bytes(name);
        for (size_t shift = 0; shift < 8; ++shift) {
            CAPTURE(shift);
            std::vector<uint8_t> moved(bytes.size() + 64 + shift);
            uint8_t* data = moved.data();
            while (reinterpret_cast<uintptr_t>(data) % 64 != 0) ++data;
            data += shift;
            REQUIRE(data + bytes.size() <= moved.data() + moved.size());
            std::memcpy(data, bytes.data(), bytes.size());
            bitnet_model* model = nullptr;
            test::must(bitnet_model_load_from_memory(data, bytes.size(), nullptr, &model));
            const test::ModelHandle owner(model);
            CHECK(test::same_bits(test::fresh_logits(owner, kTokens), expected));
        }
    }
    test::TempDir folder;
    const std::string path = folder.write("gone.gguf", golden_bytes("b158-i2s"));
    const test::ModelHandle model = test::load_model(path);
    ::unlink(path.c_str());  // the mapping stays
    CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected_logits("b158-i2s")));
}

TEST_CASE("a model inside another file, by descriptor and offset") {
    for (const char* name : {"b158-i2s", "llama-f16"}) {
        const test::Logits expected = expected_logits(name);
        const std::vector<uint8_t> bytes = golden_bytes(name);
        for (const size_t offset : {0, 1, 3, 32, 4096, 5001}) {
            for (const size_t tail : {0, 777}) {
                for (const int32_t use_mmap : {0, 1}) {
                    CAPTURE(offset);
                    CAPTURE(tail);
                    CAPTURE(use_mmap);
                    std::vector<uint8_t> archive(offset, 0x47);
                    archive.insert(archive.end(), bytes.begin(), bytes.end());
                    archive.insert(archive.end(), tail, 0x99);
                    test::TempDir folder;
                    const bitnet_model_params params =
                        test::model_params([&](bitnet_model_params& p) { p.use_mmap = use_mmap; });
                    bitnet_model* model = nullptr;
                    {
                        const Descriptor fd(folder.write("archive", archive));
                        test::must(
                            bitnet_model_load_from_fd(fd.get(), offset, tail == 0 ? 0 : bytes.size(), &params, &model));
                        CHECK(::lseek(fd.get(), 0, SEEK_CUR) == 0);  // untouched, and still open
                    }
                    const test::ModelHandle owner(model);
                    CHECK(test::same_bits(test::fresh_logits(owner, kTokens), expected));
                }
            }
        }
    }
}

TEST_CASE("ranges outside a descriptor's file are refused") {
    test::TempDir folder;
    const std::vector<uint8_t> bytes = golden_bytes("llama-f16");
    const Descriptor fd(folder.write("model", bytes));
    bitnet_model* model = nullptr;
    for (const uint64_t offset :
         {static_cast<uint64_t>(bytes.size()), static_cast<uint64_t>(bytes.size()) + 1, UINT64_MAX, UINT64_MAX - 10}) {
        CHECK(bitnet_model_load_from_fd(fd.get(), offset, 0, nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
        CHECK(bitnet_model_load_from_fd(fd.get(), offset, 20, nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
        CHECK(bitnet_model_load_from_fd(fd.get(), 0, bytes.size() + 1, nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
        CHECK(bitnet_model_load_from_fd(fd.get(), 10, UINT64_MAX, nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
    }
    CHECK(bitnet_model_load_from_fd(fd.get(), 0, bytes.size() - 100, nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
    CHECK(model == nullptr);
    test::last_error();
}

TEST_CASE("a reader is asked during the load only, within its size, and one that fails at any call fails the load") {
    for (const char* name : {"b158-i2s", "llama-q8", "b158-tq1"}) {
        CAPTURE(std::string(name));
        const std::vector<uint8_t> bytes = golden_bytes(name);
        Reader good{bytes};
        bitnet_reader handle = good.handle();
        bitnet_model* model = nullptr;
        test::must(bitnet_model_load_from_reader(&handle, nullptr, &model));
        good.over = true;
        {
            const test::ModelHandle owner(model);
            CHECK(test::same_bits(test::fresh_logits(owner, kTokens), expected_logits(name)));
            CHECK(bitnet_model_get_metadata_count(owner.get()) > 10);
            CHECK(bitnet_tokenizer_get_n_vocab(bitnet_model_get_tokenizer(owner.get())) > 200);
        }
        CHECK(!good.misused);
        REQUIRE(good.calls > 3);
        for (int n = 0; n < good.calls; ++n) {
            CAPTURE(n);
            Reader bad{bytes, n};
            handle = bad.handle();
            CHECK(test::name_of(bitnet_model_load_from_reader(&handle, nullptr, &model)) == "BITNET_E_IO");
            CHECK(model == nullptr);
            CHECK(!bad.misused);
            CHECK(test::last_error().find("-5") != std::string::npos);
        }
    }
}

TEST_CASE("codes in the ARM order are understood when that is said, and give other results when it is not") {
    for (const char* name : {"b158-i2s", "llama-i2s", "b158-zero-layer"}) {
        CAPTURE(std::string(name));
        test::ModelEdit file = test::ModelEdit::open(test::golden_model(name));
        for (test::EditTensor& tensor : file.tensors) {
            if (tensor.type != 36) continue;
            // Weight i of 128 sits in byte i % 32, bits 6 - 2 (i / 32); of 64 in byte i % 16, bits 6 - 2 (i / 16).
            std::vector<uint8_t> arm(tensor.n_elements() / 4);
            for (uint64_t i = 0; i < tensor.n_elements(); ++i) {
                const uint64_t in = i % 128, out = i % 64;
                const int code = tensor.data[i / 128 * 32 + in % 32] >> (6 - 2 * (in / 32)) & 3;
                arm[i / 64 * 16 + out % 16] =
                    static_cast<uint8_t>(arm[i / 64 * 16 + out % 16] | code << (6 - 2 * (out / 16)));
            }
            std::copy(arm.begin(), arm.end(), tensor.data.begin());
        }
        const std::vector<uint8_t> bytes = file.bytes();
        const test::Logits expected = expected_logits(name);
        const auto arm_order = [](bitnet_model_params& p) { p.i2s_order = BITNET_I2S_ORDER_ARM; };
        CHECK(test::same_bits(test::fresh_logits(test::load_model(bytes, arm_order), kTokens), expected));
        CHECK(!test::same_bits(test::fresh_logits(test::load_model(bytes), kTokens), expected));
        test::TempDir folder;
        const std::string path = folder.write("arm.gguf", bytes);
        for (const int32_t use_mmap : {0, 1}) {
            const test::ModelHandle model = test::load_model(path, [&](bitnet_model_params& p) {
                p.i2s_order = BITNET_I2S_ORDER_ARM;
                p.use_mmap = use_mmap;
            });
            CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected));
        }
        CHECK(test::read_file(path) == bytes);  // repacking happens in memory of the library
    }
}

TEST_CASE("paths that lead nowhere, to folders or to nothing have their own statuses") {
    test::TempDir folder;
    bitnet_model* model = nullptr;
    CHECK(bitnet_model_load(folder.file("none.gguf").c_str(), nullptr, &model) == BITNET_E_FILE_NOT_FOUND);
    CHECK(test::last_error().find("none.gguf") != std::string::npos);
    CHECK(bitnet_model_load(folder.path().c_str(), nullptr, &model) == BITNET_E_IO);
    test::last_error();
    CHECK(bitnet_model_load(folder.write("empty.gguf", {}).c_str(), nullptr, &model) == BITNET_E_GGUF_TRUNCATED);
    CHECK(bitnet_model_load(
              folder.write("text.gguf", {'h', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd', '.', '.', '.'}).c_str(),
              nullptr, &model) == BITNET_E_GGUF_MAGIC);
    test::last_error();
    CHECK(model == nullptr);
}
