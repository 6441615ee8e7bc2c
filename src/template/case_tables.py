#!/usr/bin/env python3
"""Writes case_tables_data.inc: upper, lower and title case of every character, as this Python's str has them.

    python3 src/template/case_tables.py > src/template/case_tables_data.inc
"""


def rows(mapping):
    """{first, last, step, difference} for characters whose mapping is one character at a constant distance."""
    out = []
    for code, to in sorted(mapping.items()):
        delta = to - code
        if out and out[-1][3] == delta:
            first, last, step, _ = out[-1]
            gap = code - last
            if gap == step or (first == last and gap == 2) or (step == 0 and gap == 1):
                out[-1] = (first, code, gap, delta)
                continue
        out.append((code, code, 0, delta))
    return [(first, last, step or 1, delta) for first, last, step, delta in out]


def literal(text):
    return '"' + "".join(f"\\x{byte:02X}" for byte in text.encode()) + '"'


def table(name, change, skip=None):
    single, special = {}, {}
    for code in range(0x110000):
        c = chr(code)
        if 0xD800 <= code < 0xE000 or change(c) == (skip(c) if skip else c):
            continue
        to = change(c)
        if len(to) == 1 and not skip:
            single[code] = ord(to)
        else:
            special[code] = to
    for part, lines in (("Ranges", ["{0x%X, 0x%X, %d, %d}" % row for row in rows(single)]),
                        ("Special", ["{0x%X, %s}" % (code, literal(to)) for code, to in sorted(special.items())])):
        if lines:
            print(f"constexpr {'CaseRange' if part == 'Ranges' else 'CaseSpecial'} k{name}{part}[] = {{")
            for line in lines:
                print(f"    {line},")
            print("};")


print("// Case of characters, written by case_tables.py; do not edit.")
table("Upper", str.upper)
table("Lower", str.lower)
table("Title", str.title, str.upper)  # where it is not upper case
