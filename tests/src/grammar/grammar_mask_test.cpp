// The mask of allowed tokens against brute force: random grammars, each token tried byte by byte on a matcher that is
// written here with plain recursion over the grammar's expressions and whole stacks.
#include <doctest/doctest.h>

#include <set>

#include "src/sampler/rng.h"
#include "tests/src/grammar/grammar_fixture.h"

using namespace bitnet;

namespace {

// A grammar as a tree of its own, written out as GBNF for the code under test.
struct Expr {
    enum Kind { literal, set, rule, sequence, choice, star, optional } kind;
    std::string text;     // literal: UTF-8; set: as in the brackets
    CodePointSet points;  // set
    size_t index = 0;     // rule
    std::vector<Expr> parts;
};

struct Rules {
    std::vector<Expr> bodies;
    std::string gbnf() const {
        std::string out;
        for (size_t i = 0; i < bodies.size(); ++i) out += name(i) + " ::= " + write(bodies[i]) + "\n";
        return out;
    }
    static std::string name(size_t i) { return i == 0 ? "root" : "r" + std::to_string(i); }
    static std::string write(const Expr& e) {
        std::string out;
        switch (e.kind) {
            case Expr::literal: return "\"" + e.text + "\"";
            case Expr::set: return "[" + e.text + "]";
            case Expr::rule: return name(e.index);
            case Expr::star: return "(" + write(e.parts[0]) + ")*";
            case Expr::optional: return "(" + write(e.parts[0]) + ")?";
            default: break;
        }
        for (const Expr& part : e.parts) out += (out.empty() ? "" : e.kind == Expr::choice ? " | " : " ") + write(part);
        return "(" + out + ")";
    }
};

// Whether text is the beginning of a text of the grammar: depth first, with what is still to match as a list of expressions.
// A character that is cut off at the text's end fits when some way to complete it does.
class Naive {
public:
    Naive(const Rules& rules, std::string_view text) : rules_(rules), text_(text) {}
    bool viable() { return match({&rules_.bodies[0]}, 0, false); }
    bool complete() { return match({&rules_.bodies[0]}, 0, true); }

private:
    using List = std::vector<const Expr*>;  // the last one comes next

    bool match(List todo, size_t at, bool whole) {
        for (;;) {
            if (todo.empty()) return at == text_.size();
            if (!whole && at == text_.size()) return true;  // every rule can end
            if (todo.size() > 40) return false;  // longer than any text tried here, by the shape of the grammars below
            const Expr& e = *todo.back();
            todo.pop_back();
            switch (e.kind) {
                case Expr::rule: todo.push_back(&rules_.bodies[e.index]); break;
                case Expr::sequence:
                    for (size_t i = e.parts.size(); i-- > 0;) todo.push_back(&e.parts[i]);
                    break;
                case Expr::choice:
                    for (const Expr& part : e.parts) {
                        List next = todo;
                        next.push_back(&part);
                        if (match(next, at, whole)) return true;
                    }
                    return false;
                case Expr::optional:
                case Expr::star: {
                    if (match(todo, at, whole)) return true;
                    if (e.kind == Expr::star) todo.push_back(&e);
                    todo.push_back(&e.parts[0]);
                    break;
                }
                case Expr::literal:
                    for (const char c : e.text) {
                        if (at == text_.size()) return !whole;
                        if (text_[at++] != c) return false;
                    }
                    break;
                case Expr::set: {
                    const std::string_view rest = text_.substr(at);
                    bool cut = false;
                    const size_t n = character(e.points, rest, cut);
                    if (cut) return !whole;
                    if (n == 0) return false;
                    at += n;
                    break;
                }
            }
        }
    }

