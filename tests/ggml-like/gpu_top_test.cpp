// The largest numbers of rows, found on a GPU that the CPU plays: those that a sort finds, whatever the numbers are, and read when
// asked for with few launches and few bytes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ggml-like/gpu/gpu_kept_rows.h"
#include "tests/support/float_bits.h"
#include "tests/support/gpu_arrays.h"

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

enum class Kind { random, tied, special, zeros, equal, rising, falling, nothing };

std::vector<float> row_of(Kind kind, int64_t n, uint32_t seed) {
    std::mt19937 rng(seed);
    std::vector<float> row(static_cast<size_t>(n));
    const float specials[] = {kNan, -kInf, kInf, FLT_MAX, -FLT_MAX, 0.0f, -0.0f, 1e-40f, -kNan, 3.0f};
    for (size_t i = 0; i < row.size(); ++i) {
        const auto number = static_cast<float>(static_cast<int32_t>(rng()) % 100000) * 1e-3f;
        switch (kind) {
            case Kind::random: row[i] = number; break;
            case Kind::tied: row[i] = static_cast<float>(static_cast<int32_t>(rng()) % 5); break;
            case Kind::special: row[i] = rng() % 3 == 0 ? specials[rng() % 10] : number; break;
            case Kind::zeros: row[i] = rng() % 2 == 0 ? 0.0f : -0.0f; break;
            case Kind::equal: row[i] = -2.5f; break;
            case Kind::rising: row[i] = static_cast<float>(i); break;
            case Kind::falling: row[i] = -static_cast<float>(i); break;
            case Kind::nothing: row[i] = i % 2 == 0 ? kNan : -kInf; break;
        }
    }
    return row;
}

// The places of the k largest as the sampler ranks them, rising.
std::vector<int32_t> largest(const float* row, int64_t n, size_t k) {
    std::vector<int32_t> places;
    for (int32_t i = 0; i < n; ++i) {
        if (row[i] > -kInf) places.push_back(i);
    }
    std::stable_sort(places.begin(), places.end(),
                     [&](int32_t a, int32_t b) { return std::min(row[a], FLT_MAX) > std::min(row[b], FLT_MAX); });
    places.resize(std::min(k, places.size()));
    std::sort(places.begin(), places.end());
    return places;
}

struct Found {
    std::vector<int32_t> places;
    std::vector<float> numbers;
};

Found find(test::GpuFixture& gpu, const std::vector<float>& x, int64_t n_rows, int32_t k) {
    tg::GpuTop work;
    work.n_rows = n_rows;
    work.width = static_cast<int64_t>(x.size()) / n_rows;
    work.k = k;
    work.x = gpu.put(x);
    work.scratch = gpu.room<uint8_t>(tg::gpu_top_scratch(work.width, k) * static_cast<size_t>(n_rows));
    const auto n = static_cast<size_t>(n_rows * k);
    work.places = gpu.room<int32_t>(n);
    work.numbers = gpu.room<float>(n);
    tg::gpu_top(*gpu.stream, work);
    Found found{gpu.get(work.places, n), gpu.get(work.numbers, n)};
    CHECK(gpu.release() == "");
    return found;
}

void same_as_sorted(test::GpuFixture& gpu, const std::vector<float>& x, int64_t n_rows, int32_t k) {
    const int64_t width = static_cast<int64_t>(x.size()) / n_rows;
    CAPTURE(width);
    CAPTURE(k);
    const Found found = find(gpu, x, n_rows, k);
    for (int64_t r = 0; r < n_rows; ++r) {
        CAPTURE(r);
        const float* row = x.data() + r * width;
        const std::vector<int32_t> expected = largest(row, width, static_cast<size_t>(k));
        std::vector<int32_t> places(found.places.begin() + r * k, found.places.begin() + (r + 1) * k);
        const auto end = std::find(places.begin(), places.end(), -1);
        CHECK(std::all_of(end, places.end(), [](int32_t place) { return place == -1; }));
        places.erase(end, places.end());
        CHECK(places == expected);
        std::vector<float> numbers(found.numbers.begin() + r * k,
                                   found.numbers.begin() + r * k + static_cast<int64_t>(places.size()));
        std::vector<float> there;
        for (const int32_t place : expected) there.push_back(row[place]);
        CHECK(test::difference(numbers, there) == "");
    }
}

uint64_t launches(test::GpuFixture& gpu) {
    return gpu.counters().n_launches_of[static_cast<size_t>(kern::gpu::KernelId::top_numbers)];
}

}  // namespace

