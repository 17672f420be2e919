# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers of the host map run beside an owner that commits, is killed and starts again. SECONDS on the command line
make a long run (60 are more than 10^8 lookups on two cores); ./dev check makes a short one."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Lab, Tap  # noqa: E402


def soak(lab, program, seconds):
    run = os.path.join(lab.path, program)
    code, output, errors = lab.run(os.path.join(BUILDDIR, "tests", "cache", program), run, str(seconds),
                                   timeout=seconds + 60)
    print(f"# {program}: {output}")
    counts = {key: int(value) for key, value in (word.split("=") for word in output.split())}
    counts["size"] = os.stat(os.path.join(run, "cache.v2.mdb")).st_size
    return code, counts, errors


def main():
    tap = Tap()
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with Lab() as lab:
        code, counts, errors = soak(lab, "soak", seconds)
        tap.check("nobody crashes", code == 0 and counts["crashes"] == 0, counts, errors)
        tap.equal("no lookup is wrong, and none misses what is there", counts["faults"], 0)
        tap.check("of very many", counts["lookups"] > seconds * 100000 and counts["kills"] > seconds, counts)
        tap.check("few walks are given up", counts["given_up"] < counts["lookups"] / 100, counts)
        tap.check("the file does not grow", counts["size"] <= 4 << 20, counts)
        _, counts, _ = soak(lab, "soak_believing", 8)
        tap.check("a reader that believes every walk is wrong now and then: the soak would notice",
                  counts["faults"] > 0, counts)
    tap.finish()


main()
