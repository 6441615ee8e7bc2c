// Memory of the machine and of control groups, out of folders made to look like /proc and /sys/fs/cgroup.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "src/device/host_memory.h"
#include "tests/support/temp_dir.h"

using namespace bitnet;

#if defined(__linux__)
namespace {

constexpr uint64_t kMebi = 1024 * 1024;

// A machine of 8000 MiB, 6000 of them free, unless said otherwise.
class FakeRoot {
public:
    FakeRoot() {
        write("proc/meminfo",
              "MemTotal:       8192000 kB\nMemFree:  100 kB\nMemAvailable:    6144000 kB\nBuffers: 1 kB\n");
    }

    FakeRoot& write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(folder_.file(path)).parent_path());
        std::ofstream(folder_.file(path)) << text;
        return *this;
    }
    // A group of cgroup 2.
    FakeRoot& group(const std::string& path, const std::string& max, const std::string& current,
                    uint64_t inactive = 0) {
        const std::string dir = "sys/fs/cgroup" + path;
        return write(dir + "/memory.max", max + "\n")
            .write(dir + "/memory.current", current + "\n")
            .write(dir + "/memory.stat", "anon 1\ninactive_anon 999\ninactive_file " + std::to_string(inactive) + "\n");
    }
    HostMemory memory() const {
        const auto found = host_memory(folder_.path().string());
        REQUIRE(found.has_value());
        CHECK(found->free_bytes <= found->total_bytes);
        return *found;
    }
    std::string path() const { return folder_.path().string(); }

private:
    test::TempDir folder_;
};

std::string mebi(uint64_t n) { return std::to_string(n * kMebi); }

}  // namespace

TEST_CASE("without a control group the memory is the machine's") {
    const HostMemory memory = FakeRoot().memory();
    CHECK(memory.total_bytes == 8000 * kMebi);
    CHECK(memory.free_bytes == 6000 * kMebi);
    CHECK(memory.limit_bytes == 0);
}

TEST_CASE("the limit of cgroup 2 bounds the total, and what its members hold the rest") {
    FakeRoot root;
    root.write("proc/self/cgroup", "0::/box\n").group("/box", mebi(1000), mebi(700), 200 * kMebi);
    const HostMemory memory = root.memory();
    CHECK(memory.total_bytes == 1000 * kMebi);
    CHECK(memory.free_bytes == 500 * kMebi);  // 700 used, of which 200 would be dropped
    CHECK(memory.limit_bytes == 1000 * kMebi);
}

TEST_CASE("of a group and its ancestors the smallest limit counts") {
    FakeRoot root;
    root.write("proc/self/cgroup", "0::/a/b/c\n");
    root.group("/a/b/c", "max", mebi(1)).group("/a/b", mebi(3000), mebi(100)).group("/a", mebi(2000), mebi(1900));
    const HostMemory memory = root.memory();
    CHECK(memory.total_bytes == 2000 * kMebi);
    CHECK(memory.free_bytes == 100 * kMebi);
    CHECK(memory.limit_bytes == 2000 * kMebi);
}

TEST_CASE("a path of the host is followed up to the mount's root") {
    FakeRoot root;
    root.write("proc/self/cgroup", "0::/docker/0123\n").group("", mebi(512), mebi(12));
    CHECK(root.memory().total_bytes == 512 * kMebi);
    root.write("proc/self/cgroup", "0::/../../elsewhere\n");
    CHECK(root.memory().total_bytes == 512 * kMebi);
    root.write("proc/self/cgroup", "0::/\n");
    CHECK(root.memory().free_bytes == 500 * kMebi);
}

TEST_CASE("the limit of cgroup 1 counts as well, its largest number is none") {
    FakeRoot root;
    root.write("proc/self/cgroup", "12:cpu,cpuacct:/other\n4:hugetlb,memory:/box\n0::/\n");
    const std::string dir = "sys/fs/cgroup/memory/box";
    root.write(dir + "/memory.limit_in_bytes", mebi(300) + "\n")
        .write(dir + "/memory.usage_in_bytes", mebi(100) + "\n");
    root.write(dir + "/memory.stat", "inactive_file 1\ntotal_inactive_file " + mebi(50) + "\n");
    CHECK(root.memory().total_bytes == 300 * kMebi);
    CHECK(root.memory().free_bytes == 250 * kMebi);
    root.write(dir + "/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(root.memory().total_bytes == 8000 * kMebi);
    CHECK(root.memory().limit_bytes == 0);
}

TEST_CASE("a limit above the machine's memory does not raise it") {
    FakeRoot root;
    root.write("proc/self/cgroup", "0::/box\n").group("/box", mebi(64000), mebi(1));
    CHECK(root.memory().total_bytes == 8000 * kMebi);
    CHECK(root.memory().free_bytes == 6000 * kMebi);
    CHECK(root.memory().limit_bytes == 64000 * kMebi);
}

TEST_CASE("more usage than limit leaves nothing free, and nonsense in a group's files counts as no limit") {
    FakeRoot root;
    root.write("proc/self/cgroup", "0::/box\n").group("/box", mebi(100), mebi(200));
    CHECK(root.memory().free_bytes == 0);
    root.group("/box", mebi(100), "5", 100 * kMebi);  // more to drop than is held
    CHECK(root.memory().free_bytes == 100 * kMebi);
    for (const char* nonsense : {"", "max", "-1", "0", "12x", "1e9", "99999999999999999999999", "\n"}) {
        CAPTURE(nonsense);
        root.group("/box", nonsense, "5");
        CHECK(root.memory().total_bytes == 8000 * kMebi);
        CHECK(root.memory().limit_bytes == 0);
    }
    root.write("proc/self/cgroup", "no colons\n:\n::\n0::" + std::string(5000, '/') + "\n");
    CHECK(root.memory().total_bytes == 8000 * kMebi);
}

TEST_CASE("where the system does not tell its memory there is no answer") {
    FakeRoot root;
    for (const char* text : {"", "MemFree: 5 kB\n", "MemTotal: much\n", "MemTotal: 18446744073709551615 kB\n"}) {
        CAPTURE(text);
        root.write("proc/meminfo", text);
        CHECK(!host_memory(root.path()).has_value());
    }
    root.write("proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 20 kB\n");
    CHECK(root.memory().free_bytes == 10 * 1024);
    root.write("proc/meminfo", "MemTotal: 10 kB\n");  // before Linux 3.14
    CHECK(root.memory().free_bytes == 0);
}

TEST_CASE("this machine has memory, and some of it is in use") {
    const auto memory = host_memory();
    REQUIRE(memory.has_value());
    CHECK(memory->total_bytes > 16 * kMebi);
    CHECK(memory->free_bytes < memory->total_bytes);
}
#endif
