// Where the tests' data lies. Data is never copied into the repository; a test that lacks it says so and passes.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace test {

// The folder named by BITNET_TEST_DATA, or ../shared/data beside the checkout.
inline std::filesystem::path data_dir() {
    if (const char* dir = std::getenv("BITNET_TEST_DATA"); dir != nullptr && *dir != '\0') return dir;
    return std::filesystem::path(__FILE__).parent_path() / "../../../shared/data";
}

// True when the file or folder is there; prints the reason for skipping otherwise.
// Use: if (!test::have_data("models/x.gguf")) return;
inline bool have_data(const std::string& relative) {
    std::error_code error;
    if (std::filesystem::exists(data_dir() / relative, error)) return true;
    std::fprintf(stderr, "SKIPPED: no test data %s (set BITNET_TEST_DATA)\n", (data_dir() / relative).string().c_str());
    return false;
}

}  // namespace test