    // Bytes of the set's character that rest begins with, 0 for none; cut: rest ends inside of one.
    static size_t character(const CodePointSet& points, std::string_view rest, bool& cut) {
        for (const CodePointRange& range : points.ranges()) {
            for (uint32_t c = range.first; c <= range.last; ++c) {
                std::string text;
                utf8_append(text, c);
                if (rest.starts_with(text)) return text.size();
                if (!rest.empty() && text.starts_with(rest)) cut = true;
            }
        }
        return 0;
    }

    const Rules& rules_;
    std::string_view text_;
};

constexpr const char* kTexts[] = {"a", "b", "ab", "\xC3\xA9", "ba", "\xE2\x82\xAC"};

Expr random_expr(Pcg32& rng, int depth, size_t n_rules) {
    Expr e;
    const uint32_t choice = rng.next_u32() % (depth > 2 ? 4 : 9);
    if (choice < 2) {
        e.kind = Expr::literal;
        e.text = kTexts[rng.next_u32() % std::size(kTexts)];
    } else if (choice == 2) {
        e.kind = Expr::set;
        static constexpr struct {
            const char* text;
            uint32_t first, last;
        } kSets[] = {{"a-b", 'a', 'b'},
                     {"\xC3\xA0-\xC3\xAF", 0xE0, 0xEF},
                     {"b\\u07FE-\\u0802", 0x7FE, 0x802},
                     {"\\U0000FFFE-\\U00010002", 0xFFFE, 0x10002}};
        const auto& chosen = kSets[rng.next_u32() % std::size(kSets)];
        e.text = chosen.text;
        e.points.add(chosen.first, chosen.last);
        if (chosen.text[0] == 'b') e.points.add('b', 'b');
    } else if (choice == 3) {
        // A character comes first, so no rule begins with itself; and it may be left out, so each can end.
        Expr first{Expr::literal, kTexts[rng.next_u32() % std::size(kTexts)], {}, 0, {}};
        Expr rule{Expr::rule, "", {}, rng.next_u32() % n_rules, {}};
        e.kind = Expr::optional;
        e.parts = {Expr{Expr::sequence, "", {}, 0, {first, rule}}};
    } else if (choice < 6) {
        e.kind = Expr::sequence;
        for (int i = 0; i < 2; ++i) e.parts.push_back(random_expr(rng, depth + 1, n_rules));
    } else if (choice == 6) {
        e.kind = Expr::choice;
        for (int i = 0; i < 3; ++i) e.parts.push_back(random_expr(rng, depth + 1, n_rules));
    } else if (choice == 7) {
        // The naive matcher would go round for ever on a repetition of nothing.
        e.kind = Expr::star;
        e.parts = {Expr{Expr::literal, kTexts[rng.next_u32() % std::size(kTexts)], {}, 0, {}}};
    } else {
        e.kind = Expr::optional;
        e.parts = {random_expr(rng, depth + 1, n_rules)};
    }
    return e;
}

}  // namespace

