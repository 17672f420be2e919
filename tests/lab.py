# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab: fresh directories, free ports, real DNS servers, and the probe; TAP for the results.

Everything listens on loopback. Every process that is started here is also ended here, by its pid."""
import functools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SRCDIR = os.environ.get("srcdir", os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILDDIR = os.environ.get("builddir", os.path.join(SRCDIR, "build"))

IS_SANITIZED = "ASAN_OPTIONS" in os.environ  # sanitized programs are many times larger and slower
# The plugin and the test programs may come from another build than srvmeshd.
PROGRAMS = os.environ.get("programsdir", BUILDDIR)
PROBE = os.path.join(PROGRAMS, "tests", "probe")
GUEST = os.path.join(PROGRAMS, "tests", "guest")


class Tap:
    """Counts checks and writes TAP; for a failed check it prints what it got."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, sentence, good, *details):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {sentence}")
        if not good:
            for detail in details:
                for line in str(detail).splitlines() or [""]:
                    print(f"# {line}")
        sys.stdout.flush()

    def skip(self, sentence, reason):
        """For checks impossible for this user or on this machine; as root none may be skipped (./dev check
        verifies)."""
        self.count += 1
        print(f"ok {self.count} - {sentence} # SKIP {reason}")
        sys.stdout.flush()

    def equal(self, sentence, got, expected):
        self.check(sentence, got == expected, f"got      {got!r}", f"expected {expected!r}")

    def finish(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def follows(shares, sample):
    """Do counts follow the shares? `sample()` gives {outcome: count}. Chi-square at p > 0.001: even with correct draws
    one sample in a thousand fails; a second one decides then. Returns (good, the last sample)."""
    bound = {0: 1, 1: 10.83, 2: 13.82}[len(shares) - 1]
    for _ in range(2):
        counts = sample()
        total = sum(counts.values())
        chi = sum((counts.get(o, 0) - total * p) ** 2 / (total * p) for o, p in shares.items()) if total else bound
        if chi < bound and set(counts) <= set(shares):
            return True, counts
    return False, counts


_reserved = []  # abstract sockets, which live as long as this process


def free_port():
    """A port that is free for UDP and TCP on 127.0.0.1, below those that the kernel gives away, and that no other test of this
    network namespace is given as long as this process lives."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = int(file.read().split()[0])
    while True:
        port = random.randrange(min(10000, end // 2), end)
        mark = socket.socket(socket.AF_UNIX)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                mark.bind(f"\0srvmesh-test-port-{port}")
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            except OSError:
                mark.close()
                continue
        _reserved.append(mark)
        return port


def need(program):
    """The path of a program that a test needs; if it is missing, the test fails and is not skipped."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin")
    if not path:
        print(f"Bail out! {program} is missing: run ./dev check, or install what packaging/debian-packages names")
        sys.exit(99)
    return path


NO_NAMESPACES = "it needs root, or user namespaces, which this user may not make here"


