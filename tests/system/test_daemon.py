# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd as programs see it: one question for all programs, hits without it, and every way it can be absent."""
import ctypes
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import (BUILDDIR, GUEST, IS_SANITIZED, NO_NAMESPACES, NO_OTHERS, NOBODY, PROBE, Daemon, Lab, Tap,  # noqa: E402
                 can_be_others, free_port, has_user_namespaces, in_namespaces, need)
from scripted_server import Server  # noqa: E402

ZONE = """
_api._tcp.mesh. 60 SRV 10 60 8080 a.mesh.
_api._tcp.mesh. 60 SRV 10 30 8080 b.mesh.
a.mesh. 60 A 127.0.0.11
b.mesh. 60 A 127.0.0.12
_two._tcp.mesh. 60 SRV 0 0 1 a.mesh.
_short._tcp.mesh. 2 SRV 0 0 1 a.mesh.
_zero._tcp.mesh. 0 SRV 0 0 1 a.mesh.
"""
API = "127.0.0.11 127.0.0.12"


def serve(zone=ZONE):
    server = Server()
    for line in zone.split("\n"):
        if line.strip():
            server.add(line)
    server.start()
    return server


def config(server, more=""):
    return f"[domain mesh]\nservers = 127.0.0.1:{server.port}\n{more}\n"


def sorted_words(text):
    return " ".join(sorted(text.split()))


