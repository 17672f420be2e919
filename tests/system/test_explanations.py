# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `srvmesh` says to an administrator about odd services, odd hosts and odd command lines, on a host of its own."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Daemon, Lab, Tap, free_port, in_namespaces, own_etc  # noqa: E402
from scripted_server import Server  # noqa: E402

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
ZONE = """
_api._tcp.mesh. 60 SRV 10 60 8080 a.mesh.
_api._tcp.mesh. 60 SRV 10 30 8080 b.mesh.
_api._tcp.mesh. 60 SRV 20 0 8080 c.mesh.
_half._tcp.mesh. 60 SRV 0 0 80 a.mesh.
_half._tcp.mesh. 60 SRV 0 0 80 mute.mesh.
_late._tcp.mesh. 60 SRV 0 0 1 a.mesh.
_http._tcp.web.mesh. 60 SRV 0 0 80 a.mesh.
a.mesh. 60 A 127.0.0.11
a.mesh. 60 TXT "zone=x"
b.mesh. 60 A 127.0.0.12
c.mesh. 60 A 127.0.0.13
bare.mesh. 60 A 127.0.0.14
web.mesh. 60 A 127.0.0.11
"""


def sections(server, deaf):
    """Of the same service, looked at in different ways."""
    at = f"srv = _{{service}}._tcp.mesh\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
    return (f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\ntimeout = 100ms\ndeadline = 400ms\n"
            f"[domain nowhere]\n{at}filter = zone=nowhere\nfilter_fallback = all\n[domain strict]\n{at}filter = zone=nowhere\n"
            f"filter_fallback = none\n"
            f"[domain all]\n{at}answers = all\n[domain port]\n{at}port = 9\n[domain liked]\n{at}prefer = zone=x\n"
            f"[domain off]\n{at}enabled = no\n[service api.exact]\nsrv = _api._tcp.mesh\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
            f"health = tcp\n"
            f"[domain deaf]\nservers = 127.0.0.1:{deaf}\ntimeout = 50ms\ndeadline = 200ms\n[domain none]\n")


