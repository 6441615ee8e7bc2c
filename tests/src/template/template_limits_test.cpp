// Templates that try to do harm: each ends with a status, soon, and without any memory or stack to speak of.
#include <doctest/doctest.h>

#include <chrono>

#include "tests/src/template/template_fixture.h"

using test::failure;

namespace {

std::string repeated(std::string_view text, size_t n) {
    std::string out;
    for (; n > 0; --n) out += text;
    return out;
}

}  // namespace

TEST_CASE("a template bomb ends with BITNET_E_SECURITY_EXHAUSTION after bounded work") {
    const std::string bombs[] = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ range(1000000000) }}",
        "{{ range(-9223372036854775807, 9223372036854775807) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ [0] * 100000000 }}",
        "{% set ns = namespace(t='xxxxxxxxxxxxxxxx') %}{% for i in range(1000) %}{% set ns.t = ns.t + ns.t %}{% endfor "
        "%}{{ ns.t }}",
        "{% set ns = namespace(t=[1]) %}{% for i in range(1000) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
        "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
        "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t == "
        "[ns.t] or ns.t|tojson }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
        "{% for i in range(100000) %}{{ 'y' * 10000 }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 10000).replace('a', 'bb') }}{% endfor %}",
        "{% for i in range(100000) %}{{ range(1000)|sort|unique|list|length }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 50000) in ('a' * 100000) }}{% endfor %}",
        "{{ ('x\n' * 100000)|indent('y' * 100000) }}",
        "{{ ('x' * 100000)|replace('', 'y' * 100000) }}",
        "{{ [1]|tojson(indent=100000) }}",
        "{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}",
        "{{ " + repeated("-", 5000) + "1 }}",
        "{{ " + repeated("not ", 5000) + "1 }}",
        "{{ 1" + repeated(" + 1", 5000) + " }}",
        "{{ x" + repeated(".x", 5000) + " }}",
        "{{ 1" + repeated("|int", 5000) + " }}",
        "{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}",
        repeated("{% if 1 %}", 5000) + repeated("{% endif %}", 5000),
    };
    for (const std::string& bomb : bombs) {
        CAPTURE(bomb.substr(0, 120));
        std::string message;
        const auto begin = std::chrono::steady_clock::now();
        const bitnet_status status = failure(bomb, message);
        const auto elapsed = std::chrono::steady_clock::now() - begin;
        CHECK(status == BITNET_E_SECURITY_EXHAUSTION);
        CHECK(elapsed < std::chrono::seconds(20));  // a sanitizer on a busy machine; milliseconds otherwise
    }
}

TEST_CASE("templates and conversations that are too large or too deep are refused as input") {
    std::string message;
    CHECK(failure(std::string(300000, 'x'), message) == BITNET_E_SECURITY_INPUT);
    CHECK(failure("x", message, R"({"messages": [)" + repeated("[", 100000)) == BITNET_E_SECURITY_INPUT);
    CHECK(failure("x", message, R"({"messages": [], "a": )" + repeated("[", 100) + repeated("]", 100) + "}") ==
          BITNET_OK);
    CHECK(failure("x", message, R"({"messages": [], "a": )" + repeated(R"({"a":)", 5000)) == BITNET_E_SECURITY_INPUT);
}

TEST_CASE("an object with very many keys is read in linear time") {
    std::string json = R"({"messages": [])";
    for (int i = 0; i < 100000; ++i) json += ",\"k" + std::to_string(i) + "\":" + std::to_string(i);
    CHECK(test::rendered("{{ k99999 }}", json + "}") == "99999");
}

TEST_CASE("what is no template names its line and column") {
    const std::pair<const char*, const char*> cases[] = {
        {"a\n{{ 1 + }}", "line 2, column 8: unexpected the end of the tag"},
        {"{% if x %}", "line 1, column"},
        {"{% fi %}", "line 1, column 4: unknown tag 'fi'"},
        {"x\n\n  {{ 'a }}", "line 3, column 6: this text has no closing quote"},
        {"{{ a", "line 1, column 1: this tag has no end"},
        {"{# a", "line 1, column 1: this comment has no end"},
        {"{{ ) }}", "line 1, column 4: unexpected ')'"},
        {"{{ (] }}", "line 1, column 5: expected ')', found ']'"},
        {"{% break %}", "break outside a loop"},
        {"{{ 1 2 }}", "line 1, column 6: expected the end of the tag, found '2'"},
        {"{% set true = 1 %}", "cannot assign to true"},
        {"{{ f(a=1, 2) }}", "without a name"},
        {"{% for x in y recursive %}{% endfor %}", "recursive loops are not supported"},
        {"{% include 'etc/passwd' %}", "unknown tag 'include'"},
        {"{% import 'os' as os %}", "unknown tag 'import'"},
        {"\xff", "not UTF-8"},
    };
    for (const auto& [text_of_case, expected] : cases) {
        const auto& source = text_of_case;  // C++20 captures bindings, clang 14 does not yet
        CAPTURE(source);
        std::string message;
        CHECK(failure(source, message) == BITNET_E_CONFIG);
        CHECK(message.find(expected) != std::string::npos);
        CAPTURE(message);
    }
}

TEST_CASE("a template that fails names its line, raise_exception its sentence") {
    std::string message;
    CHECK(failure("a\n{{ x.y.z }}", message) == BITNET_E_ARGUMENT);
    CHECK(message == "the chat template, line 2: 'x' is undefined");
    CHECK(failure("{{ raise_exception('roles must\nalternate') }}", message) == BITNET_E_ARGUMENT);
    CHECK(message.find("roles must") != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(failure("{{ 1 // 0 }}", message) == BITNET_E_ARGUMENT);
    CHECK(failure("{{ 9223372036854775807 + 1 }}", message) == BITNET_E_ARGUMENT);
    CHECK(failure("{{ 'a' + 1 }}", message) == BITNET_E_ARGUMENT);
    CHECK(failure("{{ 'a'|nonsense }}", message) == BITNET_E_ARGUMENT);
    CHECK(failure("{{ messages.append(1) }}", message) == BITNET_E_ARGUMENT);
}

TEST_CASE("attributes reach data and nothing behind it") {
    for (const char* source : {"{{ ''.__class__ }}", "{{ messages.__init__ }}", "{{ (1).real }}",
                               "{{ range.__globals__ }}", "{{ namespace().__dict__ }}", "{{ self }}", "{{ cycler }}",
                               "{{ ''['__class__'] }}", "{{ messages|map(attribute='__class__')|list|join }}"}) {
        CAPTURE(source);
        CHECK(test::rendered(source).empty());
    }
    std::string message;
    CHECK(failure("{{ ''.__class__.__mro__ }}", message) == BITNET_E_ARGUMENT);
}

TEST_CASE("what is no conversation is an argument that is wrong") {
    for (const char* json :
         {"", "{", "[]", "null", "{}", R"({"messages": {}})", R"({"messages": [1]})", "{\"messages\": [\"\xff\"]}",
          R"({"messages": [], "now": 1e300})", R"({"messages": []} x)"}) {
        CAPTURE(json);
        std::string message;
        CHECK(failure("{{ messages }}", message, json) == BITNET_E_ARGUMENT);
    }
}