TEST_CASE("masks allow exactly the tokens that brute force allows, characters split over tokens included") {
    const std::vector<std::string> texts = {"aa",
                                            "ab",
                                            "ba",
                                            "bb",
                                            "aab",
                                            "a\xC3",
                                            "\xA9"
                                            "b",
                                            "\xC3\xA9",
                                            "\xE2\x82",
                                            "\x82\xAC",
                                            "\xAC"
                                            "a",
                                            "abab",
                                            "\xF0\x90\x80",
                                            "\x80\x81",
                                            "\xC3\xA9\xC3\xA9",
                                            "b\xE2\x82\xAC",
                                            "\xDF\xBF",
                                            "\xE0\xA0"};
    const auto tokenizer = test::byte_tokenizer(texts);
    Pcg32 rng(7);
    size_t n_allowed = 0, n_forbidden = 0, n_ends = 0, n_partial = 0;
    for (int round = 0; round < 120; ++round) {
        Rules rules;
        for (int i = 0; i < 3; ++i) rules.bodies.push_back(random_expr(rng, 0, 3));
        const std::string text = rules.gbnf();
        CAPTURE(text);
        const auto grammar = test::gbnf(text, tokenizer);
        GrammarFilter filter(grammar);
        std::string written;
        for (int step = 0; step < 8; ++step) {
            CAPTURE(written);
            REQUIRE(Naive(rules, written).viable());
            CHECK(filter.may_end() == Naive(rules, written).complete());
            const std::span<const uint64_t> allowed = filter.allowed();
            std::vector<bitnet_token> may_come;
            for (bitnet_token token = 0; token < tokenizer->n_vocab(); ++token) {
                const std::string_view output = tokenizer->output(token);
                const bool expected = tokenizer->is_end(token)
                                          ? Naive(rules, written).complete()
                                          : !output.empty() && Naive(rules, written + std::string(output)).viable();
                CAPTURE(token);
                CHECK(is_allowed(allowed, static_cast<size_t>(token)) == expected);
                if (expected && !output.empty()) may_come.push_back(token);
                ++(expected ? n_allowed : n_forbidden);
            }
            n_ends += filter.may_end() ? 1 : 0;
            if (may_come.empty()) break;
            const bitnet_token next = may_come[rng.next_u32() % may_come.size()];
            filter.accept(next);
            written += tokenizer->output(next);
            n_partial += utf8_complete_prefix(written) != written.size() ? 1 : 0;
        }
    }
    // The cases were not trivial.
    CHECK(n_allowed > 1000);
    CHECK(n_forbidden > 10000);
    CHECK(n_ends > 50);
    CHECK(n_partial > 20);
}

TEST_CASE("end tokens are allowed exactly where the grammar may end, and alone once the text has ended") {
    const auto tokenizer = test::byte_tokenizer({"aa", "aaa"});
    GrammarFilter filter(test::gbnf("root ::= \"aa\" \"a\"?", tokenizer));
    const auto end = static_cast<size_t>(tokenizer->info().eos);
    const auto bos = static_cast<size_t>(tokenizer->info().bos);
    CHECK_FALSE(is_allowed(filter.allowed(), end));
    CHECK(test::error_of([&] { filter.accept(static_cast<bitnet_token>(end)); }).starts_with("BITNET_E_STATE: "));
    filter.accept('a');
    CHECK_FALSE(is_allowed(filter.allowed(), end));
    filter.accept('a');
    CHECK(is_allowed(filter.allowed(), end));
    CHECK(is_allowed(filter.allowed(), 'a'));
    CHECK_FALSE(is_allowed(filter.allowed(), 256));
    filter.accept('a');
    const auto only_end = [&] {
        size_t n = 0;
        for (size_t token = 0; token < static_cast<size_t>(tokenizer->n_vocab()); ++token)
            n += is_allowed(filter.allowed(), token);
        return n == 1 && is_allowed(filter.allowed(), end);
    };
    CHECK(only_end());
    filter.accept(static_cast<bitnet_token>(end));
    CHECK(only_end());
    CHECK_FALSE(is_allowed(filter.allowed(), bos));
    CHECK(test::error_of([&] { filter.accept('a'); }).find("the text has ended") != std::string::npos);
    filter.reset();
    CHECK(is_allowed(filter.allowed(), 256));
    CHECK_FALSE(is_allowed(filter.allowed(), end));
}

TEST_CASE("a token that does not fit leaves the text as it was") {
    GrammarFilter filter(test::gbnf("root ::= \"abc\"", test::byte_tokenizer({"ax"})));
    for (const bitnet_token token :
         {bitnet_token{'b'}, bitnet_token{256}, bitnet_token{257}, bitnet_token{-1}, bitnet_token{99999}}) {
        CHECK(test::error_of([&] { filter.accept(token); }).starts_with("BITNET_E_STATE: the grammar does not allow"));
    }
    for (const bitnet_token token : {'a', 'b', 'c'}) filter.accept(token);
    CHECK(filter.may_end());
}
