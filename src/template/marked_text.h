// Text that knows where it came from. Bytes of the template itself are trusted, everything else - messages, tools, numbers -
// is not, and stays so through every copy. Only trusted bytes may be read as control tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

class MarkedText {
public:
    // Bytes [begin, end) of a text.
    struct Run {
        size_t begin = 0;
        size_t end = 0;
    };

    MarkedText() = default;
    static MarkedText trusted(std::string bytes);
    static MarkedText plain(std::string bytes);

    const std::string& bytes() const noexcept { return bytes_; }
    size_t size() const noexcept { return bytes_.size(); }
    // Rising, never empty, never touching each other.
    const std::vector<Run>& trusted_runs() const noexcept { return runs_; }
    // What a copy costs.
    size_t weight() const noexcept { return bytes_.size() + sizeof(Run) * runs_.size(); }

    void append_plain(std::string_view bytes) { bytes_ += bytes; }
    void append_trusted(std::string_view bytes);
    void append(const MarkedText& other) { append(other, 0, other.size()); }
    // Bytes [begin, end) of other, with their marks.
    void append(const MarkedText& other, size_t begin, size_t end);
    // Other bytes in the place of [begin, end) of `from`: trusted only when all of those were.
    void append_like(std::string_view bytes, const MarkedText& from, size_t begin, size_t end);
    MarkedText slice(size_t begin, size_t end) const;
    bool is_trusted(size_t begin, size_t end) const noexcept;

private:
    size_t first_run_ending_after(size_t at) const noexcept;
    void add_run(size_t begin, size_t end);

    std::string bytes_;
    std::vector<Run> runs_;
};

}  // namespace bitnet