def has_user_namespaces():
    return subprocess.run([need("unshare"), "--map-root-user", "--net", "--mount", "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def in_namespaces(is_wired=False):
    """Runs the program again, as root or as the root of a user namespace, in its own network, where port 53 is free,
    and with mounts and processes that end with it. If this user may not create namespaces, the program is skipped.
    `is_wired`: the network has addresses of both families besides loopback, which AI_ADDRCONFIG needs (glibc 2.41)."""
    if os.environ.get("SRVMESH_NAMESPACES") != "inside":
        unshare = [need("unshare"), *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--mount", "--pid", "--fork",
                   "--kill-child", "--mount-proc"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            print("1..0 # SKIP " + NO_NAMESPACES)
            sys.exit(0)
        environment = dict(os.environ, SRVMESH_NAMESPACES="inside", SRVMESH_USER_NAMESPACE="" if os.geteuid() == 0 else "yes")
        os.execve(unshare[0], [*unshare, sys.executable, "-B", *sys.argv], environment)
    if os.environ.get("SRVMESH_USER_NAMESPACE"):
        # in here, files of the outer root belong to the user nobody, so their directories cannot hold a host map
        subprocess.run([need("mount"), "-t", "tmpfs", "-o", "mode=1777", "tmpfs", tempfile.gettempdir()], check=True)
    words = ["link set lo up"]
    if is_wired:
        words += ["link add host0 type veth peer name peer0", "address add 10.1.0.1/24 dev host0",
                  "-6 address add fd00:1::1/64 dev host0 nodad", "link set host0 up", "link set peer0 up"]
    for line in words:
        subprocess.run([need("ip"), *line.split()], check=True)


def own_etc(lab):
    """In namespaces: a copy of /etc, as far as this user may read it, in its place."""
    own = os.path.join(lab.path, "etc")
    subprocess.run([need("cp"), "-a", "/etc", own], stderr=subprocess.DEVNULL, check=False)
    subprocess.run([need("mount"), "--bind", own, "/etc"], check=True)


NOBODY = 65534
NO_OTHERS = "it needs another user, and only root can be one"


def as_user(user=NOBODY):
    return [need("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups"]


@functools.lru_cache(maxsize=None)
def can_be_others():
    """Can tests run as other users? Not in a user namespace with one user."""
    return subprocess.run([*as_user(), "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


class Lab:
    """A directory, and the processes that use it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="srvmesh-lab-")
        os.chmod(self.path, 0o755)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            self.stop(process)
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name, text):
        """Writes a file. A configuration that does not say which families it is about is for both: else it would depend
        on the addresses of this machine what is asked."""
        if name == "srvmesh.conf" and "family" not in text:
            text += "\n[resolver]\nfamily = any\n"
        path = os.path.join(self.path, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def start(self, *command, **options):
        log = open(os.path.join(self.path, os.path.basename(command[0]) + ".log"), "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        log.close()
        self.processes.append(process)
        return process

    @staticmethod
    def stop(process):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def environment(self, **more):
        environment = dict(os.environ, SRVMESH_CONF=os.path.join(self.path, "srvmesh.conf"), LC_ALL="C", TZ="UTC")
        environment["LD_LIBRARY_PATH"] = PROGRAMS
        environment.update(more)
        return environment

    def run(self, *command, timeout=60, **more):
        """Runs a program with the plugin and this lab's configuration; returns (exit code, output, errors)."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              env=self.environment(**more), check=False)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def public(self):
        """Copies the programs to a place that every user can reach, wherever the source tree is."""
        place = os.path.join(self.path, "public")
        if not os.path.exists(place):
            os.makedirs(os.path.join(place, "tests"))
            for name in ("libnss_srvmesh.so.2", "tests/probe", "tests/guest"):
                shutil.copy(os.path.join(PROGRAMS, name), os.path.join(place, name))
            for name in ("srvmeshd", "srvmesh"):
                shutil.copy(os.path.join(BUILDDIR, name), place)
        return place

    def as_nobody(self, *command, **more):
        """Runs a program as another user; for a program of ours, its copy."""
        place = self.public()
        command = [word.replace(PROGRAMS, place) for word in command]
        return self.run(*as_user(), *command, LD_LIBRARY_PATH=place, **more)

    @staticmethod
    def can_be_a_host():
        return os.geteuid() == 0 or has_user_namespaces()

    def host(self, *command, hosts="files srvmesh [NOTFOUND=return TRYAGAIN=return]", **more):
        """Runs an unchanged program in its own mount namespace, in which nsswitch.conf has `hosts`."""
        self.file("nsswitch.conf", f"hosts: {hosts}\nservices: files srvmesh\n")
        namespace = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
        script = 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"'
        return self.run(*namespace, "sh", "-c", script, os.path.join(self.path, "nsswitch.conf"), *command, **more)

    def probe(self, *words, **more):
        code, output, errors = self.run(PROBE, *map(str, words), **more)
        return output if not errors else f"{output} [{code}: {errors}]"

    def guest(self, *words, **more):
        code, output, errors = self.run(GUEST, *map(str, words), **more)
        return output if code == 0 and not errors else f"{output} [{code}: {errors}]"

    def draws(self, times, name):
        """Returns {address: how often it came first} for that many getaddrinfo calls in one process."""
        lines = self.probe("draws", times, name).splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines if len(line.split()) == 2}


class Knot:
    """A real authoritative server (Knot DNS) with the zone `mesh`, and with `elsewhere` if that has records."""

    def __init__(self, lab, zone, port=None, address="127.0.0.1", elsewhere=None):
        self.lab = lab
        self.address, self.port = address, port or free_port()
        self.serial = 0
        self.write(zone)
        names = ["mesh"]
        if elsewhere:
            names.append("elsewhere")
            self.write_zone("elsewhere", elsewhere)
        zones = "".join(f"""
  - domain: {name}
    storage: {lab.path}
    file: {name}.zone
    zonefile-sync: -1
    journal-content: none""" for name in names)
        lab.file("knot.conf", f"""
server:
    rundir: {lab.path}
    listen: {self.address}@{self.port}
database:
    storage: {lab.path}
control:
    listen: {lab.path}/knot.sock
zone:{zones}
log:
  - target: stderr
    any: warning
""")
        self.start()

    def start(self):
        self.process = self.lab.start(need("knotd"), "-c", os.path.join(self.lab.path, "knot.conf"))
        self.wait()

    def stop(self):
        self.lab.stop(self.process)

    def write(self, zone):
        self.serial += 1
        self.write_zone("mesh", zone)

    def write_zone(self, name, zone):
        head = f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns host {self.serial} 60 60 60 7\n@ NS ns\nns A {self.address}\n"
        self.lab.file(f"{name}.zone", head + zone)

    def change(self, zone):
        """Replaces the zone."""
        self.write(zone)
        subprocess.run([need("knotc"), "-b", "-s", f"{self.lab.path}/knot.sock", "zone-reload", "mesh"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        """Waits until it answers an SOA question for mesh, made by hand."""
        question = b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04mesh\x00\x00\x06\x00\x01"
        for _ in range(100):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.settimeout(0.1)
                try:
                    udp.connect((self.address, self.port))
                    udp.send(question)
                    if udp.recv(512)[3] & 15 == 0:
                        return
                except OSError:
                    time.sleep(0.1)
        with open(os.path.join(self.lab.path, "knotd.log"), encoding="utf-8") as log:
            print(f"Bail out! knotd does not answer: {log.read()}")
        sys.exit(99)


def resident_kib(pid):
    """Of a process, without the host map: that is what `size` is for."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def descriptors(pid):
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Daemon:
    """srvmeshd with the lab's own configuration: its directory and its socket are in `run`."""

    def __init__(self, lab, config, more="", run=None, wait=True, program=None, conf="srvmesh.conf"):
        """`config` is the text of the sections; `more` goes into [cache] and [daemon] as "section key = value" lines."""
        self.lab, self.conf = lab, os.path.join(lab.path, conf)
        self.program = program or os.path.join(BUILDDIR, "srvmeshd")
        self.directory = run or os.path.join(lab.path, "run")
        self.socket = os.path.join(self.directory, "socket")
        self.config(config, more)
        self.process = None
        self.start(wait)

    def config(self, config, more=""):
        keys = {"cache": [f"directory = {self.directory}"], "daemon": [f"socket = {self.socket}"]}
        for line in more.splitlines():
            section, _, rest = line.strip().partition(" ")
            if section:
                keys[section].append(rest)
        text = "".join(f"[{section}]\n" + "".join(line + "\n" for line in lines) for section, lines in keys.items())
        self.lab.file(os.path.basename(self.conf), config + "\n" + text)

    def start(self, wait=True, **options):
        # the leak sanitizer needs ptrace, which srvmeshd's seccomp filter forbids
        options.setdefault("env", dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"))
        program = os.path.join(self.lab.public(), "srvmeshd") if "user" in options else self.program
        self.process = self.lab.start(program, "--foreground", "--config", self.conf, **options)
        if wait and not self.is_ready():
            print(f"Bail out! srvmeshd is not ready: {self.log()}")
            sys.exit(99)

    def is_ready(self, seconds=10):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if self.status():
                return True
            time.sleep(0.02)
        return False

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.lab.stop(self.process)
        return self.process.returncode

    def log(self):
        with open(os.path.join(self.lab.path, "srvmeshd.log"), encoding="utf-8") as log:
            return log.read()

    def status(self):
        """The daemon's counters, as a dictionary of numbers; {} if there is no daemon."""
        code, output, _ = self.lab.run(os.path.join(BUILDDIR, "srvmesh"), "status", "--json=short", SRVMESH_CONF=self.conf)
        return {key: value for key, value in json.loads(output).items() if isinstance(value, int)} if code == 0 else {}
