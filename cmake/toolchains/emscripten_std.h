// What Debian 12's emscripten (3.1.6, libc++ of LLVM 14 with parts of C++20 missing) lacks of the standard library and this
// library uses. Included before every C++ source by cmake/toolchains/wasm.cmake; empty with a newer libc++.
#pragma once

#ifdef __cplusplus
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <type_traits>

#ifndef __cpp_lib_bit_cast
namespace std {
template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
    static_assert(sizeof(To) == sizeof(From) && is_trivially_copyable_v<To> && is_trivially_copyable_v<From>);
    return __builtin_bit_cast(To, from);
}
}  // namespace std
#endif

#ifndef __cpp_lib_to_chars
namespace std {

namespace emscripten_std {

inline to_chars_result copy(char* first, char* last, const char* text, int n) {
    if (n < 0 || n > last - first) return {last, errc::value_too_large};
    for (int i = 0; i < n; ++i) first[i] = text[i];
    return {first + n, errc()};
}

template <class Float>
bool reads_back(const char* text, Float value) {
    if constexpr (is_same_v<Float, float>)
        return strtof(text, nullptr) == value;
    else
        return strtod(text, nullptr) == value;
}

constexpr int kLongest = 512;  // DBL_MAX with 17 digits behind the point

// The fewest digits that read back as the value; printf rounds correctly, so they are the closest such ones.
template <class Float>
int shortest_scientific(Float value, char (&text)[kLongest], int* exponent) {
    int n = 0;
    for (int digits = 0; digits < 17; ++digits) {
        n = snprintf(text, sizeof text, "%.*e", digits, static_cast<double>(value));
        if (!isfinite(value) || reads_back(text, value)) break;
    }
    *exponent = 0;
    for (int i = 0; i < n; ++i) {
        if (text[i] == 'e') *exponent = atoi(text + i + 1);
    }
    return n;
}

template <class Float>
int shortest_fixed(Float value, char (&text)[kLongest]) {
    int exponent = 0, digits = 0;
    const int n = shortest_scientific(value, text, &exponent);
    for (int i = 0; i < n && text[i] != 'e'; ++i) digits += text[i] >= '0' && text[i] <= '9' ? 1 : 0;
    const int behind_point = digits - 1 - exponent;
    return snprintf(text, sizeof text, "%.*f", behind_point > 0 ? behind_point : 0, static_cast<double>(value));
}

}  // namespace emscripten_std

template <class Float, class = enable_if_t<is_same_v<Float, float> || is_same_v<Float, double>>>
to_chars_result to_chars(char* first, char* last, Float value, chars_format format) {
    char text[emscripten_std::kLongest];
    int exponent = 0;
    const int n = format == chars_format::fixed ? emscripten_std::shortest_fixed(value, text)
                                                : emscripten_std::shortest_scientific(value, text, &exponent);
    return emscripten_std::copy(first, last, text, n);
}

template <class Float, class = enable_if_t<is_same_v<Float, float> || is_same_v<Float, double>>>
to_chars_result to_chars(char* first, char* last, Float value, chars_format format, int precision) {
    char text[emscripten_std::kLongest];
    const int n = snprintf(text, sizeof text, format == chars_format::fixed ? "%.*f" : "%.*e", precision,
                           static_cast<double>(value));
    return emscripten_std::copy(first, last, text, n < emscripten_std::kLongest ? n : -1);
}

// Whichever is shorter; plain digits where both are as long.
inline to_chars_result to_chars(char* first, char* last, double value) {
    char plain[emscripten_std::kLongest], scientific[emscripten_std::kLongest];
    int exponent = 0;
    const int n = emscripten_std::shortest_fixed(value, plain);
    const int m = emscripten_std::shortest_scientific(value, scientific, &exponent);
    return n <= m ? emscripten_std::copy(first, last, plain, n) : emscripten_std::copy(first, last, scientific, m);
}
inline to_chars_result to_chars(char* first, char* last, float value) {
    char plain[emscripten_std::kLongest], scientific[emscripten_std::kLongest];
    int exponent = 0;
    const int n = emscripten_std::shortest_fixed(value, plain);
    const int m = emscripten_std::shortest_scientific(value, scientific, &exponent);
    return n <= m ? emscripten_std::copy(first, last, plain, n) : emscripten_std::copy(first, last, scientific, m);
}

// Decimal numbers; neither "inf" nor "nan", which nothing here reads.
inline from_chars_result from_chars(const char* first, const char* last, double& value) {
    const char* p = first;
    const auto digits = [&p, last] {
        const char* begin = p;
        while (p != last && *p >= '0' && *p <= '9') ++p;
        return p - begin;
    };
    if (p != last && *p == '-') ++p;
    long n_digits = digits();
    if (p != last && *p == '.') {
        ++p;
        n_digits += digits();
    }
    if (n_digits == 0) return {first, errc::invalid_argument};
    if (p != last && (*p == 'e' || *p == 'E')) {
        const char* mantissa_end = p++;
        if (p != last && (*p == '-' || *p == '+')) ++p;
        if (digits() == 0) p = mantissa_end;
    }
    const double parsed = strtod(string(first, p).c_str(), nullptr);
    if (isinf(parsed)) return {p, errc::result_out_of_range};
    value = parsed;
    return {p, errc()};
}

}  // namespace std
#endif
#endif
