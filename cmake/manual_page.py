"""The manual page of a program from what its --help prints: manual_page.py PROGRAM NAME FOLDER writes FOLDER/NAME.1.

Understands the layout of CLI11's help: headings end with a colon, options are indented by two spaces, their descriptions
stand behind them or further right on the next lines. Subcommands are asked for theirs. The date is SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

COLUMN = 30  # where CLI11 begins descriptions


def help_of(*command: str) -> list[str]:
    # Defaults that an environment variable changes belong to this machine, not into a manual.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BITNET_")}
    done = subprocess.run([*command, "--help"], text=True, capture_output=True, env=clean, check=True)
    return done.stdout.rstrip().splitlines()


def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def entries(lines: list[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Headings with their (term, description) lists."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line, following in zip(lines, [*lines[1:], ""]):
        if re.fullmatch(r"\S.*:", line):
            found.append((line[:-1], []))
        elif found and re.match(r"  \S", line):
            # A term that reaches into the column of the descriptions has its own on the next line.
            long_term = following.startswith(" " * COLUMN) or len(line) <= COLUMN
            found[-1][1].append((line.strip(), "") if long_term else (line[:COLUMN].strip(), line[COLUMN:].strip()))
        elif found and found[-1][1] and line.strip():
            term, description = found[-1][1][-1]
            found[-1][1][-1] = (term, f"{description} {line.strip()}".strip())
    return found


def options(lines: list[str], heading: str) -> str:
    text = ""
    for group, pairs in entries(lines):
        if group == "Subcommands" or not pairs:
            continue
        text += f'{heading} "{roff(group)}"\n'
        for term, description in pairs:
            text += f".TP\n.B {roff(term)}\n{roff(description)}\n"
    return text


def page(program: str, name: str) -> str:
    lines = help_of(program)
    version = subprocess.run([program, "--version"], text=True, capture_output=True, check=True).stdout
    version = re.search(r"\d+\.\d+\.\d+", version)[0]
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    summary = lines[0].rstrip(".")
    usage = next(line.split(" ", 2)[2] for line in lines if line.startswith("Usage:"))
    text = (f'.TH {name.upper()} 1 "{date}" "bitnet {version}" "User Commands"\n'
            f".SH NAME\n{roff(name)} \\- {roff(summary[0].lower() + summary[1:])}\n"
            f".SH SYNOPSIS\n.B {roff(name)}\n{roff(usage)}\n.SH DESCRIPTION\n{roff(lines[0])}\n")
    text += options(lines, ".SH")
    for group, pairs in entries(lines):
        if group != "Subcommands":
            continue
        text += ".SH COMMANDS\n"
        for command, description in pairs:
            inner = help_of(program, command)
            text += f'.SS "{roff(name)} {roff(command)}"\n{roff(description)}.\n'
            for _, pairs_of in entries(inner):
                for term, what in pairs_of:
                    if not term.startswith("-h,--help"):
                        text += f".TP\n.B {roff(term)}\n{roff(what)}\n"
    return text


if __name__ == "__main__":
    (Path(sys.argv[3]) / f"{sys.argv[2]}.1").write_text(page(sys.argv[1], sys.argv[2]), encoding="utf-8")
