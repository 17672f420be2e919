# SPDX-License-Identifier: LGPL-2.1-or-later
"""A changed configuration, or a changed network, keeps what carries a host through an outage, and gives up what is of elsewhere."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, IS_SANITIZED, PROBE, Daemon, Lab, Tap, free_port, in_namespaces, own_etc  # noqa: E402
from scripted_server import Server  # noqa: E402

TIMES = "min_ttl = 0\nmax_ttl = 1s\ntimeout = 100ms\ndeadline = 400ms\nstale_after = 200ms\nfamily = ipv4\n"


def serve(*lines, address="127.0.0.1", port=0):
    server = Server(address, port)
    for line in lines:
        server.add(line)
    server.start()
    return server


def log_of(daemon, since):
    return daemon.log()[since:]


def reload(daemon, text):
    """A new configuration, by SIGHUP; returns when it is in force and judged."""
    before = len(daemon.log())
    daemon.config(text)
    daemon.signal(signal.SIGHUP)
    for _ in range(100):
        if "reloaded" in log_of(daemon, before):
            break
        time.sleep(0.02)
    time.sleep(0.1)


def outage(tap, has_daemon):
    """DNS is dead, and what is old is served; then the configuration changes."""
    server = serve("api.mesh. 60 A 127.0.0.11", "other.mesh. 60 A 127.0.0.12")
    what = "with srvmeshd" if has_daemon else "in a process"
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\n{TIMES}"
        second = text.replace(f":{server.port}", f":{server.port} 127.0.0.1:{free_port()}")
        changes = [("a second server", second), ("an unrelated domain", second + "[domain unrelated]\n"),
                   ("no second server", text), ("another way to fall back", text + "fallback = none\n")]
        daemon = Daemon(lab, text) if has_daemon else None
        if not has_daemon:
            lab.file("srvmesh.conf", text)
        with open(os.path.join(lab.path, "answers"), "w", encoding="utf-8") as lines:
            process = subprocess.Popen([PROBE, "repeat", "30", "api.mesh"], stdout=lines, env=lab.environment())
            lab.processes.append(process)
            time.sleep(0.3)
            server.behaviours = [["drop"]]
            time.sleep(1.5)
            for change, changed in changes:
                if has_daemon:
                    reload(daemon, changed)
                    tap.equal(f"{change} in an outage: the old answer is still given", lab.probe("gai", "inet", "api.mesh"), "127.0.0.11")
                else:
                    lab.file("srvmesh.conf", changed)
                time.sleep(1.5)
            with open(os.path.join(lab.path, "answers"), encoding="utf-8") as file:
                tap.equal(f"a program that goes on asking never misses it ({what})", file.read().split(), ["127.0.0.11"])
            lab.stop(process)
        if has_daemon:
            reload(daemon, text + "srv = {name}\n")
            tap.equal("what is about something else is not given", lab.probe("gai", "inet", "api.mesh"), "EAI_AGAIN")
            daemon.stop()
    server.stop()


def hundred_changes(tap):
    server = serve("api.mesh. 60 A 127.0.0.11")
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
        daemon = Daemon(lab, text)
        lab.probe("gai", "inet", "api.mesh")
        inode = os.stat(os.path.join(daemon.directory, "cache.v2.mdb")).st_ino
        process = subprocess.Popen([PROBE, "repeat", "60", "api.mesh"], stdout=subprocess.DEVNULL, env=lab.environment())
        lab.processes.append(process)
        maps = set()
        for i in range(100):
            before = len(daemon.log())
            daemon.config(f"{text}max_ttl = {60 + i}s\n")
            daemon.signal(signal.SIGHUP)
            while "reloaded" not in log_of(daemon, before):
                time.sleep(0.005)
        time.sleep(1.2)
        for pid in (process.pid, daemon.process.pid):
            with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
                maps |= {line.split(None, 5)[5].strip() for line in file if "cache.v2.mdb" in line}
        files = [name for name in os.listdir(daemon.directory) if name.endswith(".mdb")]
        tap.equal("a hundred changes of the configuration leave one file", files, ["cache.v2.mdb"])
        tap.equal("... the same one", os.stat(os.path.join(daemon.directory, "cache.v2.mdb")).st_ino, inode)
        tap.equal("... and nobody has a deleted map", maps, {os.path.join(daemon.directory, "cache.v2.mdb")})
        lab.stop(process)
        daemon.stop()
    server.stop()


def write(path, text):
    """In place, as many tools do it."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def other_network(tap):
    """A VPN comes up, and resolv.conf names other servers."""
    home = serve("both.mesh. 3600 A 127.0.0.11", address="127.0.0.2", port=53)
    office = serve("both.mesh. 3600 A 127.0.0.21", "inside.mesh. 3600 A 127.0.0.22", address="127.0.0.3", port=53)
    with Lab() as lab:
        own_etc(lab)
        os.unlink("/etc/resolv.conf")
        write("/etc/resolv.conf", "nameserver 127.0.0.2\n")
        text = "[domain mesh]\nfamily = ipv4\nnegative_ttl = 1h\n"
        daemon = Daemon(lab, text)
        tap.equal("at home a name has one address", lab.probe("gai", "inet", "both.mesh"), "127.0.0.11")
        tap.equal("... and another name does not exist", lab.probe("gai", "inet", "inside.mesh"), "EAI_NONAME")
        time.sleep(0.3)
        write("/etc/resolv.conf", "nameserver 127.0.0.3\n")
        time.sleep(2.5)
        tap.equal("in the other network it has that network's", lab.probe("gai", "inet", "both.mesh"), "127.0.0.21")
        tap.equal("... and the other exists there", lab.probe("gai", "inet", "inside.mesh"), "127.0.0.22")
        before, jobs = len(daemon.log()), daemon.status()["jobs"]
        write("/etc/resolv.conf", "")
        time.sleep(1.2)
        tap.equal("a resolv.conf that is empty for a moment changes nothing", lab.probe("gai", "inet", "both.mesh"), "127.0.0.21")
        os.unlink("/etc/resolv.conf")
        time.sleep(0.3)
        write("/etc/resolv.conf", "nameserver 127.0.0.3\n")
        time.sleep(2.5)
        tap.equal("... nor does one that is gone", lab.probe("gai", "inet", "inside.mesh"), "127.0.0.22")
        tap.check("... and nobody was asked again", daemon.status()["jobs"] == jobs and "wait for" not in log_of(daemon, before),
                  log_of(daemon, before))
        office.behaviours = [["drop"]]
        write("/etc/resolv.conf", "nameserver 127.0.0.4\n")
        time.sleep(2.5)
        tap.equal("where the new network's server is silent, the old answer is given", lab.probe("gai", "inet", "both.mesh"),
                  "127.0.0.21")
        daemon.stop()
    home.stop()
    office.stop()


