"""A library does not end or write over its host: no_abort_no_print.py [--debug] <archive or shared library>...

No object of ours may refer to a function that prints, exits or aborts. What the compiler or the standard library puts in
by itself stands in UNAVOIDABLE with its reason; a new line there is reviewed. --debug is for builds with assertions.
"""

from __future__ import annotations

import fnmatch
import sys

import source_tree
from symbols import demangled, symbols

FORBIDDEN = """
abort exit _exit _Exit quick_exit raise kill longjmp siglongjmp __assert_fail __assert
printf vprintf fprintf vfprintf dprintf vdprintf puts fputs putchar putc fputc _IO_putc putchar_unlocked perror psignal
__printf_chk __vprintf_chk __fprintf_chk __vfprintf_chk __dprintf_chk __vdprintf_chk syslog vsyslog error warn err
stdout stderr
_ZSt4cout _ZSt4cerr _ZSt4clog _ZSt5wcout _ZSt5wcerr _ZSt5wclog _ZNSt8ios_base4InitC1Ev
_ZSt9terminatev _ZSt10unexpectedv _ZSt13get_terminatev __cxa_call_terminate __cxa_throw_bad_array_new_length
_ZSt20__glibcxx_assert* _ZSt21__glibcxx_assert_fail*
""".split()

# Symbol -> why it cannot be reached or cannot be avoided.
UNAVOIDABLE = {
    "_ZSt9terminatev": "put in by the compiler: what a noexcept function does with an exception that cannot occur in it, and "
                       "what ~thread does with a thread nobody joined (the pool joins every thread it starts)",
    "__cxa_throw_bad_array_new_length": "throws std::bad_array_new_length, which api_guard.h turns into a status",
}
# Only in builds with assertions (-D_GLIBCXX_ASSERTIONS, no NDEBUG): there, ending the test is the point.
DEBUG_ONLY = ("_ZSt20__glibcxx_assert*", "_ZSt21__glibcxx_assert_fail*", "__assert_fail")


def check(paths: list[str], debug: bool) -> tuple[list[str], int]:
    problems = []
    count = 0
    allowed = set(UNAVOIDABLE) | set(DEBUG_ONLY if debug else ())
    for path in paths:
        found = [symbol for symbol in symbols(path, *(["--dynamic"] if ".so" in path else []), "--undefined-only")]
        count += len(found)
        bad = [symbol for symbol in found if any(fnmatch.fnmatchcase(symbol.name, name) for name in FORBIDDEN)
               and not any(fnmatch.fnmatchcase(symbol.name, name) for name in allowed)]
        for symbol, readable in zip(bad, demangled([symbol.name for symbol in bad])):
            problems.append(f"{symbol.where} refers to {readable} ({symbol.name}); throw an Error or return instead")
    return problems, count


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    source_tree.report("no_abort_no_print", *check(arguments, "--debug" in sys.argv))
