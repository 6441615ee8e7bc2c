// Paths of requests: what lies below the folder opens, everything else is refused, also while somebody exchanges it.
#include "server/engine/model_folder.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/server/engine_fixture.h"
#include "tests/support/temp_dir.h"

using namespace serve;
namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

// The code of an opening, or what the file says.
std::string open_says(const ModelFolder& folder, const std::string& path) {
    std::string text;
    const std::string code = test::code_of([&] {
        const ModelFolder::Opened opened = folder.open(path, "model_path");
        char buffer[64];
        const ssize_t n = read(opened.file.get(), buffer, sizeof buffer);
        if (n > 0) text.assign(buffer, static_cast<size_t>(n));
    });
    return code.empty() ? text : code;
}

}  // namespace

TEST_CASE("only files below the folder of models open, by real folders alone") {
    const test::TempDir outside;
    const fs::path root = outside.path() / "models";
    fs::create_directories(root / "a/b");
    write_text(outside.path() / "secret.gguf", "secret");
    write_text(root / "x.gguf", "x");
    write_text(root / "a/b/y.gguf", "y");
    fs::create_symlink(outside.path() / "secret.gguf", root / "link.gguf");
    fs::create_symlink(root / "x.gguf", root / "inner_link.gguf");
    fs::create_symlink(outside.path(), root / "out");
    fs::create_symlink(root / "a", root / "also_a");
    REQUIRE(mkfifo((root / "pipe.gguf").c_str(), 0600) == 0);
    for (const std::string& given : {root.string(), root.string() + "/", (outside.path() / "m").string()}) {
        if (given.ends_with("/m"))
            fs::create_symlink(root, given);  // the folder itself may be a link: the operator chose it
        const ModelFolder folder(given);
        CHECK(open_says(folder, "x.gguf") == "x");
        CHECK(open_says(folder, "a/b/y.gguf") == "y");
        CHECK(open_says(folder, "./a//b/./y.gguf") == "y");
        CHECK(open_says(folder, (root / "x.gguf").string()) == "x");
        CHECK(open_says(folder, "none.gguf") == "MODEL_NOT_FOUND");
        CHECK(open_says(folder, "x.gguf/z") == "MODEL_NOT_FOUND");
        CHECK(open_says(folder, "") == "VALIDATION_FAILED");
        CHECK(open_says(folder, std::string("x.gguf\0.txt", 11)) == "VALIDATION_FAILED");
        CHECK(open_says(folder, std::string(5000, 'a')) == "VALIDATION_FAILED");
        for (const char* bad :
             {"../secret.gguf", "a/../x.gguf", "..", ".", "/", "a", "a/b/", "link.gguf", "inner_link.gguf",
              "out/secret.gguf", "also_a/b/y.gguf", "pipe.gguf", "/etc/passwd", "/proc/self/environ"})
            CHECK_MESSAGE(open_says(folder, bad) == "FORBIDDEN", bad);
        CHECK(open_says(folder, (outside.path() / "secret.gguf").string()) == "FORBIDDEN");
        CHECK(open_says(folder, root.string() + "/../secret.gguf") == "FORBIDDEN");
        CHECK(open_says(folder, root.string() + "2/x.gguf") == "FORBIDDEN");  // a name that only begins the same
    }
    CHECK(open_says(ModelFolder(""), "x.gguf") == "FORBIDDEN");
    CHECK(test::code_of([&] { ModelFolder((root / "none").string()); }) == "SERVICE_UNAVAILABLE");
}

TEST_CASE("a folder that turns into a link while it is asked for never lets a file outside be read") {
    const test::TempDir outside;
    const fs::path root = outside.path() / "models";
    fs::create_directories(root);
    fs::create_directories(outside.path() / "elsewhere");
    write_text(outside.path() / "elsewhere/x.gguf", "secret");
    fs::create_directories(root / "real");
    write_text(root / "real/x.gguf", "mine");
    fs::create_directory_symlink(outside.path() / "elsewhere", root / "evil");
    std::atomic<bool> stop = false;
    std::thread attacker([&] {
        const std::string at = (root / "at").string(), real = (root / "real").string(), evil = (root / "evil").string();
        while (!stop) {
            std::rename(real.c_str(), at.c_str());
            std::rename(at.c_str(), real.c_str());
            std::rename(evil.c_str(), at.c_str());
            std::rename(at.c_str(), evil.c_str());
        }
    });
    const ModelFolder folder(root.string());
    int n_read = 0;
    for (int i = 0; i < 200000 && n_read < 200; i++) {
        const std::string said = open_says(folder, "at/x.gguf");
        CHECK(said != "secret");
        n_read += said == "mine" ? 1 : 0;
    }
    stop = true;
    attacker.join();
    CHECK(n_read > 0);
}

TEST_CASE("the folder's list has ids of their own, without links, hidden files and parts") {
    const test::TempDir dir;
    const fs::path& root = dir.path();
    fs::create_directories(root / "org/deep");
    for (const char* name : {"b.gguf", "a.gguf", "org/a.gguf", "org_a.gguf", "org/deep/c.gguf", ".hidden.gguf",
                             "notes.txt", "big-00001-of-00002.gguf", "sp ace.gguf"})
        write_text(root / name, "");
    fs::create_symlink(root / "a.gguf", root / "z.gguf");
    fs::create_directory_symlink("/", root / "rootlink");
    std::string ids;
    for (const ModelFolder::Listed& file : ModelFolder(root.string()).list()) ids += file.id + "=" + file.name + " ";
    CHECK(ids == "a=a.gguf b=b.gguf org_a=org/a.gguf org_deep_c=org/deep/c.gguf org_a-2=org_a.gguf ");
    CHECK(ModelFolder("").list().empty());
}
