# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the scenarios of this folder: records to serve, lookups to make, answers to expect. README describes the syntax.

With words on the command line, runs only scenarios whose title contains them."""
import glob
import os
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import SRCDIR, Daemon, Lab, Tap  # noqa: E402

try:
    from scripted_server import Server
except ImportError as missing:
    print(f"Bail out! {missing}: run ./dev check, or install python3-dnspython")
    sys.exit(99)

HEDGES = 10  # that a process sends before a time-out, where the server is slow because the machine is under load
SPARE_MS = 50  # the jitter of a retry, and rounding


class Scenario:
    def __init__(self, title, place):
        self.title, self.place = title, place
        self.config, self.zones, self.behaviours, self.steps = [], {}, {}, []
        self.has_daemon = False


def parse(path):
    scenarios, block = [], None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith((" ", "\t")):
                block.append(line.strip())
                continue
            word, _, rest = line.partition(":")
            rest = rest.strip()
            key, _, server = word.partition(" ")
            if key == "scenario":
                scenarios.append(Scenario(rest, f"{os.path.basename(path)}:{number}"))
            elif key == "config":
                block = scenarios[-1].config
            elif key == "zone":
                block = scenarios[-1].zones.setdefault(server or "@1", [])
            elif key == "behaviour":
                scenarios[-1].behaviours.setdefault(server or "@1", []).append(rest.split())
            elif key == "faults":
                for fault in rest.split(","):
                    name, *words = fault.split()
                    scenarios[-1].behaviours.setdefault(name, []).append(words)
            elif key == "daemon":
                scenarios[-1].has_daemon = True
            elif key in ("ask", "expect", "questions", "within", "after", "pause"):
                scenarios[-1].steps.append((key, server or "@1", rest))
            else:
                sys.exit(f"{path}:{number}: {word}: expected scenario, config, daemon, zone, behaviour, faults, ask, "
                         "expect, questions, within, after or pause")
    return scenarios


def servers_of(scenario):
    text = "\n".join(scenario.config)
    servers = {}
    for name in sorted(set(scenario.zones) | set(scenario.behaviours) | {"@1"} | {w for w in text.split() if w[0] == "@"}):
        server = Server("::1" if name.endswith("v6") else "127.0.0.1")
        for line in scenario.zones.get(name, []):
            server.add(line)
        server.behaviours = scenario.behaviours.get(name, [])
        server.start()
        servers[name] = server
    return servers


def config_of(scenario, servers):
    lines = scenario.config or ["[domain mesh]", "servers = @1"]
    text = "\n".join(lines) + "\n"
    for name, server in sorted(servers.items(), reverse=True):
        address = f"[{server.address}]" if ":" in server.address else server.address
        text = text.replace(name, f"{address}:{server.port}")
    return text


def play(scenario, tap):
    problems = []
    servers = servers_of(scenario)
    try:
        with Lab() as lab:
            if scenario.has_daemon:
                Daemon(lab, config_of(scenario, servers))
            else:
                lab.file("srvmesh.conf", config_of(scenario, servers))
            for one in servers.values():
                one.began = time.monotonic()
            got, took_ms, waited_ms = "", 0.0, 0
            for key, server, rest in scenario.steps:
                if key == "ask":
                    for one in servers.values():
                        one.questions.clear()
                    waits = lab.file("waits", "-1")
                    began = time.monotonic()
                    got = lab.probe(*rest.split(), PROBE_WAITS=waits)
                    took_ms = (time.monotonic() - began) * 1000
                    with open(waits, encoding="ascii") as file:
                        waited_ms = int(file.read())
                elif key == "expect" and rest.endswith(" answers"):
                    if len(got.split()) != int(rest.split()[0]):
                        problems.append(f"got '{got}', expected {rest}")
                elif key == "expect":
                    if sorted(got.split()) != sorted(rest.split()):
                        problems.append(f"got '{got}', expected '{rest}'")
                elif key == "within":
                    if not 0 <= waited_ms <= int(rest.rstrip("ms")) + SPARE_MS:
                        problems.append(f"waited {waited_ms} ms in vain, expected at most {rest} and {SPARE_MS} ms")
                elif key == "after":
                    if took_ms < int(rest.rstrip("ms")):
                        problems.append(f"took {took_ms:.0f} ms, expected at least {rest}")
                elif key == "pause":
                    time.sleep(int(rest.rstrip("ms")) / 1000)
                else:
                    expected = Counter(q.strip() for q in rest.split(",") if q.strip())
                    asked = Counter(servers[server].questions)
                    if set(asked) != set(expected) or any(asked[q] < n for q, n in expected.items()) or \
                            asked.total() > expected.total() + HEDGES:
                        problems.append(f"{server} was asked {asked}, expected {expected}")
    finally:
        for server in servers.values():
            server.stop()
    tap.check(scenario.title, not problems, scenario.place, *problems)


def main():
    tap = Tap()
    wants_list = sys.argv[1:2] == ["--list"]
    words = sys.argv[2:] if wants_list else sys.argv[1:]
    for path in sorted(glob.glob(os.path.join(SRCDIR, "tests", "scenario", "*.scenario"))):
        for scenario in parse(path):
            if not all(word in scenario.title for word in words):
                continue
            if wants_list:
                print(scenario.title)
            else:
                play(scenario, tap)
    if not wants_list:
        tap.finish()


main()
