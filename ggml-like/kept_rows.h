// Rows of floats that a run has left in a backend's memory, because its caller gave none for them: read when somebody asks, all of a
// row or the few numbers that matter. They are there until the backend runs again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tg {

class KeptRows {
public:
    // Where in the row, rising, and the numbers there.
    struct Numbers {
        std::span<const int32_t> places;
        std::span<const float> numbers;
    };

    virtual ~KeptRows() = default;
    // All of a row. Throws tg::Error, as all here do.
    virtual void read(int64_t row, float* to) = 0;
    // to[places.size()]
    virtual void read_at(int64_t row, std::span<const int32_t> places, float* to) = 0;
    // At least the k largest of the row; fewer only where all others are NaN or -infinity. Of equal ones the first in the row, and
    // +infinity equals the largest finite number. Lent until the next call. False: they are too many, read the row.
    virtual bool find_largest(int64_t row, size_t k, Numbers* out) = 0;
};

}  // namespace tg
