// Numbers are little-endian, as this program's machines are.
#include "logits_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "cli_math.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[] = "_logits_";
constexpr size_t kMagicBytes = 8;
constexpr int32_t kMostVocab = 1 << 24, kMostCtx = 1 << 22;

size_t row_items(size_t n_vocab) { return (n_vocab + 1) / 2 * 2 + 4; }

}  // namespace

LogitsWriter::LogitsWriter(const std::string& path, const Windows& windows, size_t n_vocab)
    : path_(path), part_(path + ".part"), n_vocab_(n_vocab), row_(row_items(n_vocab)) {
    require_folder_of(path);
    file_.reset(std::fopen(part_.c_str(), "wb"));
    if (file_ == nullptr) throw Failure{kExitFailure, part_ + ": cannot be written"};
    const int32_t numbers[] = {windows.n_ctx, static_cast<int32_t>(n_vocab), static_cast<int32_t>(windows.n_windows)};
    write(kMagic, kMagicBytes);
    write(numbers, sizeof numbers);
    write(windows.tokens.data(), windows.n_windows * static_cast<size_t>(windows.n_ctx) * sizeof(bitnet_token));
}

LogitsWriter::~LogitsWriter() {
    if (file_ == nullptr) return;
    file_.reset();
    std::remove(part_.c_str());
}

void LogitsWriter::write(const void* data, size_t n_bytes) {
    if (std::fwrite(data, 1, n_bytes, file_.get()) != n_bytes)
        throw Failure{kExitFailure, path_ + ": writing failed; is the disk full?"};
}

void LogitsWriter::add(const float* logits) {
    const auto [low, high] = std::minmax_element(logits, logits + n_vocab_);
    const float best = *high, least = std::max(*low, best - 16.0f);
    double sum = 0;
    for (size_t i = 0; i < n_vocab_; ++i)
        sum += portable_exp(static_cast<double>(logits[i]) - static_cast<double>(best));
    const float scale = (best - least) / 65535.0f;
    const float least_log = least - best - static_cast<float>(portable_log(sum));
    std::memcpy(row_.data(), &scale, sizeof scale);
    std::memcpy(row_.data() + 2, &least_log, sizeof least_log);
    for (size_t i = 0; i < n_vocab_; ++i) {
        const float steps = scale > 0 && logits[i] > least ? std::nearbyint((logits[i] - least) / scale) : 0.0f;
        row_[4 + i] = static_cast<uint16_t>(std::clamp(steps, 0.0f, 65535.0f));
    }
    write(row_.data(), row_.size() * sizeof row_[0]);
}

void LogitsWriter::finish() {
    if (std::fflush(file_.get()) != 0) throw Failure{kExitFailure, path_ + ": writing failed; is the disk full?"};
    file_.reset();
    std::error_code error;
    fs::rename(part_, path_, error);
    if (error) {
        std::remove(part_.c_str());
        throw Failure{kExitFailure, path_ + ": " + error.message()};
    }
}

LogitsReader::LogitsReader(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) throw Failure{kExitFailure, path + ": does not exist or may not be read"};
    char magic[kMagicBytes];
    int32_t numbers[3];
    read(magic, sizeof magic);
    if (std::memcmp(magic, kMagic, kMagicBytes) != 0)
        throw Failure{kExitFailure, path +
                                        ": is no file of logits; bitnet perplexity --kl-save and llama-perplexity "
                                        "--save-all-logits write such"};
    read(numbers, sizeof numbers);
    const auto [n_ctx, n_vocab, n_windows] = numbers;
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    // Far from overflow once each number has its bound.
    const bool sane = n_ctx >= 4 && n_ctx <= kMostCtx && n_vocab >= 1 && n_vocab <= kMostVocab && n_windows >= 1;
    const uint64_t window_bytes = sane ? static_cast<uint64_t>(n_ctx) * sizeof(bitnet_token) +
                                             static_cast<uint64_t>(n_ctx - 1 - n_ctx / 2) *
                                                 row_items(static_cast<size_t>(n_vocab)) * sizeof(uint16_t)
                                       : 0;
    const uint64_t left = size - (kMagicBytes + sizeof numbers);
    if (error || !sane || left % window_bytes != 0 || left / window_bytes != static_cast<uint64_t>(n_windows))
        throw Failure{kExitFailure, path + ": its length is not that of its windows; write it again"};
    windows_.n_ctx = n_ctx;
    windows_.n_windows = static_cast<size_t>(n_windows);
    windows_.tokens.resize(windows_.n_windows * static_cast<size_t>(n_ctx));
    read(windows_.tokens.data(), windows_.tokens.size() * sizeof(bitnet_token));
    for (const bitnet_token token : windows_.tokens)
        if (token < 0 || token >= n_vocab)
            throw Failure{kExitFailure, path + ": has a token outside of its vocabulary"};
    n_vocab_ = static_cast<size_t>(n_vocab);
    row_.resize(row_items(n_vocab_));
}

void LogitsReader::read(void* data, size_t n_bytes) {
    if (std::fread(data, 1, n_bytes, file_.get()) != n_bytes)
        throw Failure{kExitFailure, path_ + ": ends too early, or cannot be read"};
}

void LogitsReader::next(LogProbs& out) {
    read(row_.data(), row_.size() * sizeof row_[0]);
    float scale, least;
    std::memcpy(&scale, row_.data(), sizeof scale);
    std::memcpy(&least, row_.data() + 2, sizeof least);
    out.finite = std::isfinite(scale) && std::isfinite(least);
    out.values.resize(n_vocab_);
    out.best = 0;
    for (size_t i = 0; i < n_vocab_; ++i) {
        out.values[i] = static_cast<double>(scale) * row_[4 + i] + static_cast<double>(least);
        if (row_[4 + i] > row_[4 + out.best]) out.best = i;
    }
}

}  // namespace cli
