# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plugin and srvmeshd of two releases beside each other, as they are for weeks after an upgrade or a downgrade: the same
verdicts, and no process asks DNS. The other release is built from its commit by ./dev check; what it sends and expects,
byte for byte, is in tests/ipc/test_frame.c and tests/mesh/test_record.c, which need no history."""
import glob
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
from lab import BUILDDIR, PROBE, Daemon, Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

OURS = os.path.join(BUILDDIR, "srvmeshd")
EARLIER = os.path.join(BUILDDIR, "earlier", "packages")
NO_HISTORY = "not possible here: this tree has no history with the release before"
ZONE = """
_api._tcp.mesh. 60 SRV 10 60 8080 a.mesh.
_api._tcp.mesh. 60 SRV 10 30 8081 b.mesh.
a.mesh. 60 A 127.0.0.11
a.mesh. 60 AAAA ::11
b.mesh. 60 A 127.0.0.12
_six._tcp.mesh. 60 SRV 0 0 1 c.mesh.
c.mesh. 60 AAAA ::13
"""
# what is asked, and what every pair of releases says of it
VERDICTS = [("gai", "unspec", "api.mesh"), ("gai", "inet", "api.mesh"), ("gai", "inet6", "api.mesh"),
            ("gai", "inet", "six.mesh"), ("gai", "unspec", "none.mesh"), ("gai", "unspec", "gone.mesh"),
            ("gai", "unspec", "large.mesh"), ("gai", "unspec", "other.example")]


def serve():
    server = Server()
    for line in ZONE.split("\n") + ["_gone._tcp.mesh. 60 SRV 0 0 0 ."]:
        if line.strip():
            server.add(line)
    for i in range(60):
        server.add(f"_large._tcp.mesh. 60 SRV 0 1 80 t{i}.mesh.")
        server.add(f"t{i}.mesh. 60 A 127.0.1.{i}")
    for i in range(400):
        server.add(f"_huge._tcp.mesh. 60 SRV 0 1 80 h{i}.mesh.")
        server.add(f"h{i}.mesh. 60 A 127.1.{i // 250}.{i % 250}")
    for i in range(300):
        server.add(f"_shared._tcp.mesh. 60 SRV 0 1 {1000 + i} s.mesh.")
    for i in range(4):
        server.add(f"s.mesh. 60 A 127.2.0.{i}")
    server.start()
    return server


def settle(server):
    """Waits until the questions behind answers, for the other family, are over; returns how many there were in all."""
    before = -1
    while before != len(server.questions):
        before = len(server.questions)
        time.sleep(0.5)
    return before


def unpacked(lab):
    """The programs of the release before: (folder of the plugin, srvmeshd)."""
    root = os.path.join(lab.path, "earlier")
    for deb in glob.glob(os.path.join(EARLIER, "*.deb")):
        if "-dbgsym" not in deb:
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    return os.path.dirname(glob.glob(os.path.join(root, "**", "libnss_srvmesh.so.2"), recursive=True)[0]), \
        os.path.join(root, "usr", "sbin", "srvmeshd")


def said(lab, plugin):
    return [" ".join(sorted(lab.probe(*words, LD_LIBRARY_PATH=plugin).split())) for words in VERDICTS]


def pair(tap, title, plugin, program):
    """A plugin beside a srvmeshd; embedded = no, so that what the daemon does not say is EAI_AGAIN."""
    server = serve()
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nmax_ttl = 2s\nstale_after = 300ms\nmax_answers = 64\n"
        daemon = Daemon(lab, text, "cache embedded = no", program=program)
        misses = said(lab, plugin)
        asked = settle(server)
        jobs = daemon.status()["jobs"]
        hits = said(lab, plugin)
        tap.equal(f"{title}: hits say what misses said", hits, misses)
        tap.equal(f"{title}: ... and ask no server", (daemon.status()["jobs"], len(server.questions)), (jobs, asked))
        tap.equal(f"{title}: of 400 targets as many as it may give", len(lab.probe("gai", "inet", "huge.mesh", LD_LIBRARY_PATH=plugin)
                                                                          .split()), 64)
        tap.equal(f"{title}: of 300 targets on one host its addresses", len(lab.probe("gai", "inet", "shared.mesh", LD_LIBRARY_PATH=plugin)
                                                                             .split()), 4)
        draws = lab.probe("draws", 300, "api.mesh", LD_LIBRARY_PATH=plugin).splitlines()
        tap.equal(f"{title}: one process, 300 lookups", sum(int(line.split()[1]) for line in draws), 300)
        server.behaviours = [["drop"]]
        time.sleep(2.2)
        tap.equal(f"{title}: past its TTL, with silent servers", sorted(lab.probe("gai", "inet", "api.mesh",
                                                                               LD_LIBRARY_PATH=plugin).split()),
                  ["127.0.0.11", "127.0.0.12"])
        server.behaviours = []
    server.stop()
    return misses


def replaced(tap, title, plugin, before, after):
    """One process that looks up all the time, while srvmeshd is replaced by that of the other release."""
    server = serve()
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nmax_ttl = 1s\ndeadline = 10s\n"
        daemon = Daemon(lab, text, "cache embedded = yes", program=before)
        lab.probe("gai", "unspec", "api.mesh")
        process = subprocess.Popen([PROBE, "draws", "4000", "api.mesh", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   env=lab.environment(LD_LIBRARY_PATH=plugin))
        time.sleep(1)
        daemon.stop()
        daemon.program = after
        daemon.start()
        output = process.communicate(timeout=60)[0]
        tap.equal(f"{title}: no lookup of 4,000 fails", sum(int(line.split()[1]) for line in output.splitlines()), 4000)
        tap.check(f"{title}: ... and the other daemon resolves for it", daemon.status().get("jobs", 0) + daemon.status().get("renewed", 0) > 0,
                  daemon.status())
    server.stop()


def main():
    tap = Tap()
    if not glob.glob(os.path.join(EARLIER, "*.deb")):
        print("1..0 # SKIP " + NO_HISTORY)
        sys.exit(0)
    with Lab() as lab:
        plugin, before = unpacked(lab)
        ours = pair(tap, "this release alone", BUILDDIR, OURS)
        tap.check("this release alone: its verdicts are those of the zone",
                  ours[:7] == ["127.0.0.11 127.0.0.12 ::11", "127.0.0.11 127.0.0.12", "::11", "EAI_NODATA", "EAI_NONAME", "EAI_NONAME",
                               " ".join(sorted(f"127.0.1.{i}" for i in range(60)))], ours)
        tap.equal("the plugin of the release before beside this srvmeshd says the same",
                  pair(tap, "plugin before, this srvmeshd", plugin, OURS), ours)
        tap.equal("this plugin beside the srvmeshd of the release before says the same",
                  pair(tap, "this plugin, srvmeshd before", BUILDDIR, before), ours)
        replaced(tap, "an upgrade under a program with the plugin before", plugin, before, OURS)
        replaced(tap, "a downgrade under a program with this plugin", BUILDDIR, OURS, before)
    tap.finish()


main()
