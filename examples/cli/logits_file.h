// The file of log-probabilities that llama-perplexity writes with --save-all-logits and reads with --kl-divergence-base, so that
// the base of a comparison may come from llama.cpp, and ours may go there:
//   "_logits_", i32 n_ctx, n_vocab, n_windows; i32 tokens[n_windows * n_ctx], as they stand in the text
//   for each scored position f32 scale, f32 least, u16 codes[n_vocab, rounded up to even]: log p = least + scale * code
// Codes reach 16 nats below the best token, so a step is at most 0.00025 nats; what is less likely is stored as the least.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "window_score.h"

namespace cli {

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using StdFile = std::unique_ptr<std::FILE, FileCloser>;

// Appears whole at finish(), or not at all. Throws Failure.
class LogitsWriter {
public:
    LogitsWriter(const std::string& path, const Windows& windows, size_t n_vocab);
    ~LogitsWriter();
    LogitsWriter(const LogitsWriter&) = delete;
    LogitsWriter& operator=(const LogitsWriter&) = delete;
    void add(const float* logits);
    void finish();

private:
    void write(const void* data, size_t n_bytes);

    std::string path_, part_;
    StdFile file_;
    size_t n_vocab_;
    std::vector<uint16_t> row_;
};

// Files may come from anyone: numbers are checked against the file's length. Throws Failure.
class LogitsReader {
public:
    explicit LogitsReader(const std::string& path);
    // Windows without bos and stride.
    const Windows& windows() const { return windows_; }
    size_t n_vocab() const { return n_vocab_; }
    // The next position.
    void next(LogProbs& out);
    // Tokens with this log-probability or less were not stored.
    static constexpr double kLeast = -16;

private:
    void read(void* data, size_t n_bytes);

    std::string path_;
    StdFile file_;
    Windows windows_;
    size_t n_vocab_ = 0;
    std::vector<uint16_t> row_;
};

}  // namespace cli
