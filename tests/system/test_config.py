# SPDX-License-Identifier: LGPL-2.1-or-later
"""A configuration with errors, without files, unreadable, half written, switched off: programs and srvmeshd use /etc as
on a real host, in a mount namespace. An error leads to "try again", never to a question to the wrong servers."""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, NOBODY, NO_OTHERS, Lab, Tap, as_user, can_be_others, in_namespaces, need  # noqa: E402
from scripted_server import Server  # noqa: E402

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
# the result of the next module, `dns`, for a name that is passed on to it
PASSED_ON = "127.0.0.99"
MESH, OTHER = "127.0.0.11", "127.0.0.12"


# prints the result of getaddrinfo for a name each time it changes
ASK = """
import socket, sys, time
last = None
for _ in range(int(sys.argv[2])):
    try:
        answer = socket.getaddrinfo(sys.argv[1], None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except socket.gaierror as error:
        answer = {socket.EAI_AGAIN: "EAI_AGAIN"}.get(error.errno, "EAI_NONAME")
    if answer != last:
        print(answer, flush=True)
    last = answer
    time.sleep(0.02)
"""


class Host:
    """This lab's /etc for every program below; our server for [domain mesh] and [domain other], and another one on port
    53, which must get no question for a service name."""

    def __init__(self, lab):
        self.lab = lab
        self.etc = os.path.join(lab.path, "etc")
        os.makedirs(os.path.join(self.etc, "srvmesh.conf.d"))
        for file in ("passwd", "group", "ld.so.cache", "localtime", "services"):
            if os.path.exists(f"/etc/{file}"):
                shutil.copy(f"/etc/{file}", self.etc)
        self.ours, self.foreign = Server(), Server(port=53)
        for line in (f"_api._tcp.mesh. 60 SRV 0 0 1 a.mesh.|a.mesh. 60 A {MESH}|_new._tcp.mesh. 60 SRV 0 0 1 a.mesh.|"
                     f"_api._tcp.other. 60 SRV 0 0 1 a.other.|a.other. 60 A {OTHER}").split("|"):
            self.ours.add(line)
        for name in ("api.mesh", "new.mesh", "api.other", "localhost.example"):
            self.foreign.add(f"{name}. 60 A {PASSED_ON}")
        for server in (self.ours, self.foreign):
            server.start()
        self.write("nsswitch.conf", "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns\nservices: files srvmesh\n")
        self.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.write("hosts", "127.0.0.1 localhost\n")
        subprocess.run(["mount", "--bind", self.etc, "/etc"], check=True)
        os.makedirs("/run/srvmesh", exist_ok=True)

    def close(self):
        subprocess.run(["umount", "/etc"], check=True)
        for server in (self.ours, self.foreign):
            server.stop()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.etc, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)

    def remove(self, *names):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.etc, name))

    def domain(self, name):
        return f"[domain {name}]\nservers = 127.0.0.1:{self.ours.port}\nfamily = ipv4\n"

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": self.lab.public(), "LC_ALL": "C", **more}

    def run(self, *command, user=None, **more):
        identity = as_user(user) if user else []
        done = subprocess.run([*identity, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              env=self.environment(**more), check=False)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def ask(self, name, **more):
        return self.run(sys.executable, "-c", ASK, name, "1", **more)[1]

    def follow(self, name, **more):
        """A process that prints a line whenever the answer changes."""
        return subprocess.Popen([sys.executable, "-c", ASK, name, "3000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                env=self.environment(**more), text=True)

    def start_daemon(self, *more):
        log = open(os.path.join(self.lab.path, "daemon.log"), "ab")
        process = subprocess.Popen([os.path.join(BUILDDIR, "srvmeshd"), "--foreground", *more], stdin=subprocess.DEVNULL,
                                   stderr=log, env=self.environment())
        log.close()
        self.lab.processes.append(process)
        for _ in range(500):
            if self.run(SRVMESH, "status")[0] == 0 or process.poll() is not None:
                break
            time.sleep(0.02)
        return process

    def log(self):
        with open(os.path.join(self.lab.path, "daemon.log"), encoding="utf-8") as log:
            return log.read()


def until(what, seconds=10):
    """Waits for a result that has to come; the time it takes is not checked here."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def no_files(tap, host):
    tap.equal("without a configuration a name is passed on", host.ask("api.mesh"), PASSED_ON)
    code, _, errors = host.run(SRVMESH, "check-config")
    tap.equal("check-config says that there is none", (code, "there is no configuration" in errors), (1, True))
    host.write("srvmesh.conf.d/mesh.conf", host.domain("mesh"))
    tap.equal("a drop-in alone is a configuration", host.ask("api.mesh"), MESH)
    tap.equal("... and a good one", host.run(SRVMESH, "check-config")[0], 0)
    tap.equal("other names are passed on", host.ask("localhost.example"), PASSED_ON)
    host.remove("srvmesh.conf.d/mesh.conf")
    host.write("srvmesh.conf", "[resolver]\ntimeout = 1s\n")
    code, _, errors = host.run(SRVMESH, "check-config")
    tap.equal("a file without names is told", (code, "no name is ours" in errors), (1, True))
    daemon = host.start_daemon()
    tap.check("srvmeshd runs without names, and says so", daemon.poll() is None and "no name is ours" in host.log(), host.log())
    host.lab.stop(daemon)
    host.remove("srvmesh.conf")


def errors(tap, host):
    host.write("srvmesh.conf", host.domain("mesh"))
    host.write("srvmesh.conf.d/other.conf", host.domain("other") + "colour = red\n")
    host.foreign.questions.clear()
    tap.equal("a typing error in one file leaves the others", host.ask("api.mesh"), MESH)
    tap.equal("names of that file are to be tried again", host.ask("api.other"), "EAI_AGAIN")
    tap.equal("... and no stranger was asked for them", host.foreign.questions, [])
    code, output, said = host.run(SRVMESH, "check-config")
    tap.check("check-config names the error, and what holds", code == 1 and
              "/etc/srvmesh.conf.d/other.conf:4: colour: no such key" in said and "domain mesh: SRV" in output, said, output)
    host.write("srvmesh.conf", host.domain("mesh") + "timeout = 5x\n")
    _, _, said = host.run(SRVMESH, "check-config")
    tap.check("check-config names every error", "srvmesh.conf:4: timeout" in said and "other.conf:4: colour" in said, said)
    daemon = host.start_daemon()
    tap.check("srvmeshd starts all the same", daemon.poll() is None)
    tap.check("and has every error in its log", "srvmesh.conf:4: timeout" in host.log() and "other.conf:4: colour" in host.log(),
              host.log())
    tap.equal("it asks nobody either", (host.ask("api.mesh"), host.foreign.questions), ("EAI_AGAIN", []))
    host.write("srvmesh.conf", host.domain("mesh"))
    host.write("srvmesh.conf.d/other.conf", host.domain("other"))
    tap.check("once mended, srvmeshd follows", until(lambda: "reloaded" in host.log()), host.log())
    tap.equal("... and all is well", (host.ask("api.mesh"), host.ask("api.other")), (MESH, OTHER))

    # from here on srvmeshd has its earlier configuration
    host.write("srvmesh.conf.d/other.conf", host.domain("other") + "colour = red\n")
    tap.check("srvmeshd keeps what it had of a file", until(lambda: host.log().count("other.conf:4: colour") > 1), host.log())
    tap.equal("... so that new processes still find its names", host.ask("api.other"), OTHER)
    host.lab.stop(daemon)
    tap.equal("... without it in the host map", host.ask("api.other"), OTHER)
    daemon = host.start_daemon()
    tap.equal("... and one that starts with the error throws nothing away", host.ask("api.other"), OTHER)
    host.lab.stop(daemon)
    tap.equal("no stranger was ever asked", host.foreign.questions, [])
    host.remove("srvmesh.conf", "srvmesh.conf.d/other.conf")
    forget_map()


def forget_map():
    shutil.rmtree("/run/srvmesh", ignore_errors=True)
    os.makedirs("/run/srvmesh")


def running(tap, host):
    """One process through errors, removals and half-written files."""
    host.write("srvmesh.conf", host.domain("mesh"))
    process = host.follow("api.mesh")
    tap.equal("a process finds a name", process.stdout.readline().split()[-1:], [MESH])
    host.write("srvmesh.conf", host.domain("mesh") + "nonsense\n")
    time.sleep(2.5)
    with open(os.path.join(host.etc, "srvmesh.conf"), "w", encoding="utf-8"):
        pass
    time.sleep(0.8)
    host.remove("srvmesh.conf")
    time.sleep(0.3)
    host.write("srvmesh.conf", host.domain("mesh").replace("servers", "max_ttl = 59s\nservers"))
    time.sleep(2.5)
    process.terminate()
    rest = process.communicate()[0]
    tap.equal("errors, an empty file, and one that is away for a second change nothing for it", rest, "")
    process = host.follow("api.mesh")
    process.stdout.readline()
    host.remove("srvmesh.conf")
    tap.equal("what stays away is gone in the end", process.stdout.readline().split()[-1:], [PASSED_ON])
    process.terminate()
    process.communicate()


def unreadable(tap, host):
    if not can_be_others():
        tap.skip("files that a user cannot read", NO_OTHERS)
        return
    host.write("srvmesh.conf", host.domain("mesh"))
    host.write("srvmesh.conf.d/other.conf", host.domain("other"), 0o600)
    tap.equal("a drop-in that this user cannot read leaves the others", host.ask("api.mesh", user=NOBODY), MESH)
    code, _, said = host.run(SRVMESH, "check-config")
    tap.check("check-config warns of it", code == 0 and "other.conf: mode 0600" in said, code, said)
    daemon = host.start_daemon()
    tap.check("so does srvmeshd", "other.conf: mode 0600" in host.log(), host.log())
    tap.equal("root's processes know its names", host.ask("api.other"), OTHER)
    tap.equal("other users' find them in the host map", host.ask("api.other", user=NOBODY), OTHER)
    tap.equal("foreign names are passed on", host.ask("localhost.example", user=NOBODY), PASSED_ON)
    host.lab.stop(daemon)
    host.remove("srvmesh.conf", "srvmesh.conf.d/other.conf")
    forget_map()


def embedded_off(tap, host):
    host.write("srvmesh.conf", host.domain("mesh") + "[cache]\nembedded = no\n")
    host.foreign.questions.clear()
    tap.equal("embedded = no without srvmeshd is EAI_AGAIN", host.ask("api.mesh"), "EAI_AGAIN")
    tap.equal("... and asks nobody", host.foreign.questions, [])
    host.remove("srvmesh.conf")


def switches(tap, host):
    host.write("srvmesh.conf", host.domain("mesh") + host.domain("other"))
    tap.equal("SRVMESH=off passes names on, in one process", (host.ask("api.mesh", SRVMESH="off"), host.ask("api.mesh")),
              (PASSED_ON, MESH))
    process = host.follow("api.mesh")
    process.stdout.readline()
    code, output, said = host.run(SRVMESH, "disable", "mesh")
    tap.equal("srvmesh disable mesh", (code, said), (0, ""))
    tap.equal("is followed by a process that runs", process.stdout.readline().split()[-1:], [PASSED_ON])
    tap.equal("other domains go on", host.ask("api.other"), OTHER)
    tap.equal("check-config shows it", re.findall(r"domain (\w+): .* disabled", host.run(SRVMESH, "check-config")[1]), ["mesh"])
    daemon = host.start_daemon()
    tap.equal("srvmeshd, too, leaves the name alone", (host.ask("api.mesh"), host.ask("api.other")), (PASSED_ON, OTHER))
    code, output, _ = host.run(SRVMESH, "enable", "mesh")
    tap.equal("srvmesh enable mesh", code, 0)
    tap.equal("brings it back", process.stdout.readline().split()[-1:], [MESH])
    process.terminate()
    process.communicate()
    host.run(SRVMESH, "disable")
    tap.check("srvmesh disable passes all names on", until(lambda: host.ask("api.other") == PASSED_ON))
    _, _, trace = host.run(need("strace"), "-f", "-e", "trace=openat", sys.executable, "-c", ASK, "api.mesh", "1")
    tap.check("... without a look at the host map", "cache.v2.mdb" not in trace, trace[-500:])
    host.write("srvmesh.conf.d/z.conf", "[resolver]\nenabled = no\n")
    code, _, said = host.run(SRVMESH, "enable")
    tap.equal("srvmesh enable names the file that still says no", (code, said),
              (1, "srvmesh: still disabled by /etc/srvmesh.conf.d/z.conf:2: enabled = no"))
    host.remove("srvmesh.conf.d/z.conf")
    tap.equal("srvmesh enable", host.run(SRVMESH, "enable")[0], 0)
    code, _, said = host.run(SRVMESH, "disable", "nothing.example")
    tap.check("a section that is not there cannot be disabled", code == 1 and "no [domain] or [service]" in said, said)
    tap.equal("nothing is left behind", os.listdir(os.path.join(host.etc, "srvmesh.conf.d")), [])
    host.lab.stop(daemon)
    host.remove("srvmesh.conf")
    forget_map()


def config_map(tap, host):
    """A directory of links, as Kubernetes makes for a ConfigMap: the link ..data is changed to another directory."""
    place = os.path.join(host.lab.path, "map")
    for number, more in (("1", ""), ("2", "[domain other]\nservers = 127.0.0.1:{}\nfamily = ipv4\n".format(host.ours.port))):
        os.makedirs(os.path.join(place, number))
        host.lab.file(f"map/{number}/srvmesh.conf", host.domain("mesh") + more)
    os.symlink("1", os.path.join(place, "..data"))
    os.symlink("..data/srvmesh.conf", os.path.join(place, "srvmesh.conf"))
    daemon = host.start_daemon("--config", os.path.join(place, "srvmesh.conf"))
    process = host.follow("api.other", SRVMESH_CONF=os.path.join(place, "srvmesh.conf"))
    tap.equal("a name that is not configured yet", process.stdout.readline().split()[-1:], [PASSED_ON])
    os.symlink("2", os.path.join(place, "..new"))
    os.rename(os.path.join(place, "..new"), os.path.join(place, "..data"))
    shutil.rmtree(os.path.join(place, "1"))
    tap.equal("programs follow a ConfigMap", process.stdout.readline().split()[-1:], [OTHER])
    process.terminate()
    process.communicate()
    tap.check("and so does srvmeshd --config", until(lambda: 'event=reloaded' in host.log().split("ready")[-1]), host.log())
    host.lab.stop(daemon)
    forget_map()


def lacking(tap, host):
    """A call that fails once, or always, while the configuration is read for the first time."""
    host.write("srvmesh.conf", host.domain("mesh"))
    command = [sys.executable, "-c", ASK, "api.mesh"]
    _, _, trace = host.run(need("strace"), "-f", "-e", "trace=openat,newfstatat,fstat,read", *command, "1")
    calls = [line for line in trace.splitlines() if re.match(r"(\[pid +\d+\] )?(openat|newfstatat|fstat|read)\(", line)]
    opened = next(i for i, line in enumerate(calls) if '"/etc/srvmesh.conf"' in line and "openat" in line)
    for offset, call in ((0, "openat"), (1, None), (2, "read")):
        name = call or re.search(r"(newfstatat|fstat)\(", calls[opened + offset]).group(1)
        when = sum(1 for line in calls[:opened + offset + 1] if f"{name}(" in line)
        for error in ("EINTR", "ENFILE", "EIO"):
            host.foreign.questions.clear()
            _, output, _ = host.run(need("strace"), "-o", "/dev/null", "-f", "-e", f"trace={name}", "-e",
                                    f"inject={name}:error={error}:when={when}", *command, "75")
            answers = output.split()
            tap.check(f"{name} of the configuration fails once with {error}: the name is found at the next look",
                      answers[-1:] == [MESH], answers, calls[opened + offset])
            if error == "ENFILE":
                tap.equal("... and was to be tried again before", answers, ["EAI_AGAIN", MESH])
            elif error == "EINTR":
                tap.check("... and was never passed on", PASSED_ON not in answers, answers)
    host.remove("srvmesh.conf")


def main():
    in_namespaces()
    tap = Tap()
    parts = [no_files, errors, running, unreadable, embedded_off, switches, config_map, lacking]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    for part in parts:
        if len(sys.argv) > 1 and part.__name__ not in sys.argv[1:]:
            continue
        with Lab() as lab:
            host = Host(lab)
            try:
                part(tap, host)
            finally:
                for process in lab.processes:
                    lab.stop(process)
                host.close()
    tap.finish()


main()
