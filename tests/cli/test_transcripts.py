# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command prints: golden files, against a fixed map and a clock that stands still; JSON against the schema; and what
the two commands cost that are used most."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILDDIR, IS_SANITIZED, SRCDIR, Daemon, Knot, Lab, Tap, need  # noqa: E402
from transcripts import SRVMESH, Transcripts  # noqa: E402
import jsonschema  # noqa: E402

FROZEN = os.path.join(BUILDDIR, "tests", "frozen_clock.so")
FIXED_MAP = os.path.join(BUILDDIR, "tests", "cli", "fixed_map")
CONF = """[resolver]
servers = 127.0.0.53:5300 127.0.0.54:5300
family = any
timeout = 100ms
deadline = 300ms

[domain mesh]
health = lazy

[service db.mesh]
srv = _postgresql._tcp.db.mesh
attempts = 1

[domain many]
answers = one

[domain off.example]
enabled = no

[cache]
directory = {directory}
embedded = no
"""


def schema():
    with open(os.path.join(SRCDIR, "docs", "srvmesh.schema.json"), encoding="utf-8") as file:
        return json.load(file)


def is_valid(tap, what, command, text):
    """Is the document as the schema says for this command?"""
    whole = schema()
    try:
        jsonschema.validate(json.loads(text), {**whole, "$ref": f"#/definitions/{command}"})
        tap.check(f"the JSON of {what} is as the schema says", True)
    except (jsonschema.ValidationError, ValueError) as error:
        tap.check(f"the JSON of {what} is as the schema says", False, text, error)


def against_the_map(tap):
    with Lab() as lab:
        directory = os.path.join(lab.path, "map")
        lab.file("srvmesh.conf", CONF.format(directory=directory))
        subprocess.run([FIXED_MAP, directory, "0"], env=dict(os.environ, LD_PRELOAD=FROZEN), check=True)
        run = Transcripts(tap, lab, LD_PRELOAD=FROZEN, LC_ALL="C.UTF-8")
        run.check("lookup", ["lookup", "one.mesh"], ["lookup", "--srv", "one.mesh"], ["lookup", "-6", "one.mesh"],
                  ["lookup", "--srv", "plain.mesh"], ["lookup", "nope.mesh"], ["lookup", "empty.mesh"], ["lookup", "fail.mesh"],
                  ["lookup", "www.example.org"], ["lookup", "api.off.example"], ["lookup", "a..mesh"], ["lookup", "-q", "one.mesh"],
                  ["lookup", "one.mesh", "--json=short"], ["lookup", "nope.mesh", "--json=pretty"])
        run.check("explain", ["explain", "api.mesh"], ["explain", "one.mesh"], ["explain", "plain.mesh", "--no-legend"],
                  ["explain", "nope.mesh"], ["explain", "fail.mesh"], ["explain", "www.example.org"],
                  ["explain", "one.mesh", "--json=pretty"])
        run.check("explain-in-colour", ["explain", "api.mesh", "--color=always"])
        run.check("explain-without-utf8", ["explain", "api.mesh"], LC_ALL="C")
        run.check("cache-list", ["cache"], ["cache", "list", "o*"], ["cache", "list", "*.none"], ["cache", "list", "!"],
                  ["cache", "--no-legend"], ["cache", "list", "one.mesh", "-j"])
        run.check("cache-show", ["cache", "show", "api.mesh"], ["cache", "show", "old.mesh"], ["cache", "show", "nope.mesh"],
                  ["cache", "show", "none.mesh"], ["cache", "show", "a..b"], ["cache", "show", "one.mesh", "--json=pretty"])
        run.check("who", ["who", "192.0.2.11"], ["who", "192.0.2.11:80"], ["who", "192.0.2.99"], ["who", "example"],
                  ["who", "192.0.2.50", "--json=short"])
        run.check("show-config", ["show-config", "api.mesh"], ["show-config", "db.mesh", "--no-legend"], ["show-config", "none.example"])
        run.check("check-config", ["check-config"], ["check-config", "-q"], ["check-config", "--json=pretty"])
        run.check("run", ["run", "one.mesh", "--", "echo", "%h:%p", "%t", "100%%", "%x"], ["run", "nope.mesh", "--", "true"],
                  ["run", "plain.mesh", "--", "echo", "%h"], ["run", "plain.mesh", "--", "echo", "%p"],
                  ["run", "one.mesh", "--", "/nonexistent"], ["run", "one.mesh"])
        run.check("without-a-daemon", *([word] for word in ("status", "servers", "health", "metrics", "reload", "log-level", "monitor")),
                  ["cache", "flush", "--all"])
        run.check("help", ["help"], *(["help", *name.split()] for name in
                                      ("lookup", "explain", "run", "cache flush", "monitor", "doctor", "compare")))
        run.check("usage", [], ["nonsense"], ["lookup"], ["lookup", "a", "b"], ["lookup", "--bogus", "a"], ["--json=xml", "lookup", "a"],
                  ["--color=red", "lookup", "a"], ["cache", "nonsense"], ["cache", "flush"], ["cache", "flush", "a", "--all"],
                  ["monitor", "--last", "x"], ["log-level", "loud"], ["help", "nonsense"], ["doctor", "--pid", "x"], ["--version"])
        for words in (["lookup", "one.mesh"], ["lookup", "nope.mesh"], ["explain", "api.mesh"], ["explain", "nope.mesh"],
                      ["explain", "www.example.org"], ["cache", "list"], ["cache", "show", "api.mesh"], ["who", "192.0.2.11"],
                      ["show-config"], ["check-config"]):
            for style in ("short", "pretty"):
                _, output, _ = run.run(*words, f"--json={style}")
                is_valid(tap, f"{' '.join(words)} --json={style}", "_".join(w.replace("-", "_") for w in words[:2] if w in (
                    "lookup", "explain", "who", "show-config", "check-config", "cache", "list", "show")), output)


