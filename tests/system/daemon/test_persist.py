# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: over a reboot. The map is gone, the file of answers is not, and DNS is down."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, IS_SANITIZED, NOBODY, NO_NAMESPACES, Daemon, Lab  # noqa: E402
from system.daemon.stories import CLONE_NEWNS, play, serve, unshare  # noqa: E402

ZONE = "".join(f"n{i}.mesh. 60 A 127.0.1.{i + 1}\n" for i in range(8)) + """_api._tcp.mesh. 60 SRV 0 0 1 a.mesh.
_api._tcp.mesh. 60 SRV 0 0 1 b.mesh.
a.mesh. 60 A 127.0.0.11
b.mesh. 60 A 127.0.0.12
"""
DAY = 86400


def empty(directory):
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))


class Host:
    """A host whose DNS answers until it is told not to."""

    def __init__(self, tap, lab, server):
        self.tap, self.lab, self.server = tap, lab, server
        self.state = os.path.join(lab.path, "state")
        os.mkdir(self.state)
        self.file = os.path.join(self.state, "answers")
        self.daemon = Daemon(lab, self.config())
        self.daemon.stop()
        self.awake = lab.file("awake", "0")

    def config(self, more=""):
        return f"[domain mesh]\nservers = 127.0.0.1:{self.server.port}\nfamily = ipv4\ntimeout = 50ms\ndeadline = 150ms\n{more}\n"

    def start(self, shift=0):
        environment = {**os.environ, "STATE_DIRECTORY": self.state, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        if not IS_SANITIZED:
            environment.update(LD_PRELOAD=os.path.join(BUILDDIR, "tests", "shifted_clock.so"), SHIFTED_CLOCK_S=str(shift),
                               SHIFTED_AWAKE=self.awake)
        self.daemon.start(env=environment)

    def boot(self, shift=0, more=""):
        """srvmeshd starts, on a host whose memory is lost."""
        self.daemon.stop()
        empty(self.daemon.directory)
        self.daemon.config(self.config(more))
        self.start(shift)

    def ask(self, name="n0.mesh"):
        return self.lab.probe("gai", "inet", name)

    def written(self):
        """DNS is there; all names are asked for; srvmeshd stops: a file of eight and one answers."""
        self.server.behaviours = []
        self.daemon.stop()
        empty(self.daemon.directory)
        empty(self.state)
        self.daemon.config(self.config())
        self.start()
        for i in range(8):
            self.ask(f"n{i}.mesh")
        self.ask("api.mesh")
        self.ask("none.mesh")
        self.daemon.stop()
        self.server.behaviours = [["drop"]]
        return os.path.getsize(self.file)


def over_a_reboot(tap, host):
    host.written()
    tap.equal("the file of answers is srvmeshd's alone", os.stat(host.file).st_mode & 0o777, 0o600)
    host.boot()
    tap.equal("over a reboot, with DNS down, what was known is given", host.ask(), "127.0.1.1")
    tap.equal("... of a service all targets", len(host.ask("api.mesh").split()), 2)
    tap.equal("... but no denial", host.ask("none.mesh"), "EAI_AGAIN")
    tap.check("... and the log says so", "taken back as old ones" in host.daemon.log() and "names=9" in host.daemon.log())
    host.server.behaviours = []
    host.server.records = []
    host.server.add("n0.mesh. 60 A 127.0.2.1")
    host.server.add("n1.mesh. 60 A 127.0.2.2")
    time.sleep(1.2)
    host.boot()
    tap.equal("it is never fresh: where DNS answers, that counts", host.ask("n1.mesh"), "127.0.2.2")
    host.server.records = []
    for line in ZONE.splitlines():
        host.server.add(line)


def damaged(tap, host):
    size = host.written()
    with open(host.file, "rb") as file:
        whole = file.read()
    for what, text, found in (("that is cut", whole[:size // 2], {"127.0.1.1", "EAI_AGAIN"}),
                              ("of which a byte is another", whole[:size // 2] + bytes([whole[size // 2] ^ 1]) + whole[size // 2 + 1:],
                               {"127.0.1.1", "EAI_AGAIN"}),
                              ("that ends in its head", whole[:20], {"EAI_AGAIN"}), ("that is empty", b"", {"EAI_AGAIN"}),
                              ("of another kind", b"x" * size, {"EAI_AGAIN"}),
                              ("whose sizes lie", whole[:36] + b"\xff\xff\xff\x7f" + whole[40:], {"EAI_AGAIN"})):
        with open(host.file, "wb") as file:
            file.write(text)
        host.boot()
        answers = [host.ask(f"n{i}.mesh") for i in (0, 3, 7)]
        right = all(answer in ("EAI_AGAIN", f"127.0.1.{i + 1}") for answer, i in zip(answers, (0, 3, 7)))
        tap.check(f"a file {what} gives right answers or none", right and (found != {"EAI_AGAIN"} or set(answers) == found), answers)
        host.daemon.kill()


def foreign(tap, host):
    host.written()
    os.chmod(host.file, 0o666)
    host.boot()
    tap.equal("a file that others can write is not believed", host.ask(), "EAI_AGAIN")
    tap.check("... and the log says why", "not srvmeshd's own, or others can write it" in host.daemon.log())
    if os.geteuid() == 0:
        host.written()
        os.chown(host.file, NOBODY, NOBODY)
        host.boot()
        tap.equal("nor is one of another user", host.ask(), "EAI_AGAIN")


def clocks(tap, host):
    if IS_SANITIZED:
        tap.skip("clocks that are wrong", "not possible here: sanitizers want to be preloaded first")
        return
    host.written()
    host.boot(DAY // 2)
    tap.equal("half a day later it still serves", host.ask(), "127.0.1.1")
    host.written()
    host.boot(2 * DAY)
    tap.equal("after `stale` it does not", host.ask(), "EAI_AGAIN")
    size = host.written()
    host.boot(-DAY)
    tap.equal("a file from the future is not believed: one of two clocks is wrong", host.ask(), "EAI_AGAIN")
    tap.check("... which the log says", "written in the future" in host.daemon.log())
    host.daemon.stop()
    tap.equal("... and it is left for the right clock", os.path.getsize(host.file), size)
    host.boot()
    tap.equal("... by which it serves", host.ask(), "127.0.1.1")
    host.written()
    host.boot(-60)
    tap.equal("a clock that is a minute behind does no harm", host.ask(), "127.0.1.1")
    host.written()
    host.boot(0, "stale = 0")
    tap.equal("without `stale` nothing is taken back", host.ask(), "EAI_AGAIN")


def rules(tap, host):
    host.written()
    host.boot(0, "fallback = none")
    tap.equal("under a changed rule it serves as well", host.ask(), "127.0.1.1")
    host.written()
    host.boot(0, "srv = {name}")
    tap.equal("... but not under one about something else", host.ask(), "EAI_AGAIN")
    host.written()
    host.boot(0, "[cache]\npersist = no")
    tap.check("with persist = no there is no file", host.ask() == "EAI_AGAIN" and not os.path.exists(host.file))


def in_time(tap, host):
    """Not only when it stops: every five minutes."""
    if IS_SANITIZED:
        tap.skip("the file is written every five minutes", "not possible here: sanitizers want to be preloaded first")
        return
    host.written()
    os.unlink(host.file)
    host.server.behaviours = []
    host.boot()
    host.ask()
    host.lab.file("awake", "400")
    for _ in range(100):
        if os.path.exists(host.file):
            break
        time.sleep(0.05)
    host.daemon.kill()
    host.lab.file("awake", "0")
    host.server.behaviours = [["drop"]]
    host.boot()
    tap.equal("the file is written every five minutes: who is killed has it", host.ask(), "127.0.1.1")


def full_disk(tap, host):
    try:
        unshare(CLONE_NEWNS)
    except OSError:
        tap.skip("a full disk", NO_NAMESPACES)
        return
    host.written()
    with open(host.file, "rb") as file:
        whole = file.read()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=755", "tmpfs", host.state], check=True)
    with open(host.file, "wb") as file:
        file.write(whole)
    with open(os.path.join(host.state, "ballast"), "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 512)
        except OSError:
            pass
    host.boot()
    tap.equal("on a full disk it starts, and takes back what is there", host.ask(), "127.0.1.1")
    host.daemon.stop()
    with open(host.file, "rb") as file:
        tap.equal("... the file stays", file.read(), whole)
    tap.check("... nothing else is left, and the log says why", "answers could not be written" in host.daemon.log() and
              sorted(os.listdir(host.state)) == ["answers", "ballast"], host.daemon.log(), os.listdir(host.state))
    subprocess.run(["umount", host.state], check=True)


def persist(tap):
    server = serve(ZONE)
    with Lab() as lab:
        host = Host(tap, lab, server)
        for story in (over_a_reboot, damaged, foreign, clocks, rules, in_time, full_disk):
            story(tap, host)
        host.daemon.stop()
    server.stop()


if __name__ == "__main__":
    play(persist)
