// Lists of phrases and filters in shared libraries.
#include <chrono>
#include <fstream>

#include <doctest/doctest.h>

#include "server/core/api_error.h"
#include "server/filter/content_filter.h"
#include "server/filter/phrase_list.h"
#include "tests/support/temp_dir.h"

using namespace serve;

namespace {

std::shared_ptr<const ContentFilter> list_filter(const test::TempDir& folder, const std::string& lines) {
    std::ofstream(folder.file("list"), std::ios::binary) << lines;
    return make_content_filter(folder.file("list"), "");
}

// What an answer shows that comes in these steps, "|" between them, and "!" where it was blocked.
std::string shown(const ContentFilter* filter, const std::vector<std::string>& texts) {
    OutputFilter output(filter);
    std::string all;
    for (size_t i = 0; i < texts.size(); i++) {
        Step step;
        step.text = texts[i];
        step.finish = i + 1 == texts.size() ? BITNET_FINISH_LENGTH : BITNET_FINISH_NONE;
        if (output.apply(step)) return all + "!";
        all += step.text + (i + 1 == texts.size() ? "" : "|");
    }
    return all;
}

}  // namespace

TEST_CASE("phrases are found anywhere in a text, whatever the case of their letters") {
    const test::TempDir folder;
    const auto filter =
        list_filter(folder, "# a comment\n\n  Red Apple \r\nÄPFEL\nЗАПРЕТ\nσοφός\n#not this\nhe\xF0\x9F\x98\x80\n");
    for (const char* text : {"red apple", "a RED aPPLE b", "äpfel", "Äpfel", "запрет", "Запрет!", "ΣΟΦΟΣ", "σοφός",
                             "xHE\xF0\x9F\x98\x80"}) {
        CAPTURE(std::string(text));
        CHECK(filter->blocks(text, false) == (std::string(text) != "ΣΟΦΟΣ"));  // without the accent it is another word
    }
    for (const char* text : {"", "red", "red  apple", "redapple", "a comment", "not this", "apfel", "he"})
        CHECK(!filter->blocks(text, false));
    CHECK(fold_case("ABZ ÀÞ Ÿ ŁŐ ΑΩΌ ЀЯ ԱՖ") == "abz àþ ÿ łő αωό ѐя աֆ");
    CHECK(fold_case("× \xC3\xF0\x9F \xFF") == "× \xC3\xF0\x9F \xFF");
}

TEST_CASE("a phrase inside another one and overlapping ones are found as a naive search finds them") {
    const std::vector<std::string> phrases = {"abab", "bb", "babc", "aaaa"};
    const PhraseList list(phrases);
    CHECK(list.longest() == 4);
    uint64_t random = 1;
    int n_found = 0;
    for (int round = 0; round < 3000; round++) {
        std::string text;
        for (int i = 0; i < 9; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            text += static_cast<char>('a' + (random >> 40) % 3);
        }
        bool expected = false;
        for (const std::string& phrase : phrases) expected = expected || text.find(phrase) != text.npos;
        size_t open = 0;
        for (const std::string& phrase : phrases)
            for (size_t n = 1; n <= phrase.size(); n++)
                if (text.ends_with(phrase.substr(0, n))) open = std::max(open, n);
        CHECK(list.contains_one(text) == expected);
        CHECK(list.open_bytes(text) == open);
        n_found += expected;
    }
    CHECK(n_found > 100);
}

TEST_CASE("an answer holds back what may become a phrase and gives it out when it does not") {
    const test::TempDir folder;
    const auto filter = list_filter(folder, "was a little\n");
    CHECK(shown(nullptr, {"a", "b"}) == "a|b");
    CHECK(shown(filter.get(), {"it", " was", " a", " big"}) == "it| ||was a big");
    CHECK(shown(filter.get(), {"it", " was", " a", " little"}) == "it| ||!");
    CHECK(shown(filter.get(), {"it", " was", " a"}) == "it| |was a");
    CHECK(shown(filter.get(), {"was was", " a little x"}) == "was |!");
    CHECK(shown(filter.get(), {""}) == "");
}

TEST_CASE("a list that cannot be used is refused, and none at all is no filter") {
    const test::TempDir folder;
    CHECK(make_content_filter("", "") == nullptr);
    CHECK_THROWS_AS(make_content_filter(folder.file("missing"), ""), ApiError);
    CHECK_THROWS_AS(list_filter(folder, std::string(2000, 'x') + "\n"), ApiError);
    CHECK_THROWS_AS(make_content_filter("", folder.file("missing.so")), ApiError);
}

TEST_CASE("a long list is looked for in a long text in linear time") {
    std::vector<std::string> phrases;
    for (int i = 0; i < 5000; i++) phrases.push_back(std::string(40, 'a') + std::to_string(i));
    const PhraseList list(phrases);
    const std::string text(400000, 'a');
    const auto begin = std::chrono::steady_clock::now();
    CHECK(!list.contains_one(text));
    CHECK(list.open_bytes(text) == 40);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("a function of a shared library judges prompts and answers") {
    const auto filter = make_content_filter("", BITNET_TEST_FILTER_PLUGIN);
    REQUIRE(filter);
    CHECK(filter->blocks("a plum in a prompt", false));
    CHECK(!filter->blocks("a plum in an answer", true));
    CHECK(filter->blocks("a quince in an answer", true));
    CHECK(!filter->blocks("a quince in a prompt", false));
    CHECK(shown(filter.get(), {"a qui", "n", "ce"}) == "a qui|n|!");
    // A library without the function.
    CHECK_THROWS_AS(make_content_filter("", BITNET_TEST_OTHER_LIBRARY), ApiError);
}
