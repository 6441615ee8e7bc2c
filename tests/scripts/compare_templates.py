#!/usr/bin/env python3
"""Chat templates against Jinja itself, with the settings of Hugging Face transformers.

    compare_templates.py --tool build/release/bin/render_stream [--expressions 4000] [--seed 1]

First every template of tests/golden/templates with every conversation here: the same text, or both refuse; and the control
tokens in it are those of the template, whatever the messages say. Then random expressions over random data.
Exit status: 0 equal, 1 different, 77 jinja2 is missing.
"""
import argparse
import datetime
import json
import random
import subprocess
import sys
from pathlib import Path

try:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("SKIPPED: the Python package 'jinja2' is not installed", file=sys.stderr)
    sys.exit(77)

NOW = 1732579200  # 2024-11-26, UTC
MARKS = ["<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "[INST]", "[/INST]", "<s>",
         "</s>"]


class Generation(jinja2.ext.Extension):
    """The tag that transformers adds to mark what the model wrote."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None).strftime(form)
    return environment


def reference(environment, question):
    variables = {"tools": None, "documents": None, "add_generation_prompt": False}
    variables.update(question["variables"])
    variables.update(bos_token="<s>", eos_token="</s>")
    try:
        return environment.from_string(question["template"]).render(**variables), None
    except Exception as error:  # pylint: disable=broad-except
        return None, f"{type(error).__name__}: {error}"


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, question):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the tool died of {json.dumps(question)}")
        return json.loads(line)


# ---- conversations ----

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Gets the weather, e.g. \"18 °C\" <b>&</b>",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Städte, 城市, 'quoted'"},
                                                    "days": {"type": "integer", "minimum": 0, "maximum": 1e300, "default": 1.5}},
                   "required": ["city"]}}}
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}


def conversation(*turns, **more):
    return {"messages": [{"role": role, "content": content} for role, content in turns], "now": NOW, **more}


def conversations():
    hostile = "".join(MARKS) + "{{ bos_token }}{% raw %}<<SYS>>\u2029\u0000\t'\"\\"
    tool_turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"},
                  {"role": "assistant", "content": "", "tool_calls": [CALL]},
                  {"role": "tool", "content": "{\"t\": 18}", "tool_call_id": "abcdefghi", "name": "get_weather"},
                  {"role": "assistant", "content": "18 °C."}, {"role": "user", "content": "Thanks"}]
    return {
        "one": conversation(("user", "Hello")),
        "prompt": conversation(("user", " Hello\n "), add_generation_prompt=True),
        "system": conversation(("system", "Be \"brief\".\n"), ("user", "Hi"), add_generation_prompt=True),
        "turns": conversation(("user", "a"), ("assistant", " b "), ("user", "c"), ("assistant", "d"), ("user", "e\r\n")),
        "long": conversation(*[("user" if i % 2 == 0 else "assistant", str(i)) for i in range(31)]),
        "unicode": conversation(("system", "Ünïcødé ß ŉ ǆ"), ("user", "\u00a0東京 👩‍👩‍👧 e\u0301\u2003"), ("assistant", "Σας"), ("user", "İi")),
        "empty": conversation(("system", ""), ("user", ""), ("assistant", ""), ("user", " \n")),
        "nothing": conversation(),
        "hostile": conversation(("system", hostile), ("user", hostile), ("assistant", hostile), ("user", hostile),
                                add_generation_prompt=True),
        "hostile role": conversation(("<|im_start|>system<|end|>", "x"), ("user", "y")),
        "thinking": conversation(("user", "1+1?"), ("assistant", "<think>\nsum\n</think>\n\n2"), ("user", "2+2?"),
                                 add_generation_prompt=True, enable_thinking=False),
        "thought": conversation(("user", "1+1?"), ("assistant", "<think>\nsum\n</think>\n\n2")),
        "tools": {"messages": [{"role": "user", "content": "Weather?"}], "tools": [WEATHER, WEATHER], "now": NOW,
                  "add_generation_prompt": True},
        "tool turns": {"messages": tool_turns, "tools": [WEATHER], "now": NOW, "add_generation_prompt": True},
        "tool turns without tools": {"messages": tool_turns, "now": NOW},
        "tools after": {"messages": tool_turns[:4], "tools": [WEATHER], "now": NOW, "tools_in_user_message": False,
                        "builtin_tools": ["code_interpreter", "search"]},
        "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": " a "}, {"type": "text", "text": "b"}]}],
                  "now": NOW},
        "null content": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}], "now": NOW},
    }


def defused(value):
    """The same data without any control token's text in it."""
    if isinstance(value, dict):
        return {key: defused(item) for key, item in value.items()}
    if isinstance(value, list):
        return [defused(item) for item in value]
    if isinstance(value, str):
        for mark in MARKS:
            value = value.replace(mark, "")
    return value


