// The four kinds of byte source. All of them answer the same range check, made once in ByteSource::read; messages begin
// with the source's name.
#include "src/gguf/byte_source.h"

#include <cstring>
#include <utility>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/base/mapped_file.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

// Paths are longer than the names inside files, and a cut path is of no use.
constexpr size_t kMaxNameBytes = 1024;

// An empty source cannot be mapped and holds no file of any kind, so it is refused before anything looks inside.
void refuse_empty(uint64_t size, const std::string& name) {
    if (size != 0) return;
    throw Error(BITNET_E_GGUF_TRUNCATED, name + ": there are no bytes to read; the file is empty, download it again")
        .with_numbers(1, 0)
        .with_subject(name);
}

class MappedSource final : public ByteSource {
public:
    MappedSource(const ReadableFile& file, uint64_t offset, uint64_t length) : range_(file, offset, length) {
        size_ = length;
        name_ = file.name();
    }
    const uint8_t* mapped() const noexcept override { return range_.data(); }
    void give_back(uint64_t offset, uint64_t n) const noexcept override {
        range_.give_back(static_cast<size_t>(offset), static_cast<size_t>(n));
    }

protected:
    void do_read(uint64_t offset, void* dst, uint64_t n) const override {
        std::memcpy(dst, range_.data() + offset, static_cast<size_t>(n));
    }

private:
    MappedRange range_;
};

class FileSource final : public ByteSource {
public:
    FileSource(ReadableFile file, uint64_t offset, uint64_t length) : file_(std::move(file)), offset_(offset) {
        size_ = length;
        name_ = file_.name();
    }

protected:
    void do_read(uint64_t offset, void* dst, uint64_t n) const override { file_.read(offset_ + offset, dst, n); }

private:
    ReadableFile file_;
    uint64_t offset_;
};

class MemorySource final : public ByteSource {
public:
    MemorySource(const uint8_t* data, size_t size) : data_(data) {
        size_ = size;
        name_ = "memory";
    }
    const uint8_t* mapped() const noexcept override { return data_; }

protected:
    void do_read(uint64_t offset, void* dst, uint64_t n) const override {
        std::memcpy(dst, data_ + offset, static_cast<size_t>(n));
    }

private:
    const uint8_t* data_;
};

class ReaderSource final : public ByteSource {
public:
    explicit ReaderSource(const bitnet_reader& reader) : reader_(reader) {
        size_ = reader.size;
        name_ = "reader";
    }
    bool lasts() const noexcept override { return false; }

protected:
    void do_read(uint64_t offset, void* dst, uint64_t n) const override {
        const int32_t result = reader_.read(reader_.user_data, offset, dst, n);
        if (result == 0) return;
        throw Error(BITNET_E_IO, name_ + ": the read callback returned " + std::to_string(result) + " for " +
                                     std::to_string(n) + " bytes at " + std::to_string(offset))
            .with_offset(offset)
            .with_subject(name_);
    }

private:
    bitnet_reader reader_;
};

std::unique_ptr<ByteSource> source_of(ReadableFile file, uint64_t offset, uint64_t length, bool use_mmap) {
    if (use_mmap) return std::make_unique<MappedSource>(file, offset, length);
    return std::make_unique<FileSource>(std::move(file), offset, length);
}

}  // namespace

void ByteSource::read(uint64_t offset, void* dst, uint64_t n) const {
    if (n == 0) return;
    if (offset > size_ || n > size_ - offset) {
        throw Error(BITNET_E_GGUF_TRUNCATED, name_ + ": " + std::to_string(n) + " bytes at " + std::to_string(offset) +
                                                 " are wanted, but the file ends at " + std::to_string(size_) +
                                                 "; download it again")
            .with_numbers(saturated_add(offset, n), size_)
            .with_offset(offset)
            .with_subject(name_);
    }
    do_read(offset, dst, n);
}

std::unique_ptr<ByteSource> open_file_source(const std::string& path, bool use_mmap) {
    ReadableFile file = ReadableFile::open(path, for_message(path, kMaxNameBytes));
    const uint64_t size = file.size();
    refuse_empty(size, file.name());
    return source_of(std::move(file), 0, size, use_mmap);
}

std::unique_ptr<ByteSource> open_memory_source(const void* data, size_t size) {
    if (data == nullptr)
        throw Error(BITNET_E_ARGUMENT, "memory: the address is NULL; give the address of the file's first byte");
    refuse_empty(size, "memory");
    return std::make_unique<MemorySource>(static_cast<const uint8_t*>(data), size);
}

std::unique_ptr<ByteSource> open_fd_source(int fd, uint64_t offset, uint64_t length, bool use_mmap) {
    ReadableFile file = ReadableFile::duplicate(fd, "descriptor " + std::to_string(fd));
    const uint64_t size = file.size();
    if (offset > size || length > size - offset) {
        throw Error(BITNET_E_GGUF_TRUNCATED, file.name() + ": the range of " + std::to_string(length) + " bytes at " +
                                                 std::to_string(offset) + " ends outside the file of " +
                                                 std::to_string(size) + " bytes; check offset and length")
            .with_numbers(saturated_add(offset, length), size)
            .with_offset(offset)
            .with_subject(file.name());
    }
    if (length == 0) length = size - offset;
    refuse_empty(length, file.name());
    return source_of(std::move(file), offset, length, use_mmap);
}

std::unique_ptr<ByteSource> open_reader_source(const bitnet_reader& reader) {
    if (reader.read == nullptr)
        throw Error(BITNET_E_ARGUMENT, "reader: the read callback is NULL; set bitnet_reader.read");
    refuse_empty(reader.size, "reader");
    return std::make_unique<ReaderSource>(reader);
}

}  // namespace bitnet