TEST_CASE("the largest numbers on a GPU are those of a sort, ties to the first, NaN and -infinity never") {
    test::GpuFixture gpu;
    for (const Kind kind : {Kind::random, Kind::tied, Kind::special, Kind::zeros, Kind::equal, Kind::rising,
                            Kind::falling, Kind::nothing}) {
        CAPTURE(static_cast<int>(kind));
        for (const int64_t n : {1, 40, 259, 4097}) {
            for (const int32_t k : {1, 40, 64}) same_as_sorted(gpu, row_of(kind, n, static_cast<uint32_t>(n)), 1, k);
        }
    }
}

TEST_CASE("the largest numbers on a GPU of several rows, of any count, chosen in up to four rounds") {
    test::GpuFixture gpu;
    for (const int32_t k : {1, 7, 1024}) {
        std::vector<float> rows;
        for (const Kind kind : {Kind::special, Kind::tied, Kind::nothing}) {
            const std::vector<float> row = row_of(kind, 9001, static_cast<uint32_t>(k));
            rows.insert(rows.end(), row.begin(), row.end());
        }
        same_as_sorted(gpu, rows, 3, k);
    }
    const uint64_t before = launches(gpu);
    same_as_sorted(gpu, row_of(Kind::random, 70000, 9), 1, 1024);
    CHECK(launches(gpu) == before + 4);
}

TEST_CASE(
    "rows that stay on a device: one search for all of them, again behind the next run, and no more bytes than asked "
    "for") {
    constexpr int64_t kWidth = 5003, kRows = 5;
    test::GpuFixture gpu;
    std::vector<float> x = row_of(Kind::special, kWidth * kRows, 3);
    float* const rows = gpu.put(x);
    {
        tg::GpuKeptRows kept(gpu.device, *gpu.stream, kWidth, kRows);
        CHECK(kept.scratch_bytes() == tg::GpuKeptRows::scratch_bytes(kWidth, kRows));
        const auto check = [&](int64_t row, size_t k) {
            tg::KeptRows::Numbers out;
            REQUIRE(kept.find_largest(row, k, &out));
            const std::vector<int32_t> some = largest(x.data() + row * kWidth, kWidth, k);
            CHECK(std::includes(out.places.begin(), out.places.end(), some.begin(), some.end()));
            for (size_t i = 0; i < out.places.size(); ++i)
                CHECK(out.numbers[i] == x[static_cast<size_t>(row * kWidth + out.places[i])]);
        };
        const uint64_t before = launches(gpu);
        kept.take(rows, kRows);
        CHECK(launches(gpu) == before);
        for (int64_t row = 0; row < kRows; ++row) check(row, row % 2 == 0 ? 1 : 40);
        CHECK(launches(gpu) == before + 4);  // for the best of all rows, then for more
        kept.take(rows, kRows);
        CHECK(launches(gpu) == before + 6);  // as many again, before anybody asks
        const uint64_t bytes = gpu.counters().n_bytes_out;
        for (int64_t row = kRows - 1; row >= 0; --row) check(row, 1);
        CHECK(gpu.counters().n_bytes_out == bytes);
        kept.take(rows, kRows);
        CHECK(gpu.counters().n_bytes_out == bytes + kRows * 8);  // nobody asked for more than the best
        check(2, 1000);
        tg::KeptRows::Numbers out;
        CHECK(!kept.find_largest(0, 1025, &out));
        const std::vector<int32_t> places = {0, 17, 5002};
        std::vector<float> some(3), all(kWidth);
        kept.read_at(4, places, some.data());
        kept.read(4, all.data());
        CHECK(test::difference(all, std::vector<float>(x.end() - kWidth, x.end())) == "");
        CHECK(test::difference(some, {all[0], all[17], all[5002]}) == "");
    }
    CHECK(gpu.release() == "");
}

TEST_CASE("more rows than fit a search are searched in parts") {
    constexpr int64_t kWidth = 50, kRows = 70;
    test::GpuFixture gpu;
    const std::vector<float> x = row_of(Kind::tied, kWidth * kRows, 4);
    float* const rows = gpu.put(x);
    {
        tg::GpuKeptRows kept(gpu.device, *gpu.stream, kWidth, kRows);
        kept.take(rows, kRows);
        const uint64_t before = launches(gpu);
        for (const int64_t row : {0, 63, 64, 69, 3}) {
            tg::KeptRows::Numbers out;
            REQUIRE(kept.find_largest(row, 300, &out));
            CHECK(std::vector<int32_t>(out.places.begin(), out.places.end()) ==
                  largest(x.data() + row * kWidth, kWidth, 300));
        }
        CHECK(launches(gpu) == before + 3);
    }
    CHECK(gpu.release() == "");
}