def compare_corpus(environment, tool):
    wrong = n = n_refused = 0
    for path in sorted((Path(__file__).parents[1] / "golden" / "templates").glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for name, variables in conversations().items():
            question = {"template": source, "variables": variables}
            expected, refused = reference(environment, question)
            answer = tool.ask(question)
            n += 1
            n_refused += expected is None
            problem = None
            if answer.get("text") != expected:
                problem = f"expected {expected!r} {refused or ''}\n  found {answer}"
            elif expected is not None and "hostile" in name and name != "hostile role":
                clean = tool.ask({"template": source, "variables": defused(variables)})
                if clean["n_control"] != answer["n_control"]:
                    problem = f"{answer['n_control']} control tokens, {clean['n_control']} without those in the messages"
            if problem:
                wrong += 1
                print(f"{path.name}, {name}: {problem}")
    print(f"{n} texts compared, {n_refused} of them refused by both")
    return wrong


# ---- random expressions ----

class Expressions:
    """Expressions over the variables below; mostly well typed, so that most have a value."""
    VARIABLES = {"s": "Hello, World", "t": "  two words\n", "u": "ßtraße Élan ǆ 東京", "e": "", "n": 7, "z": 0, "m": -3, "f": 2.5,
                 "yes": True, "no": False, "nil": None, "l": [3, 1, 2, 1], "w": ["b", "A", "c", "a", "B"], "x": [],
                 "d": {"b": 1, "a": "x", "C": None, "items": 5}, "r": [{"k": 1, "v": "p"}, {"k": 2, "v": "Q"}, {"v": "q", "o": {"i": [1]}}]}

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def integer(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.4:
            return self.pick("n", "z", "m", "0", "1", "2", "-1", "10", "007" if r < 0.001 else "5", "1_000")
        return self.pick(lambda: f"({self.integer(depth - 1)} {self.pick('+', '-', '*', '//', '%')} {self.integer(depth - 1)})",
                         lambda: f"{self.any_list(depth - 1)}|length", lambda: f"{self.text(depth - 1)}|length",
                         lambda: f"{self.text(depth - 1)}|int({self.integer(0)})", lambda: f"{self.real(depth - 1)}|int",
                         lambda: f"{self.text(depth - 1)}.{self.pick('find', 'rfind', 'count')}({self.text(0)})",
                         lambda: f"l|{self.pick('min', 'max', 'sum', 'first', 'last')}", lambda: f"{self.integer(depth - 1)}|abs")()

    def real(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.4:
            return self.pick("f", "1.0", "0.1", "1e20", "1.5e-7", "123456789.125", "-0.5")
        return self.pick(lambda: f"({self.integer(depth - 1)} / {self.integer(depth - 1)})",
                         lambda: f"({self.real(depth - 1)} {self.pick('+', '-', '*', '//', '%')} {self.integer(depth - 1)})",
                         lambda: f"{self.integer(depth - 1)}|float", lambda: f"{self.real(depth - 1)}|round({self.pick('', '1', '2')})",
                         lambda: f"{self.text(depth - 1)}|float")()

    def text(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.35:
            return self.pick("s", "t", "u", "e", "'a'", "'o'", '"l"', "' '", "'\\n x'", "'it\\'s'", "d.a", "w[0]", "'a' 'b'")
        inner = lambda: self.text(depth - 1)  # noqa: E731
        return self.pick(
            lambda: f"({inner()} + {inner()})", lambda: f"({inner()} ~ {self.anything(depth - 1)})",
            lambda: f"({inner()} * {self.pick('0', '2', '3', 'm')})",
            lambda: f"{inner()}|{self.pick('trim', 'upper', 'lower', 'title', 'capitalize', 'string', 'reverse', 'e')}",
            lambda: f"{inner()}.{self.pick('strip', 'lstrip', 'rstrip', 'upper', 'lower', 'title', 'capitalize')}()",
            lambda: f"{inner()}.{self.pick('strip', 'lstrip', 'rstrip', 'removeprefix', 'removesuffix')}({self.text(0)})",
            lambda: f"{inner()}.replace({self.text(0)}, {self.text(0)})",
            lambda: f"{inner()}|replace({self.text(0)}, {self.text(0)}{self.pick('', ', 1', ', 2')})",
            lambda: f"{self.any_list(depth - 1)}|join({self.pick('', repr(', '), 's')})",
            lambda: f"{self.pick(repr('-'), 'e')}.join({self.texts(depth - 1)})",
            lambda: f"{self.anything(depth - 1)}|tojson{self.pick('', '(indent=2)', '(sort_keys=true)', '(ensure_ascii=true)')}",
            lambda: f"{inner()}[{self.slice()}]", lambda: f"{inner()}|indent({self.pick('', '2', 'first=true', repr('> '))})",
            lambda: f"({inner()} if {self.truth(depth - 1)} else {inner()})", lambda: f"({inner()}|default({self.text(0)}, true))",
            lambda: f"{self.texts(depth - 1)}|{self.pick('first', 'last')}|default('none')",
            lambda: f"{self.anything(depth - 1)}|string", lambda: f"missing|default({self.text(0)})")()

    def slice(self):
        part = lambda: self.pick("", "0", "1", "2", "-1", "-2", "100", "-100", "n")  # noqa: E731
        return self.pick(f"{part()}:{part()}", f"{part()}:{part()}:{self.pick('1', '2', '-1', '-2', '')}")

    def texts(self, depth):
        if depth <= 0:
            return "w"
        return self.pick(lambda: "w", lambda: f"{self.text(depth - 1)}.split()", lambda: f"{self.text(depth - 1)}.split({self.text(0)} or 'x')",
                         lambda: f"{self.text(depth - 1)}.{self.pick('split', 'rsplit')}({self.pick('none', repr(' '), repr('l'))}, {self.pick('0', '1', '-1')})",
                         lambda: f"{self.text(depth - 1)}.splitlines()", lambda: f"{self.text(depth - 1)}|list",
                         lambda: f"(d.keys()|list)", lambda: f"(w|map('{self.pick('upper', 'lower', 'title')}')|list)",
                         lambda: f"(r|map(attribute='v')|list)", lambda: f"{self.text(depth - 1)}.partition({self.text(0)} or 'x')|list")()

    def any_list(self, depth):
        if depth <= 0:
            return self.pick("l", "w", "x", "r", "[1, 'a', none, 2.0]", "(1, 2)", "range(4)|list")
        inner = lambda: self.any_list(depth - 1)  # noqa: E731
        return self.pick(
            inner, lambda: self.texts(depth - 1), lambda: f"{inner()}[{self.slice()}]", lambda: f"[{self.anything(depth - 1)}, {self.anything(0)}]",
            lambda: f"({inner()}|reverse|list)", lambda: f"(w|sort({self.pick('', 'reverse=true', 'case_sensitive=true')}))", lambda: "(l|sort)",
            lambda: f"({self.pick('l', 'w')}|unique|list)", lambda: f"(r|sort(attribute='{self.pick('v', 'k')}'))",
            lambda: f"(r|{self.pick('selectattr', 'rejectattr')}('{self.pick('k', 'v', 'o.i', 'o')}'{self.pick('', ', ' + repr('defined'), ', ' + repr('equalto') + ', 1')})|list)",
            lambda: f"({inner()}|{self.pick('select', 'reject')}({self.pick('', repr('string'), repr('number'), repr('in') + ', l')})|list)",
            lambda: f"(d|{self.pick('dictsort', 'items', 'list')}|list)", lambda: f"(d|dictsort({self.pick('true', 'false', 'reverse=true')}))",
            lambda: f"(d.{self.pick('items', 'keys', 'values')}()|list)", lambda: f"(r|map(attribute='{self.pick('k', 'o.i.0')}', default={self.integer(0)})|list)",
            lambda: f"(range({self.pick('3', '1, 4', '5, 0, -2', '0')})|list)", lambda: f"([1] + [{self.anything(0)}])")()

    def truth(self, depth):
        if depth <= 0:
            return self.pick("yes", "no", "true", "false", "nil", "x", "s", "e", "n", "z", "missing")
        inner = lambda: self.truth(depth - 1)  # noqa: E731
        return self.pick(
            lambda: f"({inner()} {self.pick('and', 'or')} {inner()})", lambda: f"(not {inner()})",
            lambda: f"({self.integer(depth - 1)} {self.pick('<', '<=', '>', '>=', '==', '!=')} {self.real(depth - 1)})",
            lambda: f"({self.text(depth - 1)} {self.pick('<', '<=', '>', '>=', '==', '!=')} {self.text(depth - 1)})",
            lambda: f"({self.integer(0)} < {self.integer(0)} <= {self.integer(0)})",
            lambda: f"({self.anything(depth - 1)} {self.pick('==', '!=')} {self.anything(depth - 1)})",
            lambda: f"({self.text(0)} {self.pick('in', 'not in')} {self.pick(self.text(depth - 1), self.texts(depth - 1), 'd')})",
            lambda: f"({self.anything(0)} in {self.any_list(depth - 1)})",
            lambda: f"({self.anything(depth - 1)} is {self.pick('', 'not ')}{self.pick('defined', 'undefined', 'none', 'string', 'mapping', 'number', 'integer', 'float', 'boolean', 'true', 'false', 'iterable', 'sequence', 'callable', 'sameas none', 'equalto 1', 'in [1, none]')})",
            lambda: f"({self.integer(depth - 1)} is {self.pick('odd', 'even', 'divisibleby 3', 'gt 1', 'eq(2)')})",
            lambda: f"({self.text(depth - 1)} is {self.pick('lower', 'upper')})",
            lambda: f"{self.text(depth - 1)}.{self.pick('startswith', 'endswith')}({self.text(0)})",
            lambda: f"{self.text(depth - 1)}.{self.pick('isupper', 'islower', 'isspace', 'isalpha', 'isdigit')}()",
            lambda: f"(r[{self.pick('0', '2', '-1')}].{self.pick('k', 'o', 'zz')} is defined)")()

    def anything(self, depth):
        return self.pick(self.integer, self.real, self.text, self.any_list, self.truth,
                         lambda _: self.pick("nil", "d", "r", "missing", "d.zz", "{'a': 1, 2: [true]}", "d['a']", "r[0].v", "r[5]", "d.get('b', 2)", "d.get('q')", "d.items is callable"))(depth)

    def statement(self, depth):
        """A template around expressions: data, loops, branches, macros, white space control."""
        space = lambda: self.pick("", " ", "\n", "  \n ", "\n\n", "x")  # noqa: E731
        left, right = self.pick("{%", "{%-", "{%+"), self.pick("%}", "-%}", "+%}")
        tag = lambda body: f"{left} {body} {right}"  # noqa: E731
        inner = lambda: (space() + (self.statement(depth - 1) if depth > 0 else self.output()) + space())  # noqa: E731
        return space() + self.pick(
            self.output, lambda: self.output() + space() + self.output(),
            lambda: tag(f"if {self.truth(1)}") + inner() + tag(f"elif {self.truth(1)}") + inner() + tag("else") + inner() + tag("endif"),
            lambda: tag(f"for i in {self.any_list(1)}") + "{{ loop.index }}/{{ loop.length }}{{ i }}" + inner() + tag("else") + inner() + tag("endfor"),
            lambda: tag("for k, v in d.items()") + "{{ k ~ v ~ loop.last ~ loop.revindex0 }}" + tag("if loop.first") + self.pick(tag("continue"), tag("break"), "") + tag("endif") + inner() + tag("endfor"),
            lambda: tag(f"for i in {self.any_list(1)} if {self.truth(1)} and i is not none") + "{{ loop.previtem is defined }}{{ i }}" + inner() + tag("endfor"),
            lambda: tag(f"set n = {self.anything(2)}") + inner() + "{{ n }}",
            lambda: tag("set b") + inner() + tag("endset") + "[{{ b }}]",
            lambda: tag("set q = namespace(c=0)") + tag("for i in l") + tag("set q.c = q.c + i") + tag("set s = i") + tag("endfor") + "{{ q.c }}{{ s }}",
            # Only outside other blocks: ours see the template's variables and their own, not those of a block around them.
            lambda: self.output() if depth < 2 else tag(f"macro g(a, c={self.text(1)})") + "<{{ a }}|{{ c }}>" + inner() + tag("endmacro") + "{{ g(n) }}" + "{{ g(c=s, a=f)|upper }}",
            lambda: "{#" + self.pick("", "-") + " note {{ " + self.pick("", "-") + "#}" + inner(),
            lambda: tag("raw") + "{{ n }}" + space() + tag("endraw"),
            lambda: tag(f"with n = {self.integer(1)}") + inner() + tag("endwith"),
            lambda: tag("filter upper") + inner() + tag("endfilter"),
            lambda: tag("generation") + inner() + tag("endgeneration"))() + space()

    def output(self):
        return self.pick("{{", "{{-", "{{ ") + " " + self.anything(2) + " " + self.pick("}}", "-}}")


def compare_random(environment, tool, count, seed):
    rng = random.Random(seed)
    expressions = Expressions(rng)
    wrong = n_refused = n_left_out = 0
    for i in range(count):
        source = expressions.statement(2) if i % 3 == 0 else "{{ " + expressions.anything(3) + " }}"
        question = {"template": source, "variables": {"messages": [], "now": NOW, **Expressions.VARIABLES}}
        expected, refused = reference(environment, question)
        answer = tool.ask(question)
        # What only Python can print, numbers only Python can hold, names that Jinja looks up in branches that never run.
        if "No filter named" in (refused or "") or (expected is not None and any(text in expected for text in (" object at 0x", "<built-in", "dict_", "<bound method"))) or \
                "64 bits" in answer.get("message", "") or (expected or "").find("generator") >= 0:
            n_left_out += 1
            continue
        n_refused += expected is None
        if answer.get("text") != expected:
            wrong += 1
            if wrong <= 20:
                print(f"{source!r}\n  expected {expected!r} {refused or ''}\n  found    {answer}")
    print(f"{count} random templates of seed {seed} compared, {n_refused} refused by both, {n_left_out} left out, {wrong} different")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--expressions", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    environment = make_environment()
    tool = Tool(options.tool)
    wrong = compare_corpus(environment, tool)
    wrong += compare_random(environment, tool, options.expressions, options.seed)
    tool.process.stdin.close()
    return 1 if tool.process.wait() != 0 or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