def routes(tap):
    """srvmeshd keeps what the kernel says of a destination; a route that comes or goes ends that."""
    server = serve("far.mesh. 3600 A 10.9.0.1", "near.mesh. 3600 A 127.0.0.11",
                   *(f"_r{i}._tcp.mesh. 3600 SRV 0 1 80 {host}.mesh." for i in range(100) for host in ("far", "near")))
    names = iter(range(100))

    def answers():
        """Of 20 names that nobody has asked for: which of the targets is the first one is drawn."""
        return {address for _ in range(20) for address in lab.probe("gai", "inet", f"r{next(names)}.mesh").split()}

    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n")
        tap.equal("a target without a route is left out", answers(), {"127.0.0.11"})
        for change, is_reached in (("add", True), ("del", False)):
            subprocess.run(["ip", "route", change, "10.9.0.0/16", "dev", "lo"], check=True)
            time.sleep(0.2)  # the kernel reports it
            tap.equal(f"route {change}: the next names are judged by it at once", "10.9.0.1" in answers(), is_reached)
            time.sleep(2.2)  # routes are quiet: it keeps again what it hears
            tap.equal("... and those after them", "10.9.0.1" in answers(), is_reached)
        daemon.stop()
    server.stop()


def jump(tap, has_daemon):
    """A suspend: everything expires together. DNS is silent, and a lookup that waits for it waits four seconds."""
    what = "with srvmeshd" if has_daemon else "in a process"
    if has_daemon and IS_SANITIZED:
        tap.skip("after a jump of the clock old answers are given at once", "not possible here: sanitizers want to be preloaded first")
        return
    names = [f"n{i}" for i in range(20)]
    server = serve(*[f"{name}.mesh. 60 A 127.0.0.11" for name in names])
    with Lab() as lab:
        text = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\nstale_after = 4s\ndeadline = 8s\ntimeout = 5s\n"
        boot = lab.file("boot", "0")
        shifted = {"LD_PRELOAD": os.path.join(BUILDDIR, "tests", "shifted_clock.so"), "SHIFTED_BOOT": boot}
        daemon = Daemon(lab, text, wait=False) if has_daemon else None
        if daemon:
            daemon.stop()
            daemon.start(env=dict(os.environ, **shifted))
        else:
            lab.file("srvmesh.conf", text)
        if has_daemon:
            for name in names:
                lab.probe("gai", "inet", f"{name}.mesh", **shifted)
            server.behaviours = [["drop"]]
            server.questions.clear()
            lab.file("boot", "600")
            began = time.monotonic()
            found = [lab.probe("gai", "inet", f"{name}.mesh", **shifted) for name in names]
            took = time.monotonic() - began
            asked = len({question.split()[0] for question in server.questions})
            tap.check("... and not all are renewed at once", asked < 20 or took > 4, asked, took)
            server.behaviours = []
            time.sleep(5)
            for name in names:
                lab.probe("gai", "inet", f"{name}.mesh", **shifted)
            time.sleep(0.3)
            tap.equal("... but all are within the seconds after it", daemon.status()["entries"], 20)
            daemon.stop()
        else:
            process = subprocess.Popen([PROBE, "rounds", "2", "20", "n", ".mesh"], stdout=subprocess.PIPE, stdin=subprocess.PIPE,
                                       text=True, env=lab.environment(**shifted))
            lab.processes.append(process)
            first = process.stdout.readline().split()
            server.behaviours = [["drop"]]
            lab.file("boot", "600")
            time.sleep(0.1)
            began = time.monotonic()
            process.stdin.write("\n")
            process.stdin.flush()
            found = process.stdout.readline().split()
            took = time.monotonic() - began
            tap.equal("... as many as before", (first, found), (["20"], ["20"]))
            found = ["127.0.0.11"] * 20
        tap.check(f"after a jump of the clock old answers are given at once ({what})", found == ["127.0.0.11"] * 20 and took < 40,
                  found, took)
    server.stop()


def main():
    in_namespaces()
    tap = Tap()
    outage(tap, True)
    outage(tap, False)
    hundred_changes(tap)
    other_network(tap)
    routes(tap)
    jump(tap, True)
    jump(tap, False)
    tap.finish()


main()
