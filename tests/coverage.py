# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests have run of everything that is no test, by gcov: for each room and in all, lines and branches.

    coverage.py BUILD SOURCES

Many objects are made of one source (the archive, programs that compile parts of it again); a line counts as run when
one of them ran it. A piece of code that no test has run must have its reason in tests/uncovered: a line there is a pattern
of files, a regular expression found in a line of the piece or in the one before it, and the reason. All pieces with their
reasons go to BUILD/uncovered.txt; those without are printed, and fail."""
import collections
import fnmatch
import json
import os
import re
import subprocess
import sys

LINES, BRANCHES, ROOM = 96.0, 85.0, 80.0  # per cent, at least
NO_ROOMS = ("tests", "bench", "build-aux")


def gcov(path):
    """Yields (file, line, count, [count of each branch]) of one object."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", path], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        print(f"# cannot be read: {path}")
        return
    for text in done.stdout.splitlines():
        report = json.loads(text)
        for file in report["files"]:
            name = os.path.join(report["current_working_directory"], file["file"])
            for line in file["lines"]:
                yield name, line["line_number"], line["count"], [branch["count"] for branch in line["branches"]]


class Line:
    def __init__(self):
        self.count = 0
        self.branches = []

    def add(self, count, branches):
        self.count += count
        # the same line of another object: compiled with other macros it may have other branches
        if len(branches) == len(self.branches):
            self.branches = [a + b for a, b in zip(self.branches, branches)]
        elif len(branches) > len(self.branches):
            self.branches = branches


def objects(build):
    for directory, _, names in os.walk(build):
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith(".gcda") and os.path.getsize(path) > 0:
                yield path


def read(build, sources):
    files = collections.defaultdict(lambda: collections.defaultdict(Line))
    for path in sorted(objects(build)):
        for name, number, count, branches in gcov(path):
            name = os.path.relpath(os.path.realpath(name), sources)
            if not name.startswith("..") and name.split(os.sep)[0] not in NO_ROOMS:
                files[name][number].add(count, branches)
    return files


def sums(lines):
    """(lines, run, branches, taken)"""
    branches = [count for line in lines for count in line.branches]
    return len(lines), sum(line.count > 0 for line in lines), len(branches), sum(count > 0 for count in branches)


def per_cent(of, some):
    return 100.0 * some / of if of else 100.0


def show(name, lines):
    n_lines, run, n_branches, taken = sums(lines)
    print(f"{name:14} {n_lines:7} {per_cent(n_lines, run):7.1f} {n_branches:9} {per_cent(n_branches, taken):7.1f}")
    return per_cent(n_lines, run), per_cent(n_branches, taken)


def reasons(path):
    with open(path, encoding="utf-8") as file:
        for text in file:
            if text.strip() and not text.startswith("#"):
                name, pattern, why = (word.strip() for word in text.split("\t") if word.strip())
                yield name, re.compile(pattern), why


def pieces(lines):
    """Yields lists of line numbers that follow each other and were not run, each after the last line before it that was."""
    piece = []
    for number in sorted(lines):
        if lines[number].count > 0:
            if len(piece) > 1:
                yield piece
            piece = [number]
        else:
            piece.append(number)
    if len(piece) > 1:
        yield piece


def list_uncovered(files, sources, known):
    """Yields (what, why or None) of each piece."""
    for name, lines in sorted(files.items()):
        with open(os.path.join(sources, name), encoding="utf-8") as file:
            text = [""] + [line.strip() for line in file]
        for piece in pieces(lines):
            whys = [why for of, pattern, why in known if fnmatch.fnmatch(name, of) and any(pattern.search(text[at]) for at in piece)]
            yield f"{name}:{piece[1]}: {text[piece[0]]} -> {text[piece[1]]}", whys[0] if whys else None


def main():
    build, sources = sys.argv[1:]
    files = read(build, os.path.realpath(sources))
    rooms = collections.defaultdict(list)
    for name, lines in files.items():
        rooms[name.split(os.sep)[0]] += lines.values()
    print(f"{'room':14} {'lines':>7} {'%':>7} {'branches':>9} {'%':>7}")
    low = [name for name, lines in sorted(rooms.items()) if min(show(name, lines)) < ROOM]
    lines, branches = show("all", [line for of in rooms.values() for line in of])
    for name in low:
        print(f"# below {ROOM} %: {name}")
    uncovered = list(list_uncovered(files, os.path.realpath(sources), list(reasons(os.path.join(sources, "tests", "uncovered")))))
    with open(os.path.join(build, "uncovered.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{what}\n\t{why or 'no reason'}\n" for what, why in uncovered)
    without = [what for what, why in uncovered if not why]
    print(f"{len(uncovered)} pieces of code were not run; {len(without)} of them without a reason in tests/uncovered")
    print("\n".join(without))
    sys.exit(lines < LINES or branches < BRANCHES or bool(low) or bool(without))


main()
