// SHA-256 against the examples that NIST publishes for FIPS 180-4, and the same bytes in pieces of any size.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/base/sha256.h"

using namespace bitnet;

TEST_CASE("SHA-256 gives NIST's digests") {
    CHECK(to_hex(sha256_of("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256_of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(to_hex(sha256_of("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                           "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu")) ==
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    CHECK(to_hex(sha256_of(std::string(1000000, 'a'))) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes are cut") {
    std::string bytes;
    for (size_t size = 0; size <= 200; ++size, bytes += static_cast<char>(size * 37)) {
        for (const size_t piece : {size_t{1}, size_t{7}, size_t{63}, size_t{64}, size_t{65}}) {
            Sha256 hash;
            for (size_t at = 0; at < size; at += piece) hash.add(bytes.data() + at, std::min(piece, size - at));
            CHECK(hash.finish() == sha256_of(bytes));
        }
    }
}

TEST_CASE("digests are read only from 64 lower-case hexadecimal digits") {
    const Sha256Digest digest = sha256_of("abc");
    Sha256Digest read{};
    CHECK(from_hex(to_hex(digest), &read));
    CHECK(read == digest);
    for (const std::string& wrong : {std::string(), std::string(63, '0'), std::string(65, '0'), std::string(64, 'A'),
                                     std::string(63, '0') + "g", std::string(63, '0') + " "}) {
        CHECK_FALSE(from_hex(wrong, &read));
    }
}
