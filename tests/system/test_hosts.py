# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd remembers hosts: a service whose targets are known takes one question, and where only the servers of the SRV records are
silent, the addresses follow those of the targets' own servers."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Daemon, Lab, Tap  # noqa: E402
from scripted_server import serve  # noqa: E402


def replace(server, *lines):
    server.records = []
    for line in lines:
        server.add(line)


def until(lab, name, expected, seconds=20):
    """Asks until it is so; returns all answers on the way."""
    answers = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers.append(set(lab.probe("gai", "inet", name).split()))
        if answers[-1] == expected:
            break
        time.sleep(0.2)
    return answers


def stale_as_a_whole(tap):
    services = serve("_api._tcp.mesh. 60 SRV 0 0 80 a.hosts.", "_api._tcp.mesh. 60 SRV 0 0 80 b.hosts.",
                     "alias.mesh. 60 CNAME a.hosts.")
    machines = serve("a.hosts. 1 A 127.0.0.11", "b.hosts. 1 A 127.0.0.12")
    with Lab() as lab:
        times = "min_ttl = 0\nmax_ttl = 1s\ntimeout = 100ms\ndeadline = 400ms\nstale_after = 100ms\nfamily = ipv4\nanswers = all\n"
        daemon = Daemon(lab, f"[resolver]\n{times}[domain mesh]\nservers = 127.0.0.1:{services.port}\n"
                             f"[domain hosts]\nservers = 127.0.0.1:{machines.port}\n")
        for name in ("api.mesh", "alias.mesh"):
            lab.probe("gai", "inet", name)
        services.behaviours = [["drop"]]
        replace(machines, "a.hosts. 1 A 127.0.0.21", "b.hosts. 1 A 127.0.0.12")
        time.sleep(1.2)
        answers = until(lab, "api.mesh", {"127.0.0.21", "127.0.0.12"})
        tap.check("the servers of SRV are silent, the target's own is not: its new address is given", answers[-1] ==
                  {"127.0.0.21", "127.0.0.12"}, answers)
        tap.check("... and no lookup failed on the way", all(answer <= {"127.0.0.11", "127.0.0.12", "127.0.0.21"} and answer
                                                             for answer in answers), answers)
        tap.equal("... for an alias of a host, too", until(lab, "alias.mesh", {"127.0.0.21"})[-1], {"127.0.0.21"})
        replace(machines, "a.hosts. 1 A 127.0.0.21")
        tap.equal("a target that is gone is given no more", until(lab, "api.mesh", {"127.0.0.21"})[-1], {"127.0.0.21"})
        machines.behaviours = [["drop"]]
        time.sleep(1.5)
        tap.equal("where these are silent as well, the last address stays", until(lab, "api.mesh", {"127.0.0.21"})[-1],
                  {"127.0.0.21"})
        services.behaviours = machines.behaviours = []
        replace(machines, "a.hosts. 1 A 127.0.0.31", "b.hosts. 1 A 127.0.0.32")
        tap.equal("and when all are back, all is new", until(lab, "api.mesh", {"127.0.0.31", "127.0.0.32"})[-1],
                  {"127.0.0.31", "127.0.0.32"})
        daemon.stop()
    services.stop()
    machines.stop()


def asked_again(tap):
    """What is remembered holds until somebody says that it does not."""
    server = serve(*[f"_s{i}._tcp.mesh. 60 SRV 0 0 1 a.mesh." for i in range(9)], "a.mesh. 60 A 127.0.0.11")
    server.behaviours = [["no-glue"]]
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
        daemon = Daemon(lab, text)
        count = iter(range(9))

        def asks(before=lambda: None):
            server.questions.clear()
            before()
            lab.probe("gai", "inet", f"s{next(count)}.mesh")
            while daemon.status()["jobs_now"] > 0:  # of others, whom a flush has renewed: they ask at the same time
                time.sleep(0.02)
            return "a.mesh A" in server.questions
        tap.equal("a host is asked for once", [asks() for _ in range(3)], [True, False, False])

        def flush():  # srvmeshd itself may be the first to ask: it renews what was used
            lab.run(os.path.join(BUILDDIR, "srvmesh"), "cache", "flush", "--all")
        tap.equal("... and again after a flush", [asks(flush), asks()], [True, False])

        def change():
            daemon.config(text + "max_ttl = 30s\n")
            daemon.signal(signal.SIGHUP)
            time.sleep(0.4)
        tap.equal("... and after a change of the configuration", [asks(change), asks()], [True, False])
        daemon.stop()
    server.stop()


def other_family(tap, target, records, expected):
    """Of a host that is remembered the family that glue lacks is part of the first answer; else it is asked for behind that."""
    server = serve(*[f"_s{i}._tcp.mesh. 60 SRV 0 0 1 {target}." for i in range(2)], *records)
    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = any\n")
        events, questions = [], []
        for name in ("s0.mesh", "s1.mesh"):
            server.questions.clear()
            lab.probe("gai", "unspec", name)
            while daemon.status()["jobs_now"] > 0 or (name == "s0.mesh" and f"{target} AAAA" not in server.questions):
                time.sleep(0.02)
            time.sleep(0.2)
            told = lab.run("timeout", "1", os.path.join(BUILDDIR, "srvmesh"), "monitor", "--last", "50")[1]
            events.append(len([line for line in told.splitlines() if name in line]))
            questions.append(sorted(server.questions))
        tap.equal(f"{target}: the questions of the first name, and of the second", questions,
                  [["_s0._tcp.mesh SRV", f"{target} AAAA"], ["_s1._tcp.mesh SRV"]])
        tap.equal(f"{target}: how often each is told", events, expected)
        daemon.stop()
    server.stop()


def main():
    tap = Tap()
    other_family(tap, "a.mesh", ["a.mesh. 60 A 127.0.0.11"], [2, 1])  # resolved, and completed; and at once
    # an alias may lead on: its first answer does not wait for that
    other_family(tap, "b.mesh", ["b.mesh. 60 A 127.0.0.12", "b.mesh. 60 CNAME c.mesh.", "c.mesh. 60 AAAA ::1"], [2, 2])
    stale_as_a_whole(tap)
    asked_again(tap)
    tap.finish()


main()
