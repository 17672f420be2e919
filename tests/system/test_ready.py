# SPDX-License-Identifier: LGPL-2.1-or-later
"""An answer that a process has ready (find/ready.h) is given only as long as a lookup would come to the same: a program asks time
and again, one question after the other, while all around it changes."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Daemon, Lab, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

LONG = "l" * 60
SRVMESH = os.path.join(BUILDDIR, "srvmesh")
PROGRAM = """
import ctypes, os, socket, sys, threading

def ask(name, family="unspec", port=None):
    try:
        found = socket.getaddrinfo(name, port, {"unspec": 0, "inet": socket.AF_INET, "inet6": socket.AF_INET6}[family], socket.SOCK_STREAM)
        return " ".join(f"{one[4][0]}:{one[4][1]}" for one in found)
    except socket.gaierror as error:
        return errors[error.args[0]]

errors = {getattr(socket, name): name for name in ("EAI_NONAME", "EAI_AGAIN", "EAI_NODATA", "EAI_FAIL")}
assert ctypes.CDLL(None).__nss_configure_lookup(b"hosts", b"srvmesh") == 0
assert ctypes.CDLL(None).__nss_configure_lookup(b"services", b"srvmesh files") == 0
for line in sys.stdin:
    where, times, *words = line.split()
    if where == "thread":
        answers = set()
        thread = threading.Thread(target=lambda: answers.update(ask(*words) for _ in range(int(times))))
        thread.start()
        thread.join()
    elif where == "port":
        answers = {str(socket.getservbyname(words[0], "tcp"))}
    elif where == "child":
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, ask(*words).encode())
            os._exit(0)
        answers = {os.read(reading, 1000).decode()}
        os.wait()
        os.close(reading), os.close(writing)
    else:
        answers = {ask(*words) for _ in range(int(times))}
    print(" or ".join(sorted(answers)), flush=True)
