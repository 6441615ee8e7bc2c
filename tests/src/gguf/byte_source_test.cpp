// The four byte sources: what they give, and that hostile paths and ranges end in named errors without waiting.
#include "src/gguf/byte_source.h"

#include <cstring>
#include <numeric>

#include <doctest/doctest.h>

#include "src/base/checked_math.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/mapped_pages.h"
#include "tests/support/temp_dir.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#endif

using namespace bitnet;
using test::contains;
using test::error_of;

namespace {

std::vector<uint8_t> pattern(size_t n) {
    std::vector<uint8_t> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
    return bytes;
}

struct Callback {
    std::vector<uint8_t> bytes;
    int calls = 0;
    int32_t result = 0;
    static int32_t read(void* user, uint64_t offset, void* dst, uint64_t n) {
        auto& self = *static_cast<Callback*>(user);
        ++self.calls;
        if (self.result == 0) std::memcpy(dst, self.bytes.data() + offset, static_cast<size_t>(n));
        return self.result;
    }
    bitnet_reader reader() { return {sizeof(bitnet_reader), bytes.size(), &Callback::read, this}; }
};

void check_reads(const ByteSource& source, const std::vector<uint8_t>& want) {
    REQUIRE(source.size() == want.size());
    std::vector<uint8_t> got(want.size());
    source.read(0, got.data(), got.size());
    CHECK(got == want);
    uint8_t last = 0;
    source.read(want.size() - 1, &last, 1);
    CHECK(last == want.back());
    source.read(want.size(), nullptr, 0);  // nothing at the end is not past it
    if (source.mapped() != nullptr) CHECK(std::memcmp(source.mapped(), want.data(), want.size()) == 0);

    const Error past = error_of([&] { source.read(want.size() - 1, got.data(), 2); });
    CHECK(past.status() == BITNET_E_GGUF_TRUNCATED);
    CHECK(past.expected() == want.size() + 1);
    CHECK(past.actual() == want.size());
    CHECK(error_of([&] { source.read(UINT64_MAX, got.data(), 2); }).status() == BITNET_E_GGUF_TRUNCATED);
    CHECK(error_of([&] { source.read(1, got.data(), UINT64_MAX); }).expected() == UINT64_MAX);
}

}  // namespace

