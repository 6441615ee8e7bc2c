// Grammars made to use up time or memory: work is counted in steps of the matcher, not in seconds.
#include <doctest/doctest.h>

#include "tests/src/grammar/grammar_fixture.h"

using namespace bitnet;

TEST_CASE("ambiguous repetitions take few steps for each byte, however long the text gets") {
    const char* const grammars[] = {
        "root ::= ((((\"a\"*)*)*)*)*",
        "root ::= (\"a\" | \"a\" | \"a\"\"a\")*",
        "root ::= (\"a\"? \"a\"? \"a\"? \"a\"? \"a\"?)*",
        "root ::= (e e e \"a\")* e\ne ::= f* | \"\"\nf ::= \"\" | g\ng ::= \"\"",
        "root ::= \"a\" root | \"a\" root | \"\"",
        "root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\"",
        "root ::= \"a\" (root root)? ",
        "root ::= x\nx ::= \"a\" y | \"\"\ny ::= x | \"a\" x | \"b\"",
    };
    for (const char* text : grammars) {
        CAPTURE(text);
        const auto grammar = test::gbnf(text);
        StackStore store(grammar->program());
        StackStore::SetId set = store.start();
        uint64_t before = store.n_steps();
        uint64_t most = 0;
        for (int i = 0; i < 300; ++i) {
            set = store.step(set, 'a');
            REQUIRE(set != StackStore::kDead);
            most = std::max(most, store.n_steps() - before);
            before = store.n_steps();
        }
        // With stacks that are not shared, these take 2^300 steps. Here it is at most some for each of the bytes before.
        CHECK(most < 300 * 100);
        CHECK(store.n_places(set) < 2000);
    }
}

TEST_CASE("lists written by recursion need no stack, and come back to the same place") {
    const auto grammar =
        test::gbnf("root ::= item root | \"\"\nitem ::= word end\nword ::= [a-z] word | \"\"\nend ::= \";\"");
    StackStore store(grammar->program());
    StackStore::SetId set = store.start();
    set = store.step(store.step(set, 'a'), ';');
    const StackStore::SetId same = set;
    for (int i = 0; i < 100000; ++i) set = store.step(set, i % 3 == 2 ? ';' : 'x');
    CHECK(store.step(set, ';') == same);
    CHECK(store.n_steps() < 10000);  // all else was looked up
}

TEST_CASE("rules that are open too deep within each other are an error, not a crash") {
    const auto grammar = test::gbnf("root ::= \"[\" root \"]\" | \"x\"");
    GrammarFilter filter(grammar);
    for (size_t i = 1; i < StackStore::kMaxDepth; ++i) filter.accept('[');
    const std::string error = test::error_of([&] {
        for (int i = 0; i < 3; ++i) filter.accept('[');
    });
    CHECK(error.starts_with("BITNET_E_SECURITY_EXHAUSTION: "));
    CHECK(error.find("more than 4096 rules open") != std::string::npos);
    // The text goes on from where it was.
    filter.accept('x');
    for (size_t i = 0; i < 1000; ++i) filter.accept(']');
    CHECK_FALSE(filter.may_end());
    filter.reset();
    filter.accept('x');
    CHECK(filter.may_end());
}

TEST_CASE("too many alternatives at once are an error, not a hang") {
    // After n bytes, a place for each of the 60000 repetitions that may have been left out.
    const auto grammar = test::gbnf("root ::= (\"a\"? \"b\"?){40000} \"c\"");
    const std::string error = test::error_of([&] {
        GrammarFilter filter(grammar);
        for (int i = 0; i < 5; ++i) filter.accept('a');
    });
    CHECK(error.starts_with("BITNET_E_SECURITY_EXHAUSTION: "));
}

TEST_CASE("situations that never repeat are forgotten, and matching goes on rightly") {
    // Each place knows how many characters are left, so each is new; rows of many classes fill the store.
    std::string classes = "root ::= (one | two)*\none ::= \"(\" [a-y]{60000} \")\"\ntwo ::= \"z\" \n";
    const auto grammar = test::gbnf(classes);
    GrammarFilter filter(grammar);
    StackStore reference(grammar->program());
    filter.accept('(');
    for (int i = 0; i < 60000; ++i) filter.accept('a' + i % 25);
    CHECK(test::error_of([&] { filter.accept('a'); }) != "");
    filter.accept(')');
    filter.accept('z');
    CHECK(filter.may_end());

    StackStore store(grammar->program());
    StackStore::SetId start = store.start(), now = store.step(start, '(');
    for (int i = 0; i < 10; ++i) now = store.step(now, 'a');
    StackStore::SetId* const live[] = {&start, &now};
    store.forget_but(live);
    CHECK(store.accepts(start));
    CHECK(store.step(start, 'z') == start);
    for (int i = 10; i < 60000; ++i) now = store.step(now, 'b');
    CHECK(store.step(now, 'b') == StackStore::kDead);
    now = store.step(now, ')');
    CHECK(now == start);
}