def one_question_for_all(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("the first process finds it", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        asked = len(server.questions)
        tap.check("by way of DNS", asked > 0)
        tap.equal("a second process finds it too", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        if can_be_others():
            _, output, _ = lab.as_nobody(PROBE, "gai", "unspec", "api.mesh")
            tap.equal("and one of another user", sorted_words(output), API)
        else:
            tap.skip("and one of another user", NO_OTHERS)
        tap.equal("without one more question", len(server.questions), asked)
        tap.equal("or a request", daemon.status()["requests"], 1)

        _, _, trace = lab.run(need("strace"), "-f", "-e", "trace=connect,sendto,sendmsg,sendmmsg,openat", GUEST, "timed",
                              "api.mesh")
        tap.check("a hit asks neither daemon nor DNS", "cache.v2.mdb" in trace and daemon.socket not in trace and
                  f"htons({server.port})" not in trace and "htons(53)" not in trace, trace[-800:])
        tap.check("and the map once", trace.count("cache.v2.mdb") == 1, trace[-800:])
        tap.equal("the second hit of a process makes no system call", lab.guest("quiet", "api.mesh", 1), "found")
        tap.check("the first does (or the filter proves nothing)", "found" not in lab.guest("quiet", "api.mesh", 0))

        tap.equal("what does not exist is remembered for all",
                  [lab.probe("gai", "unspec", "no.mesh") for _ in range(3)], ["EAI_NONAME"] * 3)
        tap.equal("after one lookup", daemon.status()["jobs"], 2)
        tap.equal("ports come from the map too", lab.probe("classic", "two.mesh", "tcp")[-4:], "0.11")
        tap.equal("SIGTERM ends it well", daemon.stop(), 0)
        tap.check("and its sockets are gone", not os.path.exists(daemon.socket))
        tap.equal("but the map is there", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        daemon.start()
        tap.check("and is taken over", daemon.status()["restored"] >= 3, daemon.status())
    server.stop()


def stampede(tap):
    processes = 60 if IS_SANITIZED else 1000
    server = serve()
    server.behaviours = [["delay", "300", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 10s\ndeadline = 20s"), "daemon quota = 100%")
        gate = os.pipe()
        environment = lab.environment()
        crowd = [subprocess.Popen([GUEST, "wait", "api.mesh"], stdin=gate[0], stdout=subprocess.PIPE, env=environment)
                 for _ in range(processes)]
        os.write(gate[1], b"x" * processes)
        answers = {sorted_words(one.communicate(timeout=120)[0].decode()) for one in crowd}
        os.close(gate[0])
        os.close(gate[1])
        tap.equal(f"{processes} processes that ask at once all find it", answers, {API})
        tap.equal("with one SRV question on the wire", [q for q in server.questions if "SRV" in q], ["_api._tcp.mesh SRV"])
        tap.check("nobody was turned away", daemon.status()["busy"] == 0, daemon.status())
    server.stop()


def families_join(tap):
    server = serve(ZONE + "b6.mesh. 60 AAAA ::1\n_six._tcp.mesh. 60 SRV 0 0 1 b6.mesh.\nb6.mesh. 60 A 127.0.0.16\n")
    server.behaviours = [["no-glue"], ["delay", "400", "AAAA"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"))
        results = {}

        def ask(family):
            began = time.monotonic()
            results[family] = (lab.probe("gai", family, "six.mesh"), time.monotonic() - began > 0.3)

        threads = [threading.Thread(target=ask, args=(family,)) for family in ("inet", "inet6", "unspec")]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        tap.equal("one job serves all families, and who wants only one does not wait for the other",
                  {family: (sorted_words(answer), is_slow) for family, (answer, is_slow) in results.items()},
                  {"inet": ("127.0.0.16", False), "inet6": ("::1", True), "unspec": ("127.0.0.16 ::1", True)})
        tap.equal("it was one job", daemon.status()["jobs"], 1)
        tap.equal("and what is kept is whole", sorted_words(lab.probe("gai", "unspec", "six.mesh")), "127.0.0.16 ::1")
    server.stop()


def stale(tap):
    server = serve()
    with Lab() as lab:
        text = config(server, "max_ttl = 1s\ntimeout = 300ms\ndeadline = 2s\nfailure_ttl = 1s\nstale_after = 400ms")
        daemon = Daemon(lab, text)
        lab.probe("gai", "unspec", "api.mesh")
        lab.probe("gai", "unspec", "two.mesh")
        server.behaviours = [["drop"]]
        time.sleep(1.2)
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("past its TTL, with DNS silent, an answer is still given", answer, "127.0.0.11")
        tap.check("after stale_after", 300 < float(ms) < 700, ms)
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("the next lookup", answer, "127.0.0.11")
        tap.check("does not wait again", float(ms) < 50, ms)
        time.sleep(2.5)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("once the servers are known to be silent, other names", sorted_words(answer), API)
        tap.check("do not wait either", float(ms) < 50, ms)
        tap.equal("a name that nobody knows is EAI_AGAIN", lab.probe("gai", "unspec", "new.mesh"), "EAI_AGAIN")
        server.behaviours = []
        time.sleep(1.1)
        server.questions.clear()
        tap.equal("when the servers are back", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        time.sleep(0.2)
        tap.check("they are asked again", len(server.questions) > 0)
        tap.check("and the log says both", "servers are silent" in daemon.log() and "answer again" in daemon.log(),
                  daemon.log())
        daemon.kill()
        server.behaviours = [["drop"]]
        time.sleep(1.1)
        tap.equal("with daemon and DNS dead it is still there", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
    with Lab() as lab:
        server.behaviours = []
        Daemon(lab, config(server, "max_ttl = 1s\ntimeout = 200ms\ndeadline = 600ms\nstale = 0"))
        lab.probe("gai", "unspec", "api.mesh")
        server.behaviours = [["drop"]]
        time.sleep(1.2)
        tap.equal("with stale = 0 nothing old is given", lab.probe("gai", "unspec", "api.mesh"), "EAI_AGAIN")
    server.stop()


def embedded_stale(tap):
    server = serve()
    with Lab() as lab:
        lab.file("srvmesh.conf", config(server, "max_ttl = 1s\ntimeout = 300ms\nstale_after = 300ms\nfailure_ttl = 5s"))
        process = subprocess.Popen([GUEST, "every", "200", "4", "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.6)
        server.behaviours = [["drop"]]
        output = process.communicate()[0].decode()
        tap.check("without a daemon too, a process keeps what it has", output.startswith("0 failures"), output)
        tap.check("and waits once, for stale_after", 250 < int(output.split()[-2]) < 600, output)
    server.stop()


def refresh_ahead(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 1s"))
        process = subprocess.Popen([GUEST, "every", "20", "7", "short.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        output = process.communicate()[0].decode()
        status = daemon.status()
        tap.check("a name in use never fails", output.startswith("0 failures"), output)
        tap.check("and is renewed before it expires", status["renewed"] >= 3 and status["requests"] == 1, status)
        tap.check("by one hint each", status["hints"] <= status["renewed"] + 1, status)
    server.stop()


def lifetimes(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        for _ in range(20):
            lab.probe("gai", "unspec", "zero.mesh")
        tap.check("a TTL of 0 lives for min_ttl", daemon.status()["jobs"] <= 3, daemon.status())
        lab.probe("gai", "unspec", "api.mesh")
        before = daemon.status()["requests"]
        for shift in ("+10y", "-10y"):
            _, output, errors = lab.run(need("faketime"), "-f", shift, PROBE, "gai", "unspec", "api.mesh",
                                             DONT_FAKE_MONOTONIC="1")
            tap.equal(f"with the wall clock at {shift} a hit is a hit", sorted_words(output), API)
        tap.equal("and nobody asks", daemon.status()["requests"], before)
        lab.probe("gai", "unspec", "short.mesh")
        time.sleep(2.2)
        before = daemon.status()["requests"]
        lab.run(need("faketime"), "-f", "-10y", PROBE, "gai", "unspec", "short.mesh", DONT_FAKE_MONOTONIC="1")
        tap.equal("nor does it keep anything alive", daemon.status()["requests"], before + 1)
    server.stop()


def extra_ms(lab, server):
    """The extra time of a miss with this lab's configuration, whose daemon is absent, compared with no daemon
    configured: the smallest of several values."""
    alone = lab.file("alone.conf", config(server))
    costs = {}
    for turn in range(200):
        if turn >= 20 and costs["with"] - costs["without"] < 1:
            break
        for words, more in (("with", {}), ("without", {"SRVMESH_CONF": alone})):
            ms = float(lab.guest("timed", "two.mesh", **more).rsplit(" ", 1)[1])
            costs[words] = min(ms, costs.get(words, ms))
    return costs["with"] - costs["without"]


def away(tap):
    """Every way in which the daemon can be absent: the program asks DNS itself at once, or in time."""
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "deadline = 3s"))
        lab.probe("gai", "unspec", "api.mesh")
        daemon.signal(signal.SIGSTOP)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("a stopped daemon's hits are hits", sorted_words(answer), API)
        tap.check("at once", float(ms) < 50, ms)
        lines = [line.rsplit(" ", 1) for line in lab.guest("timed", "two.mesh", "three.mesh").splitlines()]
        tap.equal("a miss is resolved by the process itself", [line[0] for line in lines], ["127.0.0.11", "EAI_NONAME"])
        tap.check("well within the deadline", float(lines[0][1]) < 2000, lines)
        tap.check("and a silent daemon is not waited for again", float(lines[1][1]) < 100, lines)
        daemon.signal(signal.SIGCONT)
        daemon.kill()
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("a dead daemon's misses are resolved by the process", answer, "127.0.0.11")
        tap.check("without delay", float(ms) < 50, ms)
        extra = extra_ms(lab, server)
        tap.check("within a millisecond of a process that knows of no daemon", extra < 1, extra)
        tap.equal("its hits are hits", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        shutil.rmtree(daemon.directory)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("so it is without the directory", sorted_words(answer), API)
        tap.check("without delay either", float(ms) < 50, ms)
        daemon.start()
        tap.equal("where a sandbox forbids AF_UNIX", lab.guest("no-unix", "two.mesh"), "127.0.0.11")
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("and for a hit it does not matter", sorted_words(lab.guest("no-unix", "api.mesh")), API)
        tap.equal("without a free descriptor, once mapped elsewhere, EAI_AGAIN", lab.guest("full", "new.mesh"), "EAI_AGAIN")
        os.chmod(daemon.socket, 0)
        if can_be_others():
            _, output, _ = lab.as_nobody(GUEST, "timed", "two.mesh")
            tap.equal("who may not connect resolves by himself", output.rsplit(" ", 1)[0], "127.0.0.11")
        else:
            tap.skip("who may not connect resolves by himself", NO_OTHERS)
    with Lab() as lab:
        daemon = Daemon(lab, config(server), "cache embedded = no")
        tap.equal("with embedded = no the daemon answers", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        daemon.kill()
        tap.equal("and without it a name is to be tried again", lab.probe("gai", "unspec", "x.mesh"), "EAI_AGAIN")
        tap.equal("but hits are hits", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
    server.stop()


class Double:
    """Another server on the daemon's socket."""

    HEAD = struct.Struct("<IBBH")
    MAGIC = 0x484D5253

    def __init__(self, path, behaviour):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        self.socket.listen(64)
        self.behaviour = behaviour
        self.is_open = True
        self.clients = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def frame(self, kind, body=b""):
        return self.HEAD.pack(self.MAGIC, 1, kind, 0) + body

    def serve(self):
        while self.is_open:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.clients.append(client)
            try:
                self.behaviour(self, client)
            except OSError:
                pass

    def stop(self):
        self.is_open = False
        self.socket.close()
        for client in self.clients:
            client.close()


def working_for_ever(double, client):
    def go_on():
        try:
            while double.is_open:
                client.send(double.frame(17))
                time.sleep(0.05)
        except OSError:
            pass

    threading.Thread(target=go_on, daemon=True).start()


def working_without_pause(double, client):
    def go_on():
        try:
            while double.is_open:
                client.send(double.frame(17))
        except OSError:
            pass

    threading.Thread(target=go_on, daemon=True).start()


def closed_at_once(_, client):
    client.close()


def replies(*frames):
    def behaviour(double, client):
        client.recv(1024)
        for frame in frames:
            client.send(frame(double))

    return behaviour


def hostile_double(tap):
    server = serve()
    with Lab() as lab:
        record_of_two = []
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "two.mesh")
        asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asker.connect(daemon.socket)
        asker.send(struct.pack("<IBBHIBB", Double.MAGIC, 1, 1, 0, 1000, 3, 8) + b"two.mesh")
        record_of_two.append(asker.recv(1 << 18)[8:])
        asker.close()
        daemon.stop()
        shutil.rmtree(daemon.directory)
        another = [lambda d: d.frame(16, record_of_two[0])]
        cases = [
            ("never answers", lambda double, client: None, True),
            ("closes at once", closed_at_once, False),
            ("sends garbage", replies(lambda d: os.urandom(64)), False),
            ("sends a byte", replies(lambda d: b"x"), False),
            ("sends an empty record", replies(lambda d: d.frame(16)), False),
            ("sends 200 KB", replies(lambda d: d.frame(16, os.urandom(200000))), False),
            ("sends another name's record", replies(*another), False),
            ("sends a frame of the future", replies(lambda d: d.frame(99)), False),
            ("says that it is busy", replies(lambda d: d.frame(19)), False),
            ("says that the name is not ours", replies(lambda d: d.frame(18)), False),
        ]
        for words, behaviour, is_slow in cases:
            double = Double(daemon.socket, behaviour)
            answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
            tap.equal(f"a daemon that {words}: the process finds it by itself", sorted_words(answer), API)
            tap.check("... within the deadline" if is_slow else "... at once", float(ms) < (1500 if is_slow else 200), ms)
            double.stop()
            shutil.rmtree(daemon.directory)
        for words, behaviour in (("that it works, for ever", working_for_ever),
                                 ("nothing else but that it works", working_without_pause)):
            double = Double(daemon.socket, behaviour)
            answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
            tap.check(f"a daemon that says {words}, is believed until the deadline and no longer",
                      answer == "EAI_AGAIN" and 2900 < float(ms) < 3200, answer, ms)
            double.stop()
            shutil.rmtree(daemon.directory)
    server.stop()


CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def unshare(flags):
    """Gives this process its own mounts, or its own network, from here on."""
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def full_file_system(tap):
    if os.geteuid() != 0:
        tap.skip("a full tmpfs", NO_NAMESPACES)
        return
    server = serve(ZONE + "".join(f"_n{i}._tcp.mesh. 60 SRV 0 0 1 a.mesh.\n" for i in range(40)))
    with Lab() as lab:
        unshare(CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", run], check=True)
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        with open(os.path.join(run, "ballast"), "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 512)
            except OSError:
                pass
        tap.equal("a hit on a full file system is a hit", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        lines = lab.guest("timed", *(f"n{i}.mesh" for i in range(20))).splitlines()
        tap.equal("what cannot be kept is answered all the same", {line.split()[0] for line in lines}, {"127.0.0.11"})
        tap.check("without delay", max(float(line.split()[1]) for line in lines) < 100, lines)
        status = daemon.status()
        tap.check("the daemon knows, and does not try all the time", 0 < status["write_failures"] < 5, status)
        tap.equal("what is in the map stays", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        os.unlink(os.path.join(run, "ballast"))
        time.sleep(1.1)
        lab.probe("gai", "unspec", "n30.mesh")
        tap.equal("with space again, it keeps again", lab.guest("quiet", "n30.mesh", 1), "found")
        tap.check("and nothing was lost", "restored" in status and lab.guest("quiet", "api.mesh", 1) == "found")
        daemon.stop()
        subprocess.run(["umount", run], check=True)
        # a map that could be larger than its file system: old entries are removed to make space
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=755", "tmpfs", run], check=True)
        daemon.config(config(server, "negative_ttl = 1h\nfallback = none"), "daemon quota = 100%\ncache size = 8M")
        daemon.start()
        lab.guest("random", 6000, "mesh", timeout=120)
        for name in ("n1.mesh", "n2.mesh", "n3.mesh"):
            lab.probe("gai", "unspec", name)
        time.sleep(1.2)
        for name in ("n4.mesh", "n5.mesh", "n6.mesh"):
            lab.probe("gai", "unspec", name)
            tap.equal(f"on a file system that is too small, {name} is kept", lab.guest("quiet", name, 1), "found")
        status = daemon.status()
        tap.check("at the expense of others", status["evicted"] > 0 and status["write_failures"] > 0, status)
        daemon.stop()
        subprocess.run(["umount", run], check=True)
    server.stop()


def few_descriptors(tap):
    server = serve()
    server.behaviours = [["delay", "400", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"), "daemon quota = 100%", wait=False)
        daemon.kill()
        daemon.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
        crowd = [subprocess.Popen([GUEST, "timed", f"d{i}.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
                 for i in range(60)]
        answers = {one.communicate()[0].decode().split()[0] for one in crowd}
        tap.equal("a daemon without descriptors loses nobody", answers, {"EAI_NONAME"})
        time.sleep(0.5)
        tap.equal("and goes on", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        tap.check("holding none of them", len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 20,
                  os.listdir(f"/proc/{daemon.process.pid}/fd"))
        ticks = sum(int(word) for word in open(f"/proc/{daemon.process.pid}/stat").read().split()[13:15])
        tap.check("without turning in circles meanwhile", ticks < 100, ticks)
    server.stop()


def fewest_answers(lab, name):
    return min(len(lab.probe("gai", "inet", name).split()) for _ in range(40))


def network_changes(tap):
    if os.geteuid() != 0:
        tap.skip("a network of its own", NO_NAMESPACES)
        return
    unshare(CLONE_NEWNET)
    ip = need("ip")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    server = serve("_near._tcp.mesh. 600 SRV 0 1 1 x.mesh.\n_near._tcp.mesh. 600 SRV 0 1 1 y.mesh.\n"
                   "x.mesh. 600 A 10.9.0.10\ny.mesh. 600 A 10.9.0.200\n")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("where no target can be reached, nothing is ranked apart", fewest_answers(lab, "near.mesh"), 2)
        subprocess.run([ip, "link", "add", "near0", "type", "veth", "peer", "name", "near1"], check=True)
        subprocess.run([ip, "address", "add", "10.9.0.1/24", "dev", "near0"], check=True)
        for device in ("near0", "near1"):
            subprocess.run([ip, "link", "set", device, "up"], check=True)
        time.sleep(1.5)
        tap.equal("on the subnet that the host has joined, the last one has nothing behind it",
                  fewest_answers(lab, "near.mesh"), 1)
        subprocess.run([ip, "link", "delete", "near0"], check=True)
        time.sleep(2.5)
        tap.equal("and after it has left, it has", fewest_answers(lab, "near.mesh"), 2)
        tap.equal("all from the map", daemon.status()["requests"], 1)
    server.stop()


def setuid_host(tap):
    """A program with more rights than its caller ignores the caller's environment."""
    if not can_be_others():
        tap.skip("a setuid program", NO_OTHERS)
        return
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run([need("ip"), "link", "set", "lo", "up"], check=True)
    server = serve("_api._tcp.mesh. 60 SRV 0 1 1 evil.mesh.\nevil.mesh. 60 A 127.6.6.6\n")
    with Lab() as lab:
        lab.file("resolv.conf", "nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", os.path.join(lab.path, "resolv.conf"), os.path.realpath("/etc/resolv.conf")],
                       check=True)
        lab.file("srvmesh.conf", config(server))
        program = os.path.join(lab.path, "guest")
        shutil.copy(GUEST, program)
        hostile = {"LOCALDOMAIN": "evil", "RES_OPTIONS": "attempts:9 ndots:15", "HOSTALIASES": "/etc/passwd", "TMPDIR": "/x"}
        _, output, _ = lab.as_nobody(program, "timed", "api.mesh", **hostile)
        tap.equal("a program of the user's own follows his configuration", output.split()[0], "127.6.6.6")
        os.chmod(program, 0o4755)
        code, output, _ = lab.as_nobody(program, "timed", "api.mesh", **hostile)
        tap.equal("a setuid program does not: without a file in /etc no name is ours", (code, output.split()[0]),
                  (0, "EAI_NONAME"))
    server.stop()


def flood(tap):
    """One user asks for names that do not exist; the entries of other users stay."""
    names = 10000 if IS_SANITIZED else 100000
    if not can_be_others():
        tap.skip("a flood", NO_OTHERS)
        return
    server = serve()
    port = free_port()
    with Lab() as lab:
        lab.file("zone", "$ORIGIN mesh.\n$TTL 600\n@ SOA ns host 1 60 60 60 600\n@ NS ns\nns A 127.0.0.1\n" +
                 "".join(f"_ours{i}._tcp SRV 0 0 1 ns\n" for i in range(200)))
        lab.file("nsd.conf", f"""
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    zonesdir: "{lab.path}"
    database: ""
    pidfile: "{lab.path}/nsd.pid"
    xfrdfile: "{lab.path}/xfrd.state"
    zonelistfile: "{lab.path}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: mesh
    zonefile: "{lab.path}/zone"
""")
        lab.start(need("nsd"), "-d", "-c", os.path.join(lab.path, "nsd.conf"))
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{port}\nnegative_ttl = 1h\nfallback = none\n",
                        "cache size = 1M\ndaemon max_jobs = 8")
        for _ in range(50):
            if lab.probe("gai", "unspec", "ours0.mesh") == "127.0.0.1":
                break
            time.sleep(0.1)
        for i in range(200):
            lab.probe("draws", 1, f"ours{i}.mesh")
        before = daemon.status()
        code, output, errors = lab.as_nobody(GUEST, "random", str(names), "mesh", timeout=600)
        after = daemon.status()
        print(f"# {output}; {errors}; {after}; resident {resident_kib(daemon.process.pid)} KiB")
        tap.check("the flood went through", code == 0 and after["requests"] >= before["requests"] + names * 0.9, after)
        asked = daemon.status()["requests"]
        for i in range(0, 200, 7):
            lab.probe("draws", 1, f"ours{i}.mesh")
        tap.equal("what others use is still in the map", daemon.status()["requests"], asked)
        size = os.stat(os.path.join(daemon.directory, "cache.v2.mdb")).st_size
        tap.check("the file stays within its size", size <= 1 << 20, size)
        if not IS_SANITIZED:
            tap.check("the daemon's memory stays bounded", resident_kib(daemon.process.pid) < 16384,
                      resident_kib(daemon.process.pid))
        tap.check("that user was throttled", after["busy"] > 0 and after["evicted"] > 0, after)
    server.stop()


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def odd_hosts(tap):
    server = serve()
    with Lab() as lab:
        Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("among a stranger's descriptors, and after closefrom", sorted_words(lab.guest("descriptors", "api.mesh")),
                  API)
        tap.equal("forks with lookups on both sides", lab.probe("forks", 300, "api.mesh"), "0 failures")
        tap.equal("64 threads", lab.probe("threads", 64, "api.mesh"), "0 failures")
        tap.equal("a stack of 64 KiB", lab.probe("stack", "api.mesh"), "found")
        tap.equal("a stack of 64 KiB, for a miss", lab.probe("stack", "two.mesh"), "found")
        tap.equal("without descriptors 0 to 2", lab.probe("closed", "api.mesh"), "found, descriptors 0 to 2 still closed")
        tap.equal("... for a miss", lab.probe("closed", "short.mesh"), "found, descriptors 0 to 2 still closed")
        if os.geteuid() == 0:
            os.mkdir(os.path.join(lab.path, "jail"))
            tap.equal("after a chroot to a place without /run",
                      lab.guest("chroot", os.path.join(lab.path, "jail"), "two.mesh"), "127.0.0.11")
        else:
            tap.skip("after a chroot to a place without /run", NO_NAMESPACES)
    server.stop()


def restarts(tap, times=100):
    """The daemon is killed and restarted again and again, while threads look up all the time."""
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        soak = subprocess.Popen([PROBE, "soak", "12", "api.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        misses = subprocess.Popen([GUEST, "every", "5", "12", "none.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        began = time.monotonic()
        for turn in range(times):
            if turn % 3 == 0:
                daemon.signal(signal.SIGSTOP)
            daemon.kill()
            daemon.start(wait=turn % 10 == 9)
            time.sleep(max(0, 0.1 - (time.monotonic() - began) / (turn + 1)))
        tap.equal(f"{times} times killed and restarted: no hit fails", soak.communicate(timeout=60)[0].decode().strip(),
                  "0 failures")
        output = misses.communicate(timeout=60)[0].decode()
        tap.check("and no miss takes longer than the deadline", int(output.split()[-2]) < 3100, output)
    server.stop()


def reload(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("a name that is not ours", lab.probe("gai", "unspec", "api.other"), "EAI_NONAME")
        server.add("_api._tcp.other. 60 SRV 0 0 1 a.mesh.")
        daemon.config(config(server) + f"[domain other]\nservers = 127.0.0.1:{server.port}\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("is ours after SIGHUP", lab.probe("gai", "unspec", "api.other"), "127.0.0.11")
        tap.check("by the daemon", daemon.status()["jobs"] == 1, daemon.status())
        lab.file("srvmesh.conf", "[domain mesh]\ntimeout = soon\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.check("an error in the configuration changes nothing, and the log says where it is",
                  'srvmesh.conf:2: timeout' in daemon.log() and daemon.process.poll() is None, daemon.log())
        daemon.config(config(server))
        tap.equal("what ran before runs", daemon.status()["jobs"], 1)
    server.stop()


def corrections(tap):
    """A correction takes effect for kept answers too; a change that does not affect answers removes none."""
    server, other = serve(), serve("_api._tcp.mesh. 60 SRV 0 1 1 z.mesh.\nz.mesh. 60 A 127.0.0.99\n")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        daemon.config(config(server, "timeout = 700ms"))
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("another time-out takes nothing away", daemon.status()["entries"], 1)
        daemon.config(config(other))
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        tap.equal("other servers: their answers", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.99")
        daemon.stop()
        daemon.config(config(server))
        daemon.start()
        tap.equal("... over a restart as well", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        daemon.config(config(other))
        time.sleep(1.5)
        tap.equal("without a signal and without a request: within a second", daemon.status()["entries"], 0)
        tap.equal("... and not the old answer of the map", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.99")
        daemon.config(config(other) + f"[service new.elsewhere]\nsrv = _api._tcp.mesh\nservers = 127.0.0.1:{other.port}\n")
        tap.equal("a name that is new is resolved at once", lab.probe("gai", "unspec", "new.elsewhere"), "127.0.0.99")
        daemon.stop()
        precious = lab.file("precious", "of somebody else")
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {daemon.directory}\n[daemon]\nsocket = {precious}\n")
        refused = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--foreground", "--config",
                                  os.path.join(lab.path, "srvmesh.conf")], check=False, capture_output=True, text=True,
                                 timeout=20, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        with open(precious, encoding="utf-8") as file:
            tap.equal("a file where the socket should be is not touched", (refused.returncode, file.read()),
                      (1, "of somebody else"))
        daemon.config(config(server))
        daemon.start()
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {daemon.directory}\n[daemon]\nsocket = {precious}\n")
        daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        daemon.stop()
        tap.check("nor by one that was told of it later", os.path.exists(precious) and not os.path.exists(daemon.socket))
    server.stop()
    other.stop()


def odd_starts(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        daemon.stop()
        daemon.start(preexec_fn=lambda: os.closerange(0, 3))
        for _ in range(3):
            daemon.signal(signal.SIGHUP)
        time.sleep(0.3)
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("without descriptors 0 to 2 the log does not go into the map", lab.guest("quiet", "api.mesh", 1), "found")
        daemon.stop()
        ends = os.pipe()
        daemon.config(config(server), "daemon log_level = debug")
        daemon.start(preexec_fn=lambda: os.dup2(ends[1], 2))
        for _ in range(2000):
            daemon.signal(signal.SIGHUP)
            time.sleep(0.0005)
        tap.equal("who does not read the log does not stop the daemon", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        tap.check("and it was the daemon that answered", daemon.status()["jobs"] > 0)
        os.close(ends[0])
        os.close(ends[1])
    server.stop()


def short_of_time(tap):
    """A deadline that is shorter than the daemon's own times."""
    server = serve()
    with Lab() as lab:
        server.behaviours = [["delay", "110", "SRV"]]
        daemon = Daemon(lab, config(server, "deadline = 250ms"))
        tap.equal("a live daemon is believed within a short deadline", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        tap.equal("and nobody else asks", [q for q in server.questions if "SRV" in q], ["_two._tcp.mesh SRV"])
        daemon.stop()
        shutil.rmtree(daemon.directory)
        server.behaviours = []
        daemon.config(config(server, "max_ttl = 1s\nmin_ttl = 0\ndeadline = 100ms\nstale_after = 500ms"))
        process = subprocess.Popen([GUEST, "every", "300", "3", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.7)
        double = Double(daemon.socket, working_for_ever)
        output = process.communicate()[0].decode()
        double.stop()
        tap.check("with something old in hand too, no lookup takes longer than the deadline",
                  output.startswith("0 failures") and int(output.split()[-2]) < 130, output)
    server.stop()


def failures_and_old(tap):
    """When no server can answer, a process still uses the answer it has."""
    server = serve()
    with Lab() as lab:
        text = config(server, "max_ttl = 1s\ntimeout = 200ms\ndeadline = 1s\nstale_after = 900ms")
        daemon = Daemon(lab, text, wait=False)
        daemon.kill()
        shutil.rmtree(daemon.directory, ignore_errors=True)
        process = subprocess.Popen([GUEST, "every", "100", "5", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.5)
        server.behaviours = [["rcode", "SERVFAIL"]]
        daemon.start()
        output = process.communicate()[0].decode()
        tap.check("a daemon that knows nothing yet does not take it away", output.startswith("0 failures"), output)
        tap.check("although it was asked", daemon.status()["failed"] > 0, daemon.status())
    server.stop()


def busy(tap):
    server = serve()
    server.behaviours = [["delay", "400", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"), "daemon max_clients = 1\ndaemon quota = 100%\ncache embedded = no")
        crowd = [subprocess.Popen([GUEST, "timed", f"b{i}.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
                 for i in range(10)]
        answers = [one.communicate()[0].decode().split()[0] for one in crowd]
        tap.check("who is turned away is told so: try again, not somebody else's name",
                  set(answers) == {"EAI_NONAME", "EAI_AGAIN"} and answers.count("EAI_AGAIN") >= 5, answers)
    server.stop()


def stopping(tap):
    server = serve()
    server.behaviours = [["delay", "500", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"))
        asker = subprocess.Popen([GUEST, "timed", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        time.sleep(0.2)
        daemon.signal(signal.SIGTERM)
        answer = asker.communicate()[0].decode()
        tap.equal("SIGTERM finishes what runs", answer.split()[0], "127.0.0.11")
        tap.equal("with one question", len([q for q in server.questions if "SRV" in q]), 1)
        tap.equal("and then ends well", daemon.process.wait(5), 0)
        tap.check("and says so", "event=stopped" in daemon.log(), daemon.log())
    server.stop()


def activation(tap):
    """Passes sockets to the daemon and waits for its readiness, as a service manager does."""
    server = serve()
    with Lab() as lab:
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stream.bind(os.path.join(run, "socket"))
        stream.listen(16)
        hints = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        hints.bind(os.path.join(run, "socket.hint"))
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(os.path.join(lab.path, "notify"))
        notify.settimeout(10)
        lab.file("srvmesh.conf", config(server) + f"[cache]\ndirectory = {run}\n[daemon]\nsocket = {run}/socket\n")
        early = subprocess.Popen([GUEST, "timed", "two.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
        def hand_over():
            os.dup2(os.dup(stream.fileno()), 30)
            os.dup2(os.dup(hints.fileno()), 31)
            os.dup2(30, 3)
            os.dup2(31, 4)

        process = lab.start("sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@"', "sh", os.path.join(BUILDDIR, "srvmeshd"),
                            "--foreground", "--config", os.path.join(lab.path, "srvmesh.conf"),
                            preexec_fn=hand_over, pass_fds=(3, 4),
                            env=dict(os.environ, NOTIFY_SOCKET=os.path.join(lab.path, "notify"),
                                     ASAN_OPTIONS="detect_leaks=0"))
        tap.equal("readiness is told", notify.recv(100), b"READY=1")
        tap.equal("who connected before is answered", early.communicate(timeout=10)[0].decode().split()[0], "127.0.0.11")
        tap.equal("and who comes later", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        process.terminate()
        tap.equal("the end is told", notify.recv(100), b"STOPPING=1")
        tap.equal("and is a good one", process.wait(5), 0)
        tap.check("the sockets are left to who made them", os.path.exists(os.path.join(run, "socket")))
    server.stop()


def unprivileged(tap):
    if not can_be_others():
        tap.skip("a daemon of another user", NO_OTHERS)
        return
    server = serve()
    with Lab() as lab:
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        os.chown(run, NOBODY, NOBODY)
        daemon = Daemon(lab, config(server), wait=False)
        daemon.kill()
        shutil.rmtree(run)
        os.mkdir(run)
        os.chown(run, NOBODY, NOBODY)
        daemon.start(user=NOBODY, group=NOBODY, extra_groups=[])
        tap.equal("as a user of its own it needs no root", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        tap.equal("and its map is believed", lab.guest("quiet", "api.mesh", 1), "found")
        with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as file:
            text = file.read()
        tap.check("a seccomp filter is in force", "Seccomp:\t2" in text and "NoNewPrivs:\t1" in text)
        second = subprocess.run([os.path.join(lab.public(), "srvmeshd"), "--foreground", "--config",
                                 os.path.join(lab.path, "srvmesh.conf")], capture_output=True, text=True, check=False,
                                user=NOBODY, group=NOBODY, extra_groups=[])
        tap.check("a second one refuses to start, and says why", second.returncode == 1 and "another srvmeshd" in second.stderr,
                  second.stderr)
    server.stop()


def listener_pid(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(path)
        return struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def background(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server), "daemon log_format = json")
        daemon.stop()
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        with open(os.path.join(lab.path, "background.log"), "wb") as log:
            done = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--config", "srvmesh.conf"], cwd=lab.path,
                                  check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=20,
                                  env=environment)
        tap.equal("without --foreground the command returns when the daemon is ready",
                  (done.returncode, bool(daemon.status())), (0, True))
        with open(os.path.join(lab.path, "background.log"), encoding="utf-8") as log:
            tap.check("the log can be JSON", '"event":"ready"' in log.read())
        os.kill(listener_pid(daemon.socket), signal.SIGTERM)
        for _ in range(100):
            if not os.path.exists(daemon.socket):
                break
            time.sleep(0.05)
        tap.check("and it ends when told", not daemon.status() and not os.path.exists(daemon.socket))
        done = subprocess.run([os.path.join(BUILDDIR, "srvmeshd"), "--config", "missing.conf"], check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        tap.check("a file that is not there is an error where it was typed",
                  done.returncode == 1 and "there is no such file" in done.stderr, done.stderr)
    server.stop()


def main():
    if os.environ.get("SRVMESH_NAMESPACES") == "inside" or (os.geteuid() != 0 and has_user_namespaces()):
        in_namespaces()
    tap = Tap()
    wanted = sys.argv[1:]
    parts = [one_question_for_all, stampede, families_join, stale, embedded_stale, refresh_ahead, lifetimes, away,
             hostile_double, odd_hosts, restarts, reload, corrections, odd_starts, short_of_time,
             failures_and_old, busy, stopping, activation, unprivileged, background, few_descriptors,
             flood, full_file_system, network_changes, setuid_host]
    for part in parts:
        if not wanted or part.__name__ in wanted:
            part(tap)
    tap.finish()


if __name__ == "__main__":
    main()