TEST_CASE("checked arithmetic says when a size does not fit") {
    uint64_t out = 7;
    CHECK_FALSE(checked_add(UINT64_MAX, 1, &out));
    CHECK_FALSE(checked_mul(uint64_t{1} << 32, uint64_t{1} << 32, &out));
    CHECK_FALSE(checked_align_up(UINT64_MAX - 3, 32, &out));
    CHECK(out == 7);
    CHECK((checked_add(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX));
    CHECK((checked_mul(0, UINT64_MAX, &out) && out == 0));
    CHECK((checked_align_up(33, 32, &out) && out == 64));
    CHECK((checked_align_up(64, 32, &out) && out == 64));
    CHECK(saturated_add(UINT64_MAX, 5) == UINT64_MAX);
    CHECK_FALSE(is_power_of_two(0));
    CHECK(is_power_of_two(1));
    CHECK_FALSE(is_power_of_two(48));
}

TEST_CASE("all byte sources give the same bytes and refuse reads past the end") {
    const std::vector<uint8_t> bytes = pattern(10000);
    const test::TempDir dir;
    const std::string path = dir.write("bytes.bin", bytes);

    for (const bool use_mmap : {true, false}) {
        const auto source = open_file_source(path, use_mmap);
        CHECK((source->mapped() != nullptr) == use_mmap);
        CHECK(source->name() == path);
        check_reads(*source, bytes);
    }
    check_reads(*open_memory_source(bytes.data(), bytes.size()), bytes);
    Callback callback{bytes};
    const auto reader = open_reader_source(callback.reader());
    CHECK(callback.calls == 0);
    CHECK(reader->mapped() == nullptr);
    check_reads(*reader, bytes);
}

TEST_CASE("memory of a mapped file that is given back is read from the file again, and no other memory is touched") {
    constexpr uint64_t kMiB = 1 << 20, kBytes = 4 * kMiB;
    const std::vector<uint8_t> bytes = pattern(kBytes);
    const test::TempDir dir;
    const std::string path = dir.write("pages.bin", bytes);
    const auto source = open_file_source(path, true);
    check_reads(*source, bytes);
    const uint64_t before = test::mapped_pages_bytes(path);
    source->give_back(kMiB + 5, 2 * kMiB);
    const uint64_t after = test::mapped_pages_bytes(path);
    if (before >= kBytes) {                           // not so in an emulator, or on another system
        CHECK(after < kBytes - 2 * kMiB + kMiB / 8);  // perhaps less: a large page goes as a whole
    } else {
        MESSAGE("skipped: this system does not tell which pages of a file are in memory");
    }
    check_reads(*source, bytes);
    CHECK(test::mapped_pages_bytes(path) == before);
    // Parts of pages stay.
    for (const uint64_t n : {0, 1, 100}) source->give_back(kMiB + 50, n);
    source->give_back(kBytes - 1, 1);
    CHECK(test::mapped_pages_bytes(path) == before);
    source->give_back(0, kBytes);
    check_reads(*source, bytes);

#ifndef _WIN32
    const int fd = ::open(path.c_str(), O_RDONLY);
    REQUIRE(fd >= 0);
    const auto part = open_fd_source(fd, 100, 3 * kMiB, true);
    ::close(fd);
    part->give_back(0, 3 * kMiB);
    check_reads(*part, std::vector<uint8_t>(bytes.begin() + 100, bytes.begin() + 100 + 3 * kMiB));
#endif
    // What the caller owns has no file behind it.
    const auto memory = open_memory_source(bytes.data(), bytes.size());
    memory->give_back(0, bytes.size());
    CHECK(bytes == pattern(kBytes));
    const auto read = open_file_source(path, false);
    read->give_back(0, kBytes);
    check_reads(*read, bytes);
}

TEST_CASE("memory and callback sources check their arguments") {
    const uint8_t byte = 1;
    CHECK(error_of([] { open_memory_source(nullptr, 5); }).status() == BITNET_E_ARGUMENT);
    CHECK(error_of([&] { open_memory_source(&byte, 0); }).status() == BITNET_E_GGUF_TRUNCATED);
    bitnet_reader reader{sizeof(bitnet_reader), 10, nullptr, nullptr};
    CHECK(error_of([&] { open_reader_source(reader); }).status() == BITNET_E_ARGUMENT);
    Callback callback{pattern(100)};
    reader = callback.reader();
    reader.size = 0;
    CHECK(error_of([&] { open_reader_source(reader); }).status() == BITNET_E_GGUF_TRUNCATED);
}

TEST_CASE("a failing read callback ends in an I/O error that tells its number") {
    Callback callback{pattern(100)};
    callback.result = 42;
    const auto source = open_reader_source(callback.reader());
    uint8_t byte = 0;
    const Error error = error_of([&] { source->read(17, &byte, 1); });
    CHECK(error.status() == BITNET_E_IO);
    CHECK(error.offset() == 17);
    CHECK(contains(error.message(), "42"));
}

#ifndef _WIN32
TEST_CASE("a descriptor range may begin anywhere, and the descriptor stays the caller's") {
    const std::vector<uint8_t> bytes = pattern(20000);
    const test::TempDir dir;
    const int fd = ::open(dir.write("pack.bin", bytes).c_str(), O_RDONLY);
    REQUIRE(fd >= 0);
    for (const bool use_mmap : {true, false}) {
        for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, uint64_t{4097}, uint64_t{8191}}) {
            const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
            check_reads(*open_fd_source(fd, offset, 5000, use_mmap), {begin, begin + 5000});
            check_reads(*open_fd_source(fd, offset, 0, use_mmap), {begin, bytes.end()});
        }
    }
    auto outlives = open_fd_source(fd, 3, 50, false);
    CHECK(::lseek(fd, 0, SEEK_CUR) == 0);  // its file position was never moved
    ::close(fd);
    check_reads(*outlives, {bytes.begin() + 3, bytes.begin() + 53});
}

TEST_CASE("descriptor ranges outside the file and closed descriptors are refused") {
    const test::TempDir dir;
    const int fd = ::open(dir.write("pack.bin", pattern(100)).c_str(), O_RDONLY);
    for (const bool use_mmap : {true, false}) {
        const Error error = error_of([&] { open_fd_source(fd, 60, 50, use_mmap); });
        CHECK(error.status() == BITNET_E_GGUF_TRUNCATED);
        CHECK(error.expected() == 110);
        CHECK(error.actual() == 100);
        CHECK(error_of([&] { open_fd_source(fd, 101, 0, use_mmap); }).status() == BITNET_E_GGUF_TRUNCATED);
        CHECK(error_of([&] { open_fd_source(fd, 100, 0, use_mmap); }).status() == BITNET_E_GGUF_TRUNCATED);
        CHECK(error_of([&] { open_fd_source(fd, UINT64_MAX, UINT64_MAX, use_mmap); }).status() ==
              BITNET_E_GGUF_TRUNCATED);
    }
    ::close(fd);
    CHECK(error_of([&] { open_fd_source(fd, 0, 0, true); }).status() == BITNET_E_ARGUMENT);
    CHECK(error_of([&] { open_fd_source(-1, 0, 0, true); }).status() == BITNET_E_ARGUMENT);
}

