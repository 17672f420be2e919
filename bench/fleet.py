# SPDX-License-Identifier: LGPL-2.1-or-later
"""What 10,000 hosts with 1,000 names ask DNS in an hour, alone and with a store that they share, while things fail: bench/fleet.c
in virtual time, and docs/fleet.svg of it. Some five minutes, and 350 MB of memory. Words are given to the model: --hosts 1000."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
import chart  # noqa: E402
from lab import BUILDDIR  # noqa: E402

SCENARIOS = ["shared", "alone-in-trouble", "shared-in-trouble", "without-srvmeshd"]
JITTER = ["alone-cold", "alone-cold-without-jitter"]
EVENTS = [(600, "flush"), (1200, "DNS is down"), (1800, "up"), (2100, "store is down"), (2700, "up"), (3000, "all restart")]
BIN = 10


def curve(series, scenario):
    rates = [rate for name, rate in series if name == scenario]
    return [(i, sum(rates[i:i + BIN]) / BIN) for i in range(0, len(rates), BIN)]


def main():
    fleet = os.path.join(BUILDDIR, "bench", "fleet")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "series")
        done = subprocess.run([fleet, "--series", path, *sys.argv[1:], *SCENARIOS], stdout=subprocess.PIPE, text=True, check=True)
        print(done.stdout, end="", flush=True)
        # a host alone does not depend on the others: a tenth of them are enough to see what the jitter does
        subprocess.run([fleet, "--hosts", "1000", *JITTER], check=True)
        with open(path, encoding="utf-8") as file:
            series = [(words[0], int(words[2])) for words in (line.split("\t") for line in file)]
    curves = [("each host alone", curve(series, "alone-in-trouble"), False, 100),
              ("with a store that they share", curve(series, "shared-in-trouble"), True, 100)]
    with open(os.path.join(os.path.dirname(HERE), "docs", "fleet.svg"), "w", encoding="utf-8") as file:
        file.write(chart.lines("Questions a second at DNS, from 10,000 hosts with 1,000 names in use",
                               "./dev bench fleet: srvmeshd's own code in virtual time; TTL 150 s; means of 10 s", curves, EVENTS, 3600))
    print("drawn: docs/fleet.svg")
    mean, peak, share = (float(number) for number in done.stdout.splitlines()[1].split("\t")[2:5])
    sys.exit(0 if share <= 1.5 and peak <= 3 * mean else "more than 1.5 questions for each name and TTL, or a peak of three means")


if __name__ == "__main__":
    main()