class Host:
    """With files of its own in /etc; nothing names another configuration."""

    def __init__(self, lab, tap, text):
        self.lab, self.tap = lab, tap
        own_etc(lab)
        os.makedirs("/etc/srvmesh.conf.d", exist_ok=True)
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.write("/etc/nsswitch.conf", "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns\nservices: files srvmesh\n")
        self.write("/etc/srvmesh.conf", text)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words, **more):
        environment = self.lab.environment(**more)
        if "SRVMESH_CONF" not in more:
            del environment["SRVMESH_CONF"]
        done = subprocess.run([SRVMESH, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=environment,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def says(self, sentence, words, expected, code=0, **more):
        """The command ends with that code, and what it prints has each of the expected pieces."""
        got = self.run(*words.split(), **more)
        missing = [piece for piece in ([expected] if isinstance(expected, str) else expected) if piece not in got[1]]
        self.tap.check(sentence, got[0] == code and not missing, f"srvmesh {words}: {got[0]}", f"missing {missing}", got[1][-1500:])


def services(host):
    host.says("a filter that no target passes is explained", "explain api.nowhere", "no target matches the filter zone=nowhere")
    host.says("... and where nothing is left then", "explain api.strict", ["no target is left", "leaves it out"], code=1)
    host.says("answers = all is", "explain api.all", "answers = all: glibc sorts the addresses again")
    host.says("a service without a target at that port is", "explain api.port", "it has no address of the asked family", code=1)
    host.says("a preference is", "explain api.liked", "after those that are preferred by zone=x")
    host.says("a spare priority is", "explain api.mesh", "priority 20 is for when 10 has none")
    host.says("a name without SRV records is", "explain bare.mesh", "its own: there are no SRV records")
    host.says("... whose port nobody knows", "lookup --srv bare.mesh", "its port is not known", code=1)
    host.says("... not even in JSON", "lookup -j bare.mesh", '"port":null')
    host.says("a target whose address is not to be had is", "explain half.mesh", "addresses of some target could not be found")
    host.says("what is switched off is, with the line and the remedy", "explain api.off",
              ["switched off: enabled = no (/etc/srvmesh.conf:", "srvmesh enable off"], code=1)
    host.says("a name of nobody is", "explain api.other", "not a name of ours", code=1)
    host.says("a server that is not there is named", "lookup api.deaf", "no server could tell: 127.0.0.1:", code=4)
    host.says("no server at all is", "lookup api.none", "no server", code=4)
    host.says("a name that is none is", "lookup bad..name", "not a", code=1)
    host.says("health of a service is shown", "health", "no target is watched")
    host.says("... once a name is in use", "lookup api.exact", "127.0.0.1")
    until = time.monotonic() + 10
    while "api.exact" not in host.run("health")[1] and time.monotonic() < until:
        time.sleep(0.1)
    host.says("... with its endpoints", "health", ["127.0.0.11:8080", "api.exact"])
    host.says("what the cache holds is shown as it is", "cache show api.strict", ["a.mesh", "c.mesh"])
    host.says("names that lead to an address and port are found", "who 127.0.0.11:8080", "api.mesh")
    host.says("... and none at another", "who 127.0.0.11:81", "no name that is kept", code=1)


def hosts(host):
    host.write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.99 api.mesh\n")
    host.says("a name in /etc/hosts is noticed", "explain api.mesh", "/etc/hosts has the name")
    host.write("/etc/nsswitch.conf", "hosts: files dns\n")
    host.says("... and a host that does not ask", "explain api.mesh", "srvmesh is not on the hosts line")
    host.write("/etc/nsswitch.conf", "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns\nservices: files srvmesh\n")
    host.says("doctor finds SRV records at another form", "doctor web.mesh", "but it has some at _http._tcp.web.mesh", code=1)
    host.says("... at the form that is configured", "doctor api.mesh", "api.mesh has SRV records at _api._tcp.mesh", code=1)
    host.says("... or says that there are none", "doctor bare.mesh", "nor at any other common form", code=1)
    host.says("... or that a section is off", "doctor api.off", "its section is switched off", code=1)
    host.says("... or that it has no server", "doctor api.none", "api.none: no server tells", code=1)
    host.says("... or that it is a name of SRV records", "doctor _api._tcp.mesh", "a name of SRV records itself", code=1)
    host.says("... or that nobody tells", "doctor api.deaf", "no server tells whether it has SRV records", code=1)
    host.says("compare says what differs", "compare api.mesh a.mesh", ["different", "same"], code=1)
    host.says("... by itself of all names that are kept", "compare", "api.mesh", code=1)
    host.says("... and what cannot be read", "compare --from /nonexistent", "/nonexistent: cannot be read", code=1)


def configuration(host, lab):
    host.says("check-config says what each section comes to", "check-config",
              ["service api.exact: SRV _api._tcp.mesh", "filter zone=nowhere", "prefer zone=x", "health tcp", "disabled"])
    shared = lab.file("shared.conf", "[domain mesh]\n[shared]\nservers = 127.0.0.1:6379, unix:/run/redis\nkey = /nonexistent\nview = rack\n")
    host.says("... and who shares", f"check-config {shared}",
              ["shared: 127.0.0.1:6379 unix:/run/redis, key /nonexistent, view rack", "[shared] key: /nonexistent does not exist"], code=1)
    host.says("a configuration that is named elsewhere is not switched", "disable mesh", "SRVMESH_CONF replaces all other files", code=1,
              SRVMESH_CONF=shared)
    host.says("what is no domain is not switched", "disable bad..name", "not a domain name", code=1)
    host.says("... nor what nobody has configured", "disable unknown", "no [domain] or [service] of this name", code=1)
    host.says("a service can be", "disable api.exact", "disabled by /etc/srvmesh.conf.d/disabled-api.exact.conf")
    host.says("... is then", "lookup api.exact", "switched off", code=1)
    host.says("... and no longer", "enable api.exact", "api.exact: enabled")
    host.says("what another file switches off stays off, and is named", "enable off", "still disabled by /etc/srvmesh.conf:", code=1)
    os.makedirs("/etc/srvmesh.conf.d/disabled-all.conf/kept")
    host.says("what cannot be removed is named", "enable all", "/etc/srvmesh.conf.d/disabled-all.conf", code=1)


def command_lines(host):
    host.says("--json=off is text", "lookup --json=off bare.mesh", "127.0.0.14")
    for words, expected in (("lookup --json=loud bare.mesh", "expected short, pretty or off"), ("--color=blue status", "auto, always or never"),
                            ("who nonsense", "is no address"), ("doctor --pid x", "is no process id"), ("monitor --last x", "is no number"),
                            ("monitor bad/name", "pattern"), ("cache flush", "usage"), ("cache show bad..name", "not a valid"),
                            ("lookup", "usage"), ("run api.mesh", "usage"), ("help nonsense", "there is no command")):
        host.says(f"srvmesh {words}: what was expected", words, expected, code=2)
    for words, expected in (("", "lookup"), ("cache f", "flush"), ("log-level d", "debug"), ("help st", "status"), ("lookup --j", "--json"),
                            ("disable m", "mesh"), ("check-config x", "@files"), ("lookup api.e", "api.exact"), ("status x", "")):
        host.says(f"after \"srvmesh {words}\" the shell offers {expected or 'nothing'}", f"_complete {words}".strip(), expected)
    done = host.run("run", "--retry", "api.mesh", "--", "sh", "-c", "kill -TERM $$")
    host.tap.equal("a program that a signal ends is ended for all", done[0], -signal.SIGTERM)


def main():
    tap = Tap()
    server, dns = Server(), Server(port=53)
    for line in ZONE.splitlines():
        if line.strip():
            server.add(line)
    dns.add("api.mesh. 60 A 127.0.0.11")
    dns.add("a.mesh. 60 A 127.0.0.11")
    server.behaviours = [["drop-name", "mute.mesh"]]
    server.start()
    dns.start()
    with Lab() as lab:
        text = sections(server, free_port())
        daemon = Daemon(lab, text)
        with open(os.path.join(lab.path, "srvmesh.conf"), encoding="utf-8") as file:
            host = Host(lab, tap, file.read())
        services(host)
        hosts(host)
        configuration(host, lab)
        command_lines(host)
        daemon.stop()
        host.says("without srvmeshd each process asks, and it is said", "explain late.mesh", "no srvmeshd answers: each process asks DNS itself")
        host.says("... and what needs it says so", "servers", "no srvmeshd answers at", code=3)
    server.stop()
    dns.stop()
    tap.finish()


in_namespaces()
main()
