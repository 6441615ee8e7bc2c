// How many bytes of a file's mappings are in this process's memory, page by page, as Linux tells it.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace test {

// 0 where the system does not tell; path as it was given to mmap's file, absolute and without links.
inline uint64_t mapped_pages_bytes(const std::string& path) {
    std::ifstream smaps("/proc/self/smaps");
    uint64_t kib = 0;
    bool ours = false;
    for (std::string line; std::getline(smaps, line);) {
        if (line.rfind("Rss:", 0) == 0) {
            if (ours) kib += std::stoull(line.substr(4));
        } else if (line.find('-') < line.find(' ')) {  // "from-to flags offset device inode path"
            ours = line.size() > path.size() && line.compare(line.size() - path.size(), path.size(), path) == 0;
        }
    }
    return kib * 1024;
}

}  // namespace test
