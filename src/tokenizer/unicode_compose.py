#!/usr/bin/env python3
"""Writes unicode_compose_data.inc: what Unicode's composed form (NFC) needs, as two lists.

Run with a Python whose unicodedata is version 16.0 (Python 3.14, or the package unicodedata2 16.0.0):
    python3 unicode_compose.py > unicode_compose_data.inc
Hangul syllables are computed and not listed. A canonical decomposition is one or two code points; the ones of two are listed as
they are, not taken apart further.
"""
try:
    import unicodedata2 as unicodedata
except ImportError:
    import unicodedata
import sys

if unicodedata.unidata_version != "16.0.0":
    sys.exit("need Unicode 16.0.0, this Python has " + unicodedata.unidata_version)

print("// Made by unicode_compose.py from Unicode 16.0.0.")


def write(name, kind, entries):
    print("constexpr %s %s[] = {" % (kind, name))
    line = ""
    for entry in entries:
        text = "{%s}," % ",".join("0x%x" % value for value in entry)
        if len(line) + len(text) > 120:
            print(line)
            line = ""
        line += text
    print(line)
    print("};")


classes, decompositions = [], []
for cp in range(0x110000):
    if 0xD800 <= cp < 0xE000:
        continue
    combining = unicodedata.combining(chr(cp))
    if combining:
        if classes and classes[-1][1] == cp - 1 and classes[-1][2] == combining:
            classes[-1][1] = cp
        else:
            classes.append([cp, cp, combining])
    decomposition = unicodedata.decomposition(chr(cp))
    if not decomposition or decomposition.startswith("<") or 0xAC00 <= cp < 0xD7A4:
        continue
    parts = [int(part, 16) for part in decomposition.split()]
    # The last value says whether the pair composes again, which some are excluded from.
    composes = len(parts) == 2 and unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(cp)
    decompositions.append([cp, parts[0], parts[1] if len(parts) == 2 else 0, int(composes)])
write("kCombining", "CombiningRange", classes)
write("kDecompositions", "Decomposition", decompositions)