TEST_CASE("a descriptor that cannot be mapped or read says which of the two failed") {
    const test::TempDir dir;
    const int fd = ::open(dir.write("writeonly.bin", pattern(100)).c_str(), O_WRONLY);
    const Error map_error = error_of([&] { open_fd_source(fd, 0, 0, true); });
    CHECK(map_error.status() == BITNET_E_GGUF_MAP);
    CHECK(map_error.expected() == 100);
    CHECK(contains(map_error.message(), "use_mmap"));
    const auto source = open_fd_source(fd, 0, 0, false);
    uint8_t byte = 0;
    CHECK(error_of([&] { source->read(0, &byte, 1); }).status() == BITNET_E_IO);
    ::close(fd);
}

TEST_CASE("paths that are no readable regular file are named errors, and a pipe is not waited for") {
    const test::TempDir dir;
    const std::string fifo = dir.file("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    for (const bool use_mmap : {true, false}) {
        CHECK(error_of([&] { open_file_source(dir.file("absent"), use_mmap); }).status() == BITNET_E_FILE_NOT_FOUND);
        CHECK(error_of([&] { open_file_source("", use_mmap); }).status() == BITNET_E_FILE_NOT_FOUND);
        CHECK(error_of([&] { open_file_source(std::string("a\0b", 3), use_mmap); }).status() == BITNET_E_ARGUMENT);
        const Error folder = error_of([&] { open_file_source(dir.path().string(), use_mmap); });
        CHECK(folder.status() == BITNET_E_IO);
        CHECK(contains(folder.message(), "a directory"));
        const Error pipe = error_of([&] { open_file_source(fifo, use_mmap); });
        CHECK(pipe.status() == BITNET_E_IO);
        CHECK(contains(pipe.message(), "a pipe"));
        CHECK(contains(error_of([&] { open_file_source("/dev/null", use_mmap); }).message(), "a device"));
        const Error empty = error_of([&] { open_file_source(dir.write("empty", {}), use_mmap); });
        CHECK(empty.status() == BITNET_E_GGUF_TRUNCATED);
        CHECK(contains(empty.message(), "empty"));
    }
    int pair[2];
    REQUIRE(::pipe(pair) == 0);
    CHECK(error_of([&] { open_fd_source(pair[0], 0, 0, false); }).status() == BITNET_E_IO);
    REQUIRE(::close(pair[0]) == 0);
    REQUIRE(::close(pair[1]) == 0);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(contains(error_of([&] { open_fd_source(pair[0], 0, 0, true); }).message(), "a socket"));
    ::close(pair[0]);
    ::close(pair[1]);
}

TEST_CASE("a file without read permission is reported as such") {
    const test::TempDir dir;
    const std::string path = dir.write("secret.bin", pattern(10));
    REQUIRE(::chmod(path.c_str(), 0) == 0);
    if (::access(path.c_str(), R_OK) == 0) return;  // root reads everything
    const Error error = error_of([&] { open_file_source(path, true); });
    CHECK(error.status() == BITNET_E_FILE_NOT_FOUND);
    CHECK(contains(error.message(), "permission"));
}

TEST_CASE("a file that shrinks while it is read ends in an I/O error, not in a wait") {
    const test::TempDir dir;
    const std::string path = dir.write("shrinking.bin", pattern(1000));
    const auto source = open_file_source(path, false);
    REQUIRE(::truncate(path.c_str(), 10) == 0);
    std::vector<uint8_t> bytes(100);
    const Error error = error_of([&] { source->read(0, bytes.data(), bytes.size()); });
    CHECK(error.status() == BITNET_E_IO);
    CHECK(contains(error.message(), "shorter"));
}
#endif

TEST_CASE("a path with control characters still gives a one-line message") {
    const Error error = error_of([] { open_file_source("/no/such\n\x1b[31mfile", true); });
    CHECK(error.status() == BITNET_E_FILE_NOT_FOUND);
    CHECK(contains(error.message(), "\\x0a\\x1b[31m"));
}
