# SPDX-License-Identifier: LGPL-2.1-or-later
"""The doctor finds what is planted, and nothing else: each fault by itself on a host that is well, in namespaces of its own, where
files of /etc are what a mount makes of them."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "packaging"), os.path.join(os.path.dirname(HERE), "cli")]
from lab import (BUILDDIR, NO_OTHERS, PROBE, SRCDIR, Daemon, Knot, Lab, Tap, as_user, can_be_others, free_port,  # noqa: E402
                 in_namespaces, need, own_etc)
from scripted_server import Server  # noqa: E402
from machine import Nscd, unpacked  # noqa: E402
from transcripts import Transcripts  # noqa: E402
import jsonschema  # noqa: E402

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
ZONE = """_api._tcp SRV 10 60 8080 a
a A 127.0.0.11
consul SRV 1 1 80 a
_http._tcp.web SRV 1 1 80 a
_grpc._tcp.pod SRV 1 1 80 a
pod A 127.0.0.60
"""
GOOD = "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns\nservices: files srvmesh\n"


class Host:
    """This machine, with an /etc, a /run and a few other folders of its own, and the doctor on it."""

    def __init__(self, tap, lab):
        self.tap, self.lab = tap, lab
        own_etc(lab)
        for folder in ("/run", "/var/cache", "/var/log", "/usr/local/lib"):
            subprocess.run([need("mount"), "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
        for folder in ("/run/nscd", "/var/cache/nscd", "/var/log/audit"):
            os.makedirs(folder)
        for path in ("/etc/srvmesh.conf", "/etc/nscd.conf", "/etc/resolv.conf", "/etc/hosts"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for path, text in (("/etc/nsswitch.conf", GOOD), ("/etc/hosts", "127.0.0.1 localhost\n"), ("/etc/resolv.conf", "")):
            self.write(path, text)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    @contextlib.contextmanager
    def having(self, path, text):
        with open(path, encoding="utf-8") as file:
            before = file.read()
        self.write(path, text)
        yield
        self.write(path, before)

    def doctor(self, *words, prefix=(), **more):
        command = [*prefix, os.path.join(self.lab.public(), "srvmesh") if prefix else SRVMESH, "doctor", "--json=short", *words]
        if "SRVMESH_CONF" in more:  # the files of this host
            command, more = [need("env"), "-u", "SRVMESH_CONF", *command], {}
        code, output, errors = self.lab.run(*command, **more)
        try:
            return code, json.loads(output)
        except ValueError:
            return code, {"findings": [], "errors": output + errors}

    def finds(self, what, kind, topic, pattern, remedy="", *words, alone=True, **more):
        """The fault is found, with its remedy; and `alone`: no other one is."""
        code, said = self.doctor(*words, **more)
        bad = [one for one in said["findings"] if one["kind"] in ("problem", "warning")]
        mine = [one for one in bad if one["kind"] == kind and one["topic"] == topic and re.search(pattern, one["text"]) and
                re.search(remedy, one["remedy"] or "")]
        good = bool(mine) and (len(bad) == len(mine) or not alone) and code == (1 if said.get("problems") else 0)
        self.tap.check(f"the doctor finds {what}", good, code, json.dumps(said, indent=1))


def health(host):
    code, said = host.doctor()
    bad = [one for one in said["findings"] if one["kind"] in ("problem", "warning")]
    host.tap.equal("on a host that is well the doctor finds nothing", (code, bad), (0, []))
    host.tap.check("... and says what it has looked at", {one["topic"] for one in said["findings"]} >=
                   {"plugin", "order", "ports", "config", "srvmeshd", "map", "servers"}, said)
    with open(os.path.join(SRCDIR, "docs", "srvmesh.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.validate(said, {**schema, "$ref": "#/definitions/doctor"})
    host.tap.check("its JSON is as the schema says", True)
    transcripts = Transcripts(host.tap, host.lab, (r"127\.0\.0\.1:\d+", "SERVER"), (r"\b\d+\.\d+\.\d+$", "RELEASE"),
                              (r"\d+\.\d+\.\d+ answers", "RELEASE answers"), LC_ALL="C.UTF-8")
    transcripts.check("doctor", ["doctor"], ["doctor", "consul.mesh", "none.example"], ["doctor", "-q"], ["doctor", "--no-legend"])
    transcripts.check("doctor-without-utf8", ["doctor"], LC_ALL="C")


def plugin(host, lab):
    empty = os.path.join(lab.path, "empty")
    os.mkdir(empty)
    host.finds("a plugin that is not there", "problem", "plugin", "is not there", "install", LD_LIBRARY_PATH=empty)
    place = "/usr/local/lib/libnss_srvmesh.so.2"  # where a build that nobody configures is installed
    with open(os.path.join(lab.path, "foreign.c"), "w", encoding="utf-8") as file:
        file.write("int nothing;\n")
    subprocess.run([need("gcc"), "-m32", "-shared", "-nostdlib", "-o", place, os.path.join(lab.path, "foreign.c")], check=True)
    host.finds("a plugin of another architecture", "problem", "plugin", "another architecture", "architecture", LD_LIBRARY_PATH=empty)
    os.unlink(place)
    other = os.path.join(lab.path, "other")
    os.mkdir(other)
    with open(os.path.join(BUILDDIR, "libnss_srvmesh.so.2"), "rb") as file:
        bytes_of = file.read()
    release = re.search(rb"srvmesh-release:([\d.]+)", bytes_of).group(1)
    with open(os.path.join(other, "libnss_srvmesh.so.2"), "wb") as file:
        file.write(bytes_of.replace(b"srvmesh-release:" + release, b"srvmesh-release:" + b"0.1.9"[:len(release)].ljust(len(release), b"9")))
    host.finds("a plugin of another release", "warning", "plugin", "is of release 0.1.9", "one release", LD_LIBRARY_PATH=other)


def order(host):
    def with_hosts(line, services="services: files srvmesh\n"):
        return host.having("/etc/nsswitch.conf", f"hosts: {line}\n{services}")
    with with_hosts("files dns"):
        host.finds("srvmesh missing on the hosts line", "problem", "order", "not on the hosts line", "nsswitch add")
    with with_hosts("files dns srvmesh [NOTFOUND=return TRYAGAIN=return]"):
        host.finds("dns before it", "problem", "order", '"dns" stands before srvmesh', "before it")
    with with_hosts("files resolve [!UNAVAIL=return] srvmesh [NOTFOUND=return TRYAGAIN=return] dns"):
        host.finds("resolve before it", "problem", "order", r'"resolve \[!UNAVAIL=return\]" stands before srvmesh: it will answer', "before it")
    with with_hosts("files resolve[!UNAVAIL=return] srvmesh[NOTFOUND=return TRYAGAIN=return] dns"):
        host.finds("... also without blanks", "problem", "order", r'"resolve \[!UNAVAIL=return\]" stands before', "before it")
    with with_hosts("files srvmesh dns"):
        host.finds("actions that are missing", "warning", "order", "without .*NOTFOUND=return", "NOTFOUND=return TRYAGAIN=return")
    with with_hosts("files srvmesh [NOTFOUND=return] dns"):
        host.finds("half of them", "warning", "order", "in an outage", "TRYAGAIN")
    with with_hosts("files srvmesh [NOTFOUND=return TRYAGAIN=return] dns", "services: files\n"):
        host.finds("nothing in services:", "warning", "ports", "services line", "nsswitch add")
    with with_hosts("files mdns4_minimal [NOTFOUND=return] srvmesh [!UNAVAIL=return] dns"):
        code, said = host.doctor()
        host.tap.equal("mDNS may stand before it, and the action may be written another way", (code, said["problems"]), (0, 0))
    for line in ("files [NOTFOUND=return] srvmesh [NOTFOUND=return TRYAGAIN=return] dns",
                 "mdns4 [!UNAVAIL=return] srvmesh [NOTFOUND=return TRYAGAIN=return] dns"):
        with with_hosts(line):
            host.finds(f"what ends the search before it: {line}", "problem", "order", "it will answer for your names", "before it", alone=False)
    with with_hosts("files srvmesh [!NOTFOUND=return TRYAGAIN=return] dns"):
        host.finds("an action that says the contrary", "warning", "order", "without", "NOTFOUND=return")
    with with_hosts("files srvmesh [ NOTFOUND = return  TRYAGAIN = return ] dns"):
        code, said = host.doctor()
        host.tap.equal("blanks in an action do not count", (code, said["problems"], said["warnings"]), (0, 0, 0))
    with host.having("/etc/hosts", "127.0.0.1 localhost\n10.9.9.9 www api.mesh # old\n"):
        host.finds("a line of /etc/hosts that hides a name", "warning", "hosts", "api.mesh is in /etc/hosts", "except")


def config(host, lab, daemon, text):
    daemon.config(text + "bogus = 1\n")
    host.finds("an error in the configuration", "problem", "config", r"srvmesh.conf:\d+: bogus", alone=False)
    daemon.config("")
    host.finds("a configuration without names", "problem", "config", "no name is ours", "domain", alone=False)
    daemon.config("[resolver]\nenabled = no\n" + text)
    host.finds("names that are switched off", "problem", "config", "switched off", "srvmesh enable", alone=False)
    daemon.config(text)
    host.write("/etc/srvmesh.conf", text)
    os.chmod("/etc/srvmesh.conf", 0o600)
    host.finds("a file that users cannot read", "warning", "config", "other users cannot read it", alone=False, SRVMESH_CONF=None)
    if can_be_others():
        place = host.lab.public()
        shutil.copy(SRVMESH, place)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_LIBRARY_PATH": place}
        for words in (["explain", "api.mesh"], ["run", "api.mesh", "--", "true"], ["lookup", "api.mesh"]):
            done = subprocess.run([*as_user(), os.path.join(place, "srvmesh"), *words], env=environment, capture_output=True,
                                  text=True, check=False)
            host.tap.check(f"{words[0]} says to such a user that it cannot know", done.returncode in (1, 4) and
                           "cannot be read by this user" in done.stdout + done.stderr, done.returncode, done.stdout, done.stderr)


def host_map(host, lab, daemon):
    os.chmod(daemon.directory, 0o777)
    host.finds("a map's directory that others can write", "problem", "map", "can be written by other users", "chmod")
    os.chmod(daemon.directory, 0o755)
    if not can_be_others():
        host.tap.skip("the doctor finds one below a directory that is not root's", NO_OTHERS)
        return
    os.chown(lab.path, 12345, 12345)
    host.finds("one below a directory that is not root's", "problem", "map", "above it, belongs to uid 12345", "chown")
    os.chown(lab.path, 0, 0)
    elsewhere = os.path.join(lab.path, "elsewhere")
    os.mkdir(elsewhere)
    os.chmod(elsewhere, 0o777)
    with open(os.path.join(lab.path, "srvmesh.conf"), encoding="utf-8") as file:
        text = file.read()
    lab.file("srvmesh.conf", text.replace(daemon.socket, f"{elsewhere}/socket"))
    host.finds("a socket's directory that others can write", "problem", "srvmeshd", "elsewhere can be written by other users", "chmod")
    lab.file("srvmesh.conf", text)
    os.chmod(elsewhere, 0o755)
    pretend = f"import os, socket; s = socket.socket(1, 5); s.bind('{elsewhere}/socket'); os.chmod('{elsewhere}/socket', 0o666);" \
              "os.setuid(65534); s.listen(); print('listens', flush=True); s.accept(); s.accept(); input()"
    pretender = subprocess.Popen([sys.executable, "-c", pretend], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pretender.stdout.readline()
    lab.file("srvmesh.conf", text.replace(daemon.socket, f"{elsewhere}/socket"))
    host.finds("another user who listens at the socket", "problem", "srvmeshd", "another user .* listens at", "start srvmeshd")
    pretender.kill()
    pretender.communicate()
    lab.file("srvmesh.conf", text)


def daemon_faults(host, lab, daemon):
    daemon.process.send_signal(signal.SIGSTOP)
    host.finds("a srvmeshd that does not answer", "problem", "srvmeshd", "does not answer", "restart", alone=False)
    daemon.process.send_signal(signal.SIGCONT)
    daemon.stop()
    host.finds("a srvmeshd that is down", "warning", "srvmeshd", "does not run", "srvmeshd")
    daemon.start()
    if can_be_others():
        os.chmod(daemon.socket, 0o600)
        host.finds("a socket that refuses", "problem", "srvmeshd", "refuses this user", "0666", prefix=as_user(), alone=False,
                   LD_LIBRARY_PATH=lab.public())
        os.chmod(daemon.socket, 0o666)
    else:
        host.tap.skip("the doctor finds a socket that refuses", NO_OTHERS)
    daemon.stop()
    older = os.path.join(lab.path, "srvmeshd-older")
    with open(daemon.program, "rb") as file:
        program = file.read()
    release = re.search(rb"version=%s\n\0.{0,400}?(\d+\.\d+\.\d+)\0", program, re.S)
    release = release.group(1) if release else b"0.3.0"
    with open(older, "wb") as file:
        file.write(program.replace(release + b"\0", b"0.1.9" + b"\0" * (len(release) - 4)))
    os.chmod(older, 0o755)
    daemon.program, own = older, daemon.program
    daemon.start()
    host.finds("a srvmeshd of another release", "warning", "srvmeshd", "srvmeshd 0.1.9 runs", "restart")
    daemon.stop()
    daemon.program = own
    daemon.start()


def servers(host, daemon, knot, text):
    def with_server(*behaviour):
        server = Server()
        server.behaviours = [list(behaviour)]
        server.start()
        daemon.config(text.replace(f"127.0.0.1:{knot.port}", f"127.0.0.1:{knot.port} 127.0.0.1:{server.port}"))
        return server
    for what, behaviour, pattern, remedy in (
            ("a server that is silent", ["drop"], "is silent", ""), ("one that refuses", ["rcode", "REFUSED"], "refuses to answer", "another one"),
            ("one that answers without recursion", ["referral"], "without recursion", "`servers`"),
            ("one that answers with SERVFAIL", ["rcode", "SERVFAIL"], "SERVFAIL", "")):
        server = with_server(*behaviour)
        host.finds(what, "problem", "servers", pattern, remedy)
        server.stop()
    daemon.config(text.replace(f"127.0.0.1:{knot.port}", f"127.0.0.1:{knot.port} 127.0.0.1:{free_port()}"))
    host.finds("one at which nobody listens", "problem", "servers", "does not listen", "")
    stub = Server()
    stub.behaviours = [["rcode", "NXDOMAIN"]]
    stub.start()
    daemon.config(text.replace(f"servers = 127.0.0.1:{knot.port}\n", ""))
    with resolver_at_53(host, stub):
        host.finds("a resolv.conf that points at a stub that does not know the domain", "problem", "servers",
                   "mesh does not exist|does not exist: resolv.conf", "`servers`")
    stub.stop()
    daemon.config(text)


@contextlib.contextmanager
def resolver_at_53(host, server):
    """resolv.conf names 127.0.0.1, where port 53 leads to the server."""
    relay = subprocess.Popen([need("socat"), "UDP4-RECVFROM:53,bind=127.0.0.53,fork", f"UDP4-SENDTO:127.0.0.1:{server.port}"])
    time.sleep(0.3)
    with host.having("/etc/resolv.conf", "nameserver 127.0.0.53\n"):
        yield
    relay.terminate()
    relay.wait()


def templates(host, lab):
    for name, form, owner in (("consul.mesh", r"\{name\}", "consul.mesh"), ("web.mesh", r"_http\._tcp\.\{name\}", "_http._tcp.web.mesh"),
                              ("pod.mesh", r"_grpc\._tcp\.\{name\}", "_grpc._tcp.pod.mesh")):
        host.finds(f"a template that does not fit {name}", "problem", "templates", f"it has some at {owner}", f"srv = {form}", name)
    with host.having(os.path.join(lab.path, "srvmesh.conf"), f"[domain mesh]\nservers = 127.0.0.1:{free_port()}\n"):
        _, output, _ = lab.run(SRVMESH, "doctor", "api.mesh")
        host.tap.check("what no server tells is not said to be missing", "api.mesh: no server tells whether" in output and
                       "has no SRV records" not in output, output)
    lab.probe("gai", "unspec", "web.mesh")
    host.finds("... also by itself, where the name was denied", "problem", "templates", "web.mesh has no SRV", "_http")
    lab.run(SRVMESH, "cache", "flush", "--all")
    code, said = host.doctor("api.mesh")
    host.tap.check("a name whose template fits is no fault", code == 0 and any(one["topic"] == "templates" for one in said["findings"]), said)


def surroundings(host, lab, daemon, text):
    for line in ('type=AVC msg=audit(1): avc:  denied  { read } for pid=7 comm="sshd" name="srvmesh" tclass=dir',
                 'type=AVC msg=audit(2): apparmor="DENIED" operation="open" profile="ping" name="/run/srvmesh/cache.v2.mdb"'):
        with open("/var/log/audit/audit.log", "w", encoding="utf-8") as file:
            file.write("type=USER_LOGIN msg=audit(0): other\n" + line + "\n")
        host.finds("a denial of a security module", "problem", "denied", "denies something", "")
    os.unlink("/var/log/audit/audit.log")
    nscd(host, lab)
    daemon.config(text + f"[shared]\nservers = 127.0.0.1:{free_port()}\n")
    clock = os.path.join(BUILDDIR, "tests", "shifted_clock.so")
    daemon.config(text)
    host.finds("a clock that is wrong", "problem", "clock", "before this release", "set it", LD_PRELOAD=clock, SHIFTED_CLOCK_S=str(-20 * 365 * 86400))


def nscd(host, lab):
    for word, finds in (("yes", True), ("no", False)):
        with Nscd(lab, f"enable-cache hosts {word}\npersistent hosts no\nshared hosts no\n"):
            if finds:
                host.finds("nscd that caches hosts", "warning", "nscd", "caches hosts", "enable-cache hosts no")
            else:
                code, said = host.doctor()
                host.tap.check("... and is content where it does not", code == 0 and said["warnings"] == 0, said)


def processes(host, lab, daemon):
    source = lab.file("sleeper.c", "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
    programs = {}
    for what, words in (("static", ["-static"]), ("musl", ["-Wl,--dynamic-linker=" + os.path.join(lab.path, "ld-musl-x86_64.so.1")])):
        programs[what] = os.path.join(lab.path, f"{what}-sleeper")
        subprocess.run([need("gcc"), "-O1", *words, "-o", programs[what], source], check=True)
    loader = next(path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if os.path.exists(path))
    os.symlink(loader, os.path.join(lab.path, "ld-musl-x86_64.so.1"))
    for what, program in programs.items():
        process = lab.start(program)
        host.finds(f"a program that is {what}", "warning", what, re.escape(program) + rf" \(pid {process.pid}\)", "srvmesh run")
        code, said = host.doctor("--pid", str(process.pid))
        host.tap.check("... and says so of the process", code == 1 and any(one["topic"] == what for one in said["findings"]), said)
        lab.stop(process)
    evil = os.path.join(lab.path, "ev\x1b[31m\x1b]0;title\x07il")
    shutil.copy(programs["static"], evil)
    process = lab.start(evil)
    _, output, _ = lab.run(SRVMESH, "doctor")
    host.tap.check("no name of a program moves the terminal's cursor", "ev?[31m?]0;title?il" in output and "\x1b" not in output, output)
    lab.stop(process)
    # a process that holds a plugin that was replaced
    place = os.path.join(lab.path, "held")
    os.mkdir(place)
    shutil.copy(os.path.join(BUILDDIR, "libnss_srvmesh.so.2"), place)
    process = subprocess.Popen([PROBE, "repeat", "600", "api.mesh"], stdout=subprocess.PIPE, text=True,
                               env=lab.environment(LD_LIBRARY_PATH=place))
    process.stdout.readline()
    code, said = host.doctor("--pid", str(process.pid))
    topics = {one["topic"]: one["kind"] for one in said["findings"]}
    host.tap.check("a process that is well has the plugin and today's map",
                   code == 0 and topics.get("plugin") == "ok" and topics.get("map") == "ok", said)
    os.unlink(os.path.join(place, "libnss_srvmesh.so.2"))
    host.finds("a plugin that was replaced under a process", "warning", "plugin", "was replaced", "restart", "--pid", str(process.pid))
    code, said = host.doctor()
    host.tap.check("... and counts such processes", code == 0 and any(one["topic"] == "older" and "1 process holds" in one["text"]
                                                                   for one in said["findings"]), said)
    process.send_signal(signal.SIGSTOP)
    today = os.path.join(daemon.directory, "cache.v2.mdb")
    shutil.copy(today, today + ".new")
    os.rename(today + ".new", today)
    host.finds("a process with another host map", "warning", "map", "another host map than today's", "", "--pid", str(process.pid), alone=False)
    daemon.stop()
    daemon.start()
    lab.probe("gai", "unspec", "api.mesh")
    process.kill()
    process.wait()
    process.stdout.close()
    off = lab.start(PROBE, "repeat", "600", "api.mesh", env=lab.environment(SRVMESH="off"))
    host.finds("SRVMESH=off in an environment", "problem", "switch", "SRVMESH=off", "", "--pid", str(off.pid), alone=False)
    lab.stop(off)
    host.tap.equal("of a process that is not there it says so", lab.run(SRVMESH, "doctor", "--pid", "4000000")[::2],
                   (1, "srvmesh: process 4000000: there is none"))
    inner = lab.start(need("unshare"), "--net", "--mount", "sleep", "600")
    time.sleep(0.2)
    code, said = host.doctor("--pid", str(inner.pid))
    host.tap.check("a process in a container has its own network and files", sum(one["topic"] == "container" for one in said["findings"]) == 2,
                   said)
    lab.stop(inner)


def bundle(host, lab, daemon, text):
    path = os.path.join(lab.path, "bundle")
    code, _, errors = lab.run(SRVMESH, "doctor", "--bundle", path)
    with open(path, encoding="utf-8") as file:
        told = file.read()
    titles = re.findall(r"^===== (.*)", told, re.M)
    host.tap.check("a bundle has what all commands say, and the files", code == 0 and
                   {"srvmesh doctor", "srvmesh status", "srvmesh servers", "srvmesh cache list", "/etc/nsswitch.conf",
                    "/etc/resolv.conf", os.path.join(lab.path, "srvmesh.conf")} <= set(titles) and "api.mesh" in told and
                   "answers for mesh" in told and "ready" in told, titles, errors, told[-500:])
    host.tap.equal("... for its owner alone", os.stat(path).st_mode & 0o777, 0o600)
    host.tap.equal("a file that is there is left as it is", lab.run(SRVMESH, "doctor", "--bundle", path)[0], 1)
    daemon.config(text + "[shared]\npassword = hunter2\n")
    lab.run(SRVMESH, "doctor", "--bundle", path + ".2")
    with open(path + ".2", encoding="utf-8") as file:
        told = file.read()
    host.tap.check("a password where the path of a file belongs is told by nobody", "hunter2" not in told and "password: the value is not valid" in told and
                   "password = (left out: no path)" in told, told[-500:])
    daemon.config(text)


def comparison(host, lab, daemon, knot, text):
    """compare: the zone is on port 53, too, where glibc's dns asks."""
    relay = subprocess.Popen([need("socat"), "UDP4-RECVFROM:53,bind=127.0.0.53,fork", f"UDP4-SENDTO:127.0.0.1:{knot.port}"])
    time.sleep(0.3)
    with host.having("/etc/resolv.conf", "nameserver 127.0.0.53\n"):
        code, output, _ = lab.run(SRVMESH, "compare", "pod.mesh", "api.mesh", "none.mesh", "--json=short")
        rows = {row["name"]: (row["result"], row["dns"], row["srvmesh"]) for row in json.loads(output)}
        host.tap.equal("compare lays dns beside srvmesh", (code, rows), (1, {
            "pod.mesh": ("same", ["127.0.0.60"], ["127.0.0.60"]), "api.mesh": ("different", ["no-name"], ["127.0.0.11"]),
            "none.mesh": ("same", ["no-name"], ["no-name"])}))
        transcripts = Transcripts(host.tap, lab, (r"127\.0\.0\.1:\d+", "SERVER"), LC_ALL="C.UTF-8")
        transcripts.check("compare", ["compare", "pod.mesh", "none.mesh"], ["compare", "api.mesh"], ["compare", "--from", "/nonexistent"])
        names = lab.file("names", "# the canary\npod.mesh\n\nnone.mesh  # a comment\nlocalhost.example\n")
        code, output, _ = lab.run(SRVMESH, "compare", "--from", names, "--no-legend")
        host.tap.check("... of a file; what is not ours is no difference", code == 0 and len(output.splitlines()) == 3, code, output)
        code, output, _ = lab.run(SRVMESH, "compare", "--no-legend")
        host.tap.check("... or of all names that are kept", code == 1 and "api.mesh" in output and "pod.mesh" in output, code, output)
    relay.terminate()
    relay.wait()
    host.tap.equal("a list that is not there is an error", lab.run(SRVMESH, "compare", "--from", "/nonexistent")[0], 1)
    daemon.config(text)


def main():
    unpacked("nscd")  # the namespaces have no way to the archive
    in_namespaces()
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        text = f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\ntimeout = 200ms\ndeadline = 1s\nfamily = ipv4\n"
        daemon = Daemon(lab, text)
        lab.probe("gai", "unspec", "api.mesh")
        host = Host(tap, lab)
        health(host)
        plugin(host, lab)
        order(host)
        config(host, lab, daemon, text)
        host_map(host, lab, daemon)
        daemon_faults(host, lab, daemon)
        servers(host, daemon, knot, text)
        templates(host, lab)
        surroundings(host, lab, daemon, text)
        lab.probe("gai", "unspec", "api.mesh")
        processes(host, lab, daemon)
        bundle(host, lab, daemon, text)
        comparison(host, lab, daemon, knot, text)
        daemon.stop()
    tap.finish()


main()