def said(*words):
    return subprocess.run([SRVMESH, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def help_is_narrow(tap):
    names = re.findall(r"^  ([a-z]+(?:-[a-z]+)?(?: list| show| flush)?)", said("help"), re.M)
    tap.check("help names some twenty commands", len(names) > 20, names)
    lines = said("help").splitlines() + [line for name in names for line in said("help", *name.split()).splitlines()]
    tap.equal("no line of any help is wider than 80 columns", [line for line in lines if len(line) > 80], [])
    tap.equal("--help is help", said("--help"), said("help"))


ZONE = "_api._tcp SRV 10 60 8080 a\n_api._tcp SRV 10 20 8080 b\na A 127.0.0.11\nb A 127.0.0.12\nplain A 127.0.0.50\n"


def against_a_daemon(tap):
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        daemon = Daemon(lab, f"[resolver]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n[domain mesh]\nhealth = lazy\n")
        lab.run(SRVMESH, "lookup", "api.mesh")
        lab.run(SRVMESH, "lookup", "nope.mesh")
        loose = ((r"127\.0\.0\.1:\d+", "SERVER"), (r"\b\d+(\.\d+)? (d|h|min|s|ms|µs)\b", "T"), (r"[ \t]+", " "), (r" $", ""))
        counted = (*loose, (r'(?<!exit )(?<=[=: ])\d+(\.\d+)*\b', "N"))
        run = Transcripts(tap, lab, *loose, LC_ALL="C.UTF-8")
        run.check("health", ["health"], ["health", "--no-legend"])
        numbers = Transcripts(tap, lab, *counted, LC_ALL="C.UTF-8")
        numbers.check("servers", ["servers"])
        numbers.check("status", ["status"])
        run.check("log-level", ["log-level"], ["log-level", "debug"], ["log-level", "debug", "--json=short"], ["log-level", "info"])
        run.check("reload", ["reload"], ["reload", "--json=short"])
        run.check("cache-flush", ["cache", "flush", "api.mesh"], ["cache", "flush", "*.none"], ["cache", "flush", "--all", "--json=short"],
                  ["cache", "flush", "api.mesh", "--everywhere"])
        # it ends by the signal, and in its own time zone
        times = ((r"^\d\d:\d\d:\d\d\.\d{3}", "TIME"), (r'"time":"[^"]*"', '"time":"TIME"'), (r'(took_ms"?[=:])[\d.]+', r"\1N"),
                 (r'([up]id"?[=:])\d+', r"\1N"))
        follow = Transcripts(tap, lab, *loose, *times, prefix=("timeout", "1"), LC_ALL="C.UTF-8")
        lab.run(SRVMESH, "lookup", "late.mesh")
        follow.check("monitor", ["monitor", "--last", "256", "late.mesh"], ["monitor", "--last", "256", "l?te*", "--json=short"])
        for word in ("servers", "health", "status"):
            _, output, _ = run.run(word, "--json=short")
            is_valid(tap, word, word, output)
        daemon.stop()
        knot.stop()


def at_most(tap, lab, sentence, millions, words):
    """The instructions of the whole process, the dynamic linker's included: load on the machine does not change them."""
    _, _, errors = lab.run(need("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null", SRVMESH, *words,
                           LD_PRELOAD=FROZEN)
    found = re.search(r"Collected : (\d+)", errors)
    count = int(found.group(1)) / 1e6 if found else 0
    print(f"# {count:.1f} million instructions")
    if IS_SANITIZED:
        tap.skip(sentence, "sanitized programs are slower, and valgrind does not run them")
    else:
        tap.check(sentence, 0 < count <= millions, count, errors)


def quick_enough(tap):
    """Measured on x86-64 with gcc 12 -O2, plus a third; ten million are some ms."""
    with Lab() as lab:
        directory = os.path.join(lab.path, "map")
        lab.file("srvmesh.conf", CONF.format(directory=directory))
        subprocess.run([FIXED_MAP, directory, "30000"], env=dict(os.environ, LD_PRELOAD=FROZEN), check=True)
        at_most(tap, lab, "lookup of a cached name costs at most 1.2 million instructions, as a whole process", 1.2, ["lookup", "one.mesh"])
        at_most(tap, lab, "cache list of 30,000 names costs at most 1,550 million", 1550, ["cache", "list"])
        at_most(tap, lab, "... as JSON at most 2,150 million", 2150, ["cache", "list", "--json=short"])
        at_most(tap, lab, "... and who at most 130 million", 130, ["who", "192.0.2.50"])
        code, output, _ = lab.run(SRVMESH, "cache", "list", "--no-legend", LD_PRELOAD=FROZEN)
        tap.equal("it lists every one", len(output.splitlines()), 30007)


def main():
    tap = Tap()
    against_the_map(tap)
    help_is_narrow(tap)
    against_a_daemon(tap)
    quick_enough(tap)
    tap.finish()


main()
