# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transcripts: what a command prints, and how it ends, beside a golden file.

UPDATE_GOLDEN=yes writes the files anew; then read the difference, line by line, before it is committed."""
import difflib
import os
import re

from lab import BUILDDIR, SRCDIR

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
GOLDEN = os.path.join(SRCDIR, "tests", "cli", "golden")


def replaced(text, *pairs):
    for pattern, word in pairs:
        text = re.sub(pattern, word, text, flags=re.M)
    return text


def sorted_draw(text):
    """Which target is drawn is chance: the addresses stand in order, and the one that was drawn has no name."""
    def in_order(match):
        return match[1] + " ".join(sorted(match[2].split())) + match[3] + "DRAWN" + ")"
    text = re.sub(r"(a program gets +)([\d. ]+?)( +\(answers = \w+; drawn: )\S+\)", in_order, text)
    return text


class Transcripts:
    def __init__(self, tap, lab, *normal, prefix=(), **environment):
        self.tap, self.lab, self.normal, self.prefix, self.environment = tap, lab, normal, prefix, environment

    def run(self, *words, **more):
        return self.lab.run(*self.prefix, SRVMESH, *words, **{**self.environment, **more})

    def text_of(self, words, **more):
        code, output, errors = self.run(*words, **more)
        text = f"$ srvmesh {' '.join(words)}\n" + "".join(part + "\n" for part in (output, errors) if part) + f"[exit {code}]\n"
        text = sorted_draw(text.replace(self.lab.path, "DIR").replace(BUILDDIR, "BUILD"))
        return replaced(text, *self.normal)

    def check(self, name, *calls, **more):
        """`calls` are lists of words. Their transcripts together are the file `name`."""
        got = "".join(self.text_of(words, **more) for words in calls)
        path = os.path.join(GOLDEN, name + ".txt")
        if os.environ.get("UPDATE_GOLDEN") == "yes":
            with open(path, "w", encoding="utf-8") as file:
                file.write(got)
        with open(path, encoding="utf-8") as file:
            expected = file.read()
        difference = difflib.unified_diff(expected.splitlines(), got.splitlines(), "golden", "got", lineterm="")
        self.tap.check(f"the transcript {name}", got == expected, *list(difference)[:60])