"""


class Program:
    """A real one, with one thread."""

    def __init__(self, lab):
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=lab.environment())
        lab.processes.append(self.process)

    def ask(self, *words, times=4, where="here"):
        """The second lookup finds what the first one kept, and from the third on it is ready."""
        print(where, times, *words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def ask_until_not(self, before, *words):
        """The first other answer, within half a minute."""
        until = time.monotonic() + 30
        while (answer := self.ask(*words, times=1)) == before and time.monotonic() < until:
            continue
        return answer


def serve(*lines):
    server = Server("127.0.0.1", 0)
    for line in lines:
        server.add(line)
    server.start()
    return server


def change(server, target="c", port=80):
    server.records.clear()
    server.add(f"_api._tcp.mesh. 60 SRV 0 1 {port} {target}.mesh.")
    server.add(f"{target}.mesh. 60 A 127.0.0.1{'abcd'.index(target) + 1}")


def flush(lab, *words):
    return lab.run(SRVMESH, "cache", "flush", *words)[0]


def changes_of_the_map(tap):
    server = serve("_api._tcp.mesh. 60 SRV 0 1 80 a.mesh.", "a.mesh. 60 A 127.0.0.11", "_other._tcp.mesh. 60 SRV 0 1 80 b.mesh.",
                   "b.mesh. 60 A 127.0.0.12", f"_{LONG}._tcp.mesh. 60 SRV 0 1 80 a.mesh.")
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
        daemon = Daemon(lab, text)
        program = Program(lab)
        tap.equal("asked time and again", program.ask("api.mesh"), "127.0.0.11:0")
        tap.equal("in capitals, and with a dot", (program.ask("API.mesh."), program.ask("api.mesh")), ("127.0.0.11:0",) * 2)
        tap.equal("for a family that it does not have", (program.ask("api.mesh", "inet6"), program.ask("api.mesh", "inet")),
                  ("EAI_NODATA", "127.0.0.11:0"))
        tap.equal("a child gets the same", program.ask("api.mesh", where="child"), "127.0.0.11:0")
        tap.equal("another name", program.ask("other.mesh"), "127.0.0.12:0")
        tap.equal("a name that is too long to be ready", program.ask(f"{LONG}.mesh"), "127.0.0.11:0")
        change(server)
        tap.equal("what is kept is given, whatever DNS says", program.ask("api.mesh"), "127.0.0.11:0")
        tap.equal("flushed: the very next lookup asks again", (flush(lab, "api.mesh"), program.ask("api.mesh")), (0, "127.0.0.13:0"))
        tap.equal("the other name is as it was", program.ask("other.mesh"), "127.0.0.12:0")
        daemon.signal(signal.SIGSTOP)
        tap.equal("while srvmeshd stands still", program.ask("api.mesh"), "127.0.0.13:0")
        daemon.signal(signal.SIGCONT)
        tap.equal("with its port", program.ask("api.mesh", "inet", "api.mesh"), "127.0.0.13:80")
        tap.equal("its port alone, by which the thread has drawn the target", program.ask("api.mesh", where="port"), "80")
        change(server, "d", 81)
        tap.equal("... and then it moves: another thread gets the new address", (flush(lab, "api.mesh"), program.ask("api.mesh", where="thread")),
                  (0, "127.0.0.14:0"))
        tap.equal("... and this one not, for the old port", program.ask("api.mesh", times=1), "EAI_AGAIN")
        daemon.stop()
    server.stop()


def changes_of_the_process(tap):
    server = serve("_api._tcp.mesh. 1 SRV 0 1 80 a.mesh.", "a.mesh. 1 A 127.0.0.11")
    text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\nmin_ttl = 0\nstale = 0\n"
    with Lab() as lab:
        lab.file("srvmesh.conf", text)
        program = Program(lab)
        tap.equal("without srvmeshd", program.ask("api.mesh"), "127.0.0.11:0")
        until = time.monotonic() + 1
        change(server)
        while time.monotonic() <= until:
            program.ask("api.mesh")
        tap.equal("it ends with its lifetime, and no later", program.ask("api.mesh", times=1), "127.0.0.13:0")
        tap.equal("... and the next one is ready", program.ask("api.mesh"), "127.0.0.13:0")
        lab.file("srvmesh.conf", text.replace("domain mesh", "domain other"))
        tap.equal("a changed configuration: the name is ours no longer", program.ask_until_not("127.0.0.13:0", "api.mesh"), "EAI_NONAME")
        lab.file("srvmesh.conf", text)
        tap.equal("... and ours again", program.ask_until_not("EAI_NONAME", "api.mesh"), "127.0.0.13:0")
        other = serve("_api._tcp.mesh. 60 SRV 0 1 80 d.mesh.", "d.mesh. 60 A 127.0.0.14")
        program.ask("api.mesh")
        lab.file("srvmesh.conf", text.replace(str(server.port), str(other.port)))
        tap.equal("other servers", (program.ask_until_not("127.0.0.13:0", "api.mesh"), program.ask("api.mesh")), ("127.0.0.14:0",) * 2)
        other.stop()
    server.stop()


def growth_of_the_map(tap):
    names = [f"n{i}" for i in range(400)]
    server = serve("_api._tcp.mesh. 60 SRV 0 1 80 a.mesh.", "a.mesh. 60 A 127.0.0.11",
                   *(f"_{name}._tcp.mesh. 60 SRV 0 1 80 a.mesh." for name in names))
    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\ndeadline = 1s\n", "cache embedded = no")
        path = os.path.join(daemon.directory, "cache.v2.mdb")
        program, other = Program(lab), Program(lab)
        tap.equal("a small map", program.ask("api.mesh", times=1), "127.0.0.11:0")
        size = os.path.getsize(path)
        for name in names:
            other.ask(f"{name}.mesh", times=1)
        tap.check("the map grows", os.path.getsize(path) > size, size)
        daemon.signal(signal.SIGSTOP)
        tap.equal("what it has grown by is read at once", {program.ask(f"{name}.mesh", times=1) for name in names}, {"127.0.0.11:0"})
        daemon.signal(signal.SIGCONT)
        daemon.stop()
    server.stop()


def main():
    tap = Tap()
    growth_of_the_map(tap)
    changes_of_the_map(tap)
    changes_of_the_process(tap)
    tap.finish()


main()
