#!/usr/bin/env python3
"""Writes unicode_classes_data.inc: the class of every code point outside ASCII as a list of runs.

Run with a Python whose unicodedata is version 16.0 (Python 3.14, or the package unicodedata2 16.0.0):
    python3 unicode_classes.py > unicode_classes_data.inc
Each entry is start * 64 + class; the class numbers are those of CharClass in unicode_classes.h. Class 63 stands for
code points that are Lu and Ll in turn, beginning with Lu: a third of all runs.
"""
try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata
import sys

if unicodedata.unidata_version != "16.0.0":
    sys.exit("need Unicode 16.0.0, this Python has " + unicodedata.unidata_version)

NAMES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn "
         "invalid_byte next_line long_s kelvin circled_letter joiner "
         "Po_late Pd_late Ps_late Pe_late So_early_punct Mn_early_punct Cn_late_digit").split()
CLASS = {name: i for i, name in enumerate(NAMES)}
ALTERNATING = 63

# Code points that Hugging Face's "Punctuation" does not know as \p{P} (its table is that of Unicode 8), the two it has
# that are something else today, and the digits of Unicode 17 that its "Digits" knows.
LATE_PUNCT = """61d 9fd a76 c77 c84 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10f55-10f59 10f86-10f89
113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b 11944-11946 119e2 11a3f-11a46 11a9a-11a9c
11a9e-11aa2 11b00-11b09 11be1 11c41-11c45 11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff 12ff1-12ff2 16d6d-16d6f 16e97-16e9a
16fe2 1e5ff 1e95e-1e95f"""
LATE_DIGITS = "11de0-11de9 16ff4-16ff6"
CIRCLED = "24b6-24e9 1f130-1f149 1f150-1f169 1f170-1f189"  # So, but alphabetic


def members(ranges):
    out = set()
    for item in ranges.split():
        first, _, last = item.partition("-")
        out.update(range(int(first, 16), int(last or first, 16) + 1))
    return out


late_punct, late_digits, circled = members(LATE_PUNCT), members(LATE_DIGITS), members(CIRCLED)


def class_of(cp):
    if cp == 0x85:
        return CLASS["next_line"]
    if cp == 0x17F:
        return CLASS["long_s"]
    if cp == 0x212A:
        return CLASS["kelvin"]
    if cp in (0x200C, 0x200D):
        return CLASS["joiner"]
    if cp == 0x166D:
        return CLASS["So_early_punct"]
    if cp == 0x111C9:
        return CLASS["Mn_early_punct"]
    if cp in circled:
        return CLASS["circled_letter"]
    if cp in late_digits:
        return CLASS["Cn_late_digit"]
    category = "Cn" if 0xD800 <= cp < 0xE000 else unicodedata.category(chr(cp))
    return CLASS[category + "_late"] if cp in late_punct else CLASS[category]


classes = [class_of(cp) for cp in range(0x110000)]
entries, cp = [], 0x80
while cp < 0x110000:
    end = cp
    while end < 0x110000 and classes[end] == (CLASS["Lu"], CLASS["Ll"])[(end - cp) % 2]:
        end += 1
    if end - cp >= 4:
        if classes[end - 1] == CLASS["Lu"] and end < 0x110000 and classes[end] == CLASS["Lu"]:
            end -= 1  # let a run of Lu begin whole
        entries.append(cp * 64 + ALTERNATING)
    else:
        end = cp
        while end < 0x110000 and classes[end] == classes[cp]:
            end += 1
        entries.append(cp * 64 + classes[cp])
    cp = end

print("// Made by unicode_classes.py from Unicode 16.0.0: start * 64 + class for every run of code points from "
      "U+0080 on.")
line = ""
for entry in entries:
    text = "%d," % entry
    if len(line) + len(text) > 120:
        print(line)
        line = ""
    line += text
print(line)
