# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual pages: mandoc finds no fault in them, and they are complete."""
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, SRCDIR, Tap, need  # noqa: E402

PAGES = ["srvmesh.1", "srvmesh-incidents.7", "srvmesh-recipes.7", "srvmesh-upgrades.7", "srvmesh.conf.5", "nss_srvmesh.8",
         "srvmeshd.8"]
# the other manuals of this host do not matter; references to ours are checked below
NOT_OF_THE_PAGE = ("referenced manual not found", "outdated mandoc.db")


def read(*path):
    with open(os.path.join(SRCDIR, *path), encoding="utf-8") as file:
        return file.read()


def text_of(page):
    """The rendered text of the page, in one line."""
    done = subprocess.run([need("mandoc"), "-T", "ascii", "-O", "width=1000", os.path.join(SRCDIR, "man", page)],
                          stdout=subprocess.PIPE, check=True, text=True)
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", done.stdout))


def lint(tap, page):
    done = subprocess.run([need("mandoc"), "-T", "lint", os.path.join(SRCDIR, "man", page)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True)
    said = [line for line in done.stdout.splitlines() if not any(words in line for words in NOT_OF_THE_PAGE)]
    tap.equal(f"mandoc finds nothing in {page}", said, [])
    ours = re.findall(r"^\.Xr (\S*srvmesh\S*) (\d)", read("man", page), re.M)
    tap.equal(f"the pages of ours that {page} names are there",
              [f"{name}.{section}" for name, section in ours if f"{name}.{section}" not in PAGES], [])


def keys(tap):
    """Every key is there, in the order of the sample, with its default, and no other key."""
    sample = re.findall(r"^#(\w+) += *([^#\n]*?) *(?:#|$)", read("conf", "srvmesh.conf"), re.M)
    sample = sample[:sample.index(("search", "no")) + 1]
    page = read("man", "srvmesh.conf.5")
    said = re.findall(r"^\.It Ic (\w+) No = Ar .*?(?: Pq Cm (\S+))?$", page, re.M)
    tap.equal("srvmesh.conf(5) has every key of the sample with its default, and no other", sorted(said), sorted(sample))
    tap.check("... some forty of them", len(said) > 35, said)


def daemon(tap):
    page = text_of("srvmeshd.8")
    source = "".join(read("daemon", os.path.basename(path)) for path in glob.glob(os.path.join(SRCDIR, "daemon", "*.c")))
    for number in sorted(set(re.findall(r"uv_signal_start\([^;]*, (SIG\w+)\)", source))):
        tap.check(f"srvmeshd(8) says what {number} does", number in page)
    events = set(re.findall(r'(?:sm_log(?:_number|_rarely)?\(|log_road\(store, )SM_LOG_\w+,\s*"([^"]+)"', source))
    events |= set(re.findall(r'return fail\("([^"]+)"', source)) | set(re.findall(r'is_down \? "([^"]+)" : "[^"]+"', source))
    tap.check("the log's events are found in the source", len(events) > 15, events)
    tap.equal("srvmeshd(8) has every event of the log", sorted(event for event in events if event not in page), [])
    usage = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    tap.equal("srvmeshd(8) has every option", [o for o in re.findall(r"--\w+", usage) if o not in page], [])
    for code in re.findall(r"EXIT_\w+ = (\d)", source):
        tap.check(f"srvmeshd(8) has exit code {code}", re.search(rf"EXIT STATUS.* {code} ", page) is not None)


def command(tap):
    page = text_of("srvmesh.1")
    counted = re.findall(r'(?:count|gauge)\(&?filling, "(\w+)", ', read("daemon", "figures.c")) + ["shared"]
    tap.check("the figures are found in the source", len(counted) > 35, counted)
    tap.equal("srvmesh(1) has all that the status says", [c for c in counted if f" {c} " not in page], [])
    for code in re.findall(r"EXIT_\w+ = (\d)", read("cli", "exit.h")):
        tap.check(f"srvmesh(1) has exit code {code}", re.search(rf"EXIT STATUS.* {code} ", page) is not None)
    synopsis, text = page[:page.index(" DESCRIPTION ")], page[page.index(" DESCRIPTION "):]
    table = subprocess.run([os.path.join(BUILDDIR, "srvmesh"), "help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    names = re.findall(r"^  ([a-z]+(?:-[a-z]+)?(?: show| flush)?)\b", table, re.M)
    tap.check("the table of commands is found", len(names) > 20, names)
    tap.equal("srvmesh(1) has every command", [n for n in names if n not in synopsis or n not in text], [])
    for name in names:
        said = subprocess.run([os.path.join(BUILDDIR, "srvmesh"), "help", *name.split()], stdout=subprocess.PIPE, check=True,
                              text=True).stdout
        tap.equal(f"srvmesh(1) has every option of {name}", [o for o in re.findall(r"--[a-z]\w+", said) if o not in text], [])
    schema = json.loads(read("docs", "srvmesh.schema.json"))["definitions"]
    without = {"run", "metrics", "monitor", "help", "disable", "enable", "shared-key"}
    tap.equal("the schema has every command that prints JSON", [n for n in names if n not in without | {"cache"} and
                                                                n.replace(" ", "_").replace("-", "_") not in schema], [])


def metrics(tap):
    """Families that are written by name; the others are the figures, which srvmesh(1) has."""
    page = text_of("srvmeshd.8")
    names = sorted(set(re.findall(r'begin\(&?\*?writing, "(\w+)"', read("daemon", "metrics.c"))))
    tap.check("the metrics are found in the source", len(names) > 12, names)
    tap.equal("srvmeshd(8) has every metric", [n for n in names if f"srvmesh_{n}" not in page], [])


def module(tap):
    page = text_of("nss_srvmesh.8")
    told = set(re.findall(r"NSS_STATUS_(\w+), \w+, (\w+)\}", read("nss_srvmesh", "verdict.c")))
    tap.check("the verdicts are found in the source", len(told) == 6, told)
    tap.equal("nss_srvmesh(8) has every verdict", [t for t in sorted(told) if not re.search(rf"{t[0]}, {t[1]}\b", page)], [])
    words = read("packaging", "nsswitch")
    line = re.search(r'text\["hosts"\] = "([^"]+)"', words).group(1)
    tap.check("nss_srvmesh(8) has the hosts line that the package writes", f"files {line} dns" in page)
    for source in ("cache/map.h", "cache/owner.h", "conf/conf.h"):
        for file in re.findall(r'"(/etc/[\w.]+|\w[\w.]+\.(?:mdb|lock))"', read(*source.split("/"))):
            tap.check(f"{file} is in a manual", any(file in text_of(p) for p in PAGES))


def main():
    tap = Tap()
    for page in PAGES:
        lint(tap, page)
    keys(tap)
    daemon(tap)
    command(tap)
    metrics(tap)
    module(tap)
    tap.finish()


main()
