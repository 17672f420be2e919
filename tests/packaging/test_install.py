# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packages on a fresh Debian machine with the real systemd: installed, used, upgraded, removed, purged, while names
that are not ours are looked up all the time. Then with the init script, then from the rpms.

usage: test_install.py [PART...]"""
import contextlib
import hashlib
import glob
import http.server
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
from lab import BUILDDIR, Knot, Lab, Tap, in_namespaces  # noqa: E402
from machine import INCLUDE, Machine, make_root  # noqa: E402
from test_nsswitch import FORMS, OURS  # noqa: E402
from test_packages import one, run  # noqa: E402

ZONE = """
_api._tcp 3600 SRV 0 0 8080 a
_other._tcp 3600 SRV 0 0 8080 a
_short._tcp 1 SRV 0 0 8080 a
a 3600 A 127.0.0.11
_pair._tcp 3600 SRV 0 0 8080 a
_pair._tcp 3600 SRV 0 0 8080 b
b 3600 A 127.0.0.13
"""
FOREIGN = "host A 127.0.0.12\n"
CONFIG = "[resolver]\ntimeout = 400ms\n\n[domain mesh]\n"
NOBODY = "65534"

# endless lookups in one process: exits with a message at the first one that says something else than expected (nothing: found)
LOOP = r"""
use Socket qw(getaddrinfo SOCK_STREAM);
$SIG{TERM} = sub { $end = 1 };
$| = 1;
while (!$end) {
	my ($error) = getaddrinfo($ARGV[0], "", {socktype => SOCK_STREAM});
	if ("$error" ne ($ARGV[1] // "")) { print "failed after $n: $error\n"; exit 1 }
	$n++;
	select(undef, undef, undef, 0.002);
}
print "$n\n";
"""
FRESH = """
trap 'end=1' TERM
n=0
while [ -z "$end" ]; do
	getent ahosts "$0" >/dev/null || { echo "failed after $n"; exit 1; }
	n=$((n + 1))
done
echo $n
"""


class Loops:
    """Looks up `name` in one process, and also in one new process after another, until `end`."""

    def __init__(self, machine, *names):
        self.commands = [command for name in names for command in
                         (("perl", "-e", LOOP, name), ("sh", "-c", FRESH, name))]
        self.names = [f"{name}, {how}" for name in names for how in ("one process", "ever new processes")]
        self.processes = [subprocess.Popen(machine.inside(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, text=True) for command in self.commands]
        time.sleep(0.5)

    def end(self, tap, when):
        # a signal to nsenter would end only nsenter: the loops are its children, in the machine
        for process in self.processes:
            for child in descendants(process.pid):
                if process.poll() is None:
                    os.kill(child, 15)
        for name, process in zip(self.names, self.processes):
            output = process.communicate(timeout=20)[0].strip()
            tap.check(f"{when}: {name}: no lookup failed", output.isdigit() and int(output) > 5, output)


def descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    return children or [pid]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, *words):
        pass


def debs():
    return [one("libnss-srvmesh_*.deb"), one("srvmeshd_*.deb")]


def repack(lab, deb, kind, line, instead, moved=None):
    """Makes the same package with a changed line in its control file, and a file moved, to upgrade from it."""
    tree = os.path.join(lab.path, kind)
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    with open(control, "w", encoding="utf-8") as file:
        file.write(re.sub(line, instead, text, flags=re.M))
    if moved:
        os.rename(os.path.join(tree, moved[0]), os.path.join(tree, moved[1]))
    made = os.path.join(lab.path, f"{kind}-{os.path.basename(deb)}")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, made], check=True, stdout=subprocess.DEVNULL)
    return made


# Files that a package manager, or a running machine, changes for any package.
NOT_OURS = re.compile(r"/(proc|sys|dev|run|tmp|opt)/|/var/(lib/(dpkg|apt|rpm|systemd/(catalog|random-seed|timers|linger))|cache|log)/"
                      r"|/(root/\.rpmdb|usr/share/licenses)/|/etc/(ld.so.cache|machine-id|mtab|(passwd|shadow|group|gshadow)-|\.pwd\.lock|\.updated)$"
                      r"|/var/\.updated$")


def snapshot(machine):
    """Every file of the machine: its kind, mode, owner and contents."""
    seen = {}
    for directory, directories, files in os.walk(machine.root):
        for name in directories + files:
            path = os.path.join(directory, name)
            inside = path[len(machine.root):]
            if NOT_OURS.search(inside) or NOT_OURS.search(inside + "/"):
                continue
            what = os.lstat(path)
            contents = ""
            if stat.S_ISLNK(what.st_mode):
                contents = os.readlink(path)
            elif stat.S_ISREG(what.st_mode):
                with open(path, "rb") as file:
                    contents = hashlib.sha256(file.read()).hexdigest()
            seen[inside] = (what.st_mode, what.st_uid, what.st_gid, contents)
    return seen


def difference(before, after):
    return sorted(f"{path}: {before.get(path)} -> {after.get(path)}" for path in set(before) | set(after)
                  if before.get(path) != after.get(path))


def files_of(names):
    return ["/opt/" + os.path.basename(name) for name in names]


def status(machine):
    """The figures of srvmeshd, as texts. The release before has no JSON."""
    code, output = machine.do("srvmesh", "status", "--json")
    if code == 0:
        return {key: str(value) for key, value in json.loads(output).items()}
    return dict(line.split("=", 1) for line in machine.run("srvmesh", "status").splitlines() if "=" in line)


# ---- the parts

def nsswitch_forms(tap, machine, lab):
    """Uses dpkg only, with the six forms of nsswitch.conf that a host may have."""
    default = machine.read("/etc/nsswitch.conf")
    plugin = files_of(debs())[0]
    for what, before, after in FORMS:
        text = re.sub(r"^hosts:.*$", lambda _: before, default, flags=re.M)
        machine.write("/etc/nsswitch.conf", text)
        code, output = machine.do("dpkg", "-i", plugin)
        expected = re.sub(r"^(services:.*)$", r"\1 srvmesh", text.replace(before, after), flags=re.M)
        tap.check(f"nsswitch.conf {what}: the package installs", code == 0, output)
        tap.equal(f"nsswitch.conf {what}: srvmesh is where it belongs", machine.read("/etc/nsswitch.conf"), expected)
        tap.check(f"nsswitch.conf {what}: other names go on", machine.do("getent", "ahosts", "host.elsewhere")[0] == 0)
        machine.run("dpkg", "-r", "libnss-srvmesh")
        tap.equal(f"nsswitch.conf {what}: removed, it is as it was", machine.read("/etc/nsswitch.conf"), text)
        machine.run("dpkg", "-P", "libnss-srvmesh")
    os.rename(machine.path("/etc/nsswitch.conf"), machine.path("/etc/nsswitch.real"))
    os.symlink("nsswitch.real", machine.path("/etc/nsswitch.conf"))
    machine.run("dpkg", "-i", plugin)
    tap.check("nsswitch.conf a link: what it leads to is changed", os.path.islink(machine.path("/etc/nsswitch.conf")) and
              OURS in machine.read("/etc/nsswitch.real"))
    machine.run("dpkg", "-P", "libnss-srvmesh")
    tap.equal("nsswitch.conf a link: removed, it is as it was", machine.read("/etc/nsswitch.real"), text)
    os.unlink(machine.path("/etc/nsswitch.conf"))
    os.unlink(machine.path("/etc/nsswitch.real"))
    machine.write("/etc/nsswitch.conf", default)


def architectures(tap, machine, lab):
    """The module for two architectures: srvmesh is removed from nsswitch.conf with the last package. The package of the
    other architecture is this one, renamed."""
    before = machine.read("/etc/nsswitch.conf")
    here = machine.run("dpkg", "--print-architecture").strip()
    other = "i386" if here != "i386" else "amd64"
    triplet = os.path.basename(os.path.dirname(re.search(r"\S+libnss_srvmesh\.so\.2", subprocess.run(
        ["dpkg-deb", "-c", debs()[0]], stdout=subprocess.PIPE, text=True, check=True).stdout).group(0)))
    renamed = repack(lab, debs()[0], "other", r"^Architecture: .*$", f"Architecture: {other}",
                     (f"usr/lib/{triplet}", f"usr/lib/other-{triplet}"))
    machine.copy(renamed)
    machine.run("dpkg", "--add-architecture", other)
    code, output = machine.do("dpkg", "--force-depends", "-i", *files_of([debs()[0], renamed]))
    tap.check("two architectures: both install", code == 0, output)
    code, output = machine.do("dpkg", "--force-depends", "-P", f"libnss-srvmesh:{other}")
    tap.check("... one goes, and nsswitch.conf keeps srvmesh", code == 0 and OURS in machine.read("/etc/nsswitch.conf"), output)
    machine.run("dpkg", "--force-depends", "-i", *files_of([renamed]))
    code, output = machine.do("dpkg", "-P", f"libnss-srvmesh:{here}")
    tap.check("... the other one, too", code == 0 and OURS in machine.read("/etc/nsswitch.conf"), output)
    machine.run("dpkg", "--force-depends", "-P", f"libnss-srvmesh:{other}")
    tap.equal("... both are gone, and it is as it was", machine.read("/etc/nsswitch.conf"), before)
    machine.run("dpkg", "--remove-architecture", other)


def used(tap, machine):
    """Names resolve: for root, for the user nobody, in a chroot; after the first lookup from the map."""
    want = re.compile(r"127\.0\.0\.11 ")
    for who, user in (("root", None), ("nobody", NOBODY)):
        code, output = machine.do("getent", "ahosts", "api.mesh", user=user)
        tap.check(f"getent ahosts as {who}", code == 0 and want.search(output), output)
        code, output = machine.do("curl", "-sS", "http://api.mesh:8080/", user=user)
        tap.equal(f"curl as {who}", (code, output), (0, "api.mesh:8080"))
    code, output = machine.do("getent", "services", "api.mesh/tcp")
    tap.check("getent services", code == 0 and " 8080/tcp" in output, output)
    tap.equal("one name was asked of DNS", status(machine).get("jobs"), "1")

    bind = ('mkdir -p /srv/inner && cd /srv/inner && mkdir -p usr etc lib lib64 && '
            'for d in usr etc lib lib64; do mount --bind /$d $d; done && exec chroot . "$@"')
    for command, answer in ((("getent", "ahosts", "api.mesh"), "127.0.0.11"),
                            (("curl", "-sS", "http://api.mesh:8080/"), "api.mesh:8080")):
        code, output = machine.do("unshare", "--mount", "sh", "-c", bind, "sh", *command)
        tap.check(f"{command[0]} in a chroot without /run", code == 0 and answer in output, output)
    tap.equal("... which resolves for itself", status(machine).get("jobs"), "1")
    shutil.rmtree(machine.path("/srv/inner"))


def service(tap, machine):
    """The daemon runs as its unit says, without any error message."""
    shown = dict(line.split("=", 1) for line in machine.run(
        "systemctl", "show", "srvmeshd.service", "-p", "ActiveState,Type,User,MainPID,NRestarts,UnitFileState").splitlines())
    tap.check("srvmeshd.service is active, enabled, and was ready", shown.get("ActiveState") == "active" and
              shown.get("UnitFileState") == "enabled" and shown.get("Type") == "notify" and shown.get("NRestarts") == "0", shown)
    tap.equal("srvmeshd.socket is active", machine.run("systemctl", "is-active", "srvmeshd.socket").strip(), "active")
    command = machine.run("cat", f"/proc/{shown.get('MainPID')}/cmdline").rstrip("\0").split("\0")
    tap.equal("its command line is the unit's", command, ["/usr/sbin/srvmeshd", "--foreground"])
    log = machine.run("journalctl", "-u", "srvmeshd.service", "-o", "cat", "--no-pager")
    tap.check("its log has no warning and no error", "event=ready" in log and not re.search(r"level=(warning|error)", log), log)
    proc = machine.run("cat", f"/proc/{shown.get('MainPID')}/status")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        tap.check(f"/proc/PID/status: {line!r}", line in proc, proc)
    listed = machine.run("stat", "-c", "%A %U %n", "/run/srvmesh", "/run/srvmesh/cache.v2.mdb", "/run/srvmesh/socket",
                         "/run/srvmesh/socket.hint").splitlines()
    tap.equal("what is in /run/srvmesh", listed, ["drwxr-xr-x srvmesh /run/srvmesh",
                                                 "-rw-r--r-- srvmesh /run/srvmesh/cache.v2.mdb",
                                                 "srw-rw-rw- root /run/srvmesh/socket",
                                                 "srw-rw-rw- root /run/srvmesh/socket.hint"])
    said = machine.run("systemd-analyze", "verify", "--man=no", "srvmeshd.service", "srvmeshd.socket",
                       "srvmeshd-again.timer")
    tap.equal("systemd-analyze finds nothing in the units", [line for line in said.splitlines() if "srvmesh" in line], [])
    machine.write("/etc/srvmesh.conf", CONFIG.replace("400ms", "4 parsecs"))
    machine.run("systemctl", "reload", "srvmeshd.service")
    time.sleep(0.5)
    log = machine.run("journalctl", "-u", "srvmeshd.service", "-o", "cat", "--no-pager")
    tap.check("systemctl reload reads the configuration, and an error is named in the journal",
              "/etc/srvmesh.conf:2: timeout" in log, log)
    machine.run("systemctl", "restart", "srvmeshd.service")
    tap.check("... which starts all the same", is_active(machine))
    machine.write("/etc/srvmesh.conf", CONFIG + "[cache]\ndirectory = /nowhere/at/all\n")
    machine.run("systemctl", "restart", "srvmeshd.service")
    gives_up(tap, machine, "a start without a directory for the host map fails")
    machine.write("/etc/srvmesh.conf", CONFIG)
    tap.check("... and is tried again until it is mended", eventually(lambda: is_active(machine), 40),
              machine.run("systemctl", "status", "srvmeshd.service", "srvmeshd.socket", "srvmeshd-again.timer"))
    killed = main_pid(machine)
    machine.run("systemctl", "kill", "--signal=KILL", "srvmeshd.service")
    tap.check("killed: names resolve from the map", machine.do("getent", "ahosts", "api.mesh")[0] == 0)
    tap.check("... and it comes back", eventually(lambda: is_active(machine) and main_pid(machine) != killed))

    killed = main_pid(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "srvmeshd.service")
    tap.check("stopped for good, it is replaced by the watchdog", eventually(lambda: is_active(machine) and
                                                                            main_pid(machine) not in ("0", killed), 40))
    shown = machine.run("systemctl", "show", "srvmeshd.service", "-p", "MemoryHigh,MemoryMax").split()
    tap.equal("its memory is bounded by its size, not by the host's", sorted(shown),
              [f"MemoryHigh={(64 + 2 * 64 + 4096 * 3 // 8) << 20}", f"MemoryMax={(64 + 2 * 64 + 4096 // 2) << 20}"])

    machine.run("mv", "/usr/sbin/srvmeshd", "/usr/sbin/srvmeshd.away")
    machine.run("systemctl", "kill", "--signal=KILL", "srvmeshd.service")
    gives_up(tap, machine, "killed and without its program it cannot start")
    tap.check("... and will be tried again", is_active(machine, "srvmeshd-again.timer"))
    machine.run("systemctl", "stop", "srvmeshd.service")
    tap.equal("... but not if it is stopped by hand", machine.run("systemctl", "is-active", "srvmeshd-again.timer").strip(),
              "inactive")
    machine.run("mv", "/usr/sbin/srvmeshd.away", "/usr/sbin/srvmeshd")
    time.sleep(10)  # of StartLimitIntervalSec=
    machine.run("systemctl", "start", "srvmeshd.service")
    tap.check("... mended, it is started by hand, and its socket is open", is_active(machine) and
              is_active(machine, "srvmeshd.socket"))


def health(tap, machine):
    """Probes, and the kernel's lists of connections, under the unit's sandbox."""
    machine.write("/etc/srvmesh.conf", CONFIG + "health = tcp\nhealth_interval = 1s\n[daemon]\nlog_level = debug\n")
    machine.run("systemctl", "reload", "srvmeshd.service")
    time.sleep(0.5)
    machine.run("getent", "ahosts", "pair.mesh")
    down = re.compile(r"^127\.0\.0\.13:8080 +down .* refused ", re.M)
    tap.check("health: a target that refuses is down", eventually(lambda: down.search(machine.run("srvmesh", "health"))),
              machine.run("srvmesh", "health"))
    tap.equal("health: programs avoid it", {line.split()[0] for line in machine.run("getent", "ahosts", "pair.mesh").splitlines()},
              {"127.0.0.11"})
    with socket.socket() as odd:  # the server drops its packets, because they are not signed as they say
        odd.setblocking(False)
        odd.setsockopt(socket.IPPROTO_TCP, 14, struct.pack("=HH4s120xHHI80s", socket.AF_INET, 0, socket.inet_aton("127.0.0.11"), 0, 3, 0,
                                                           b"key".ljust(80, b"\0")))
        odd.connect_ex(("127.0.0.11", 8080))
        doubt = re.compile(r'"a target is in doubt" endpoint=127\.0\.0\.11:8080 why="seen on a connection of this host"')
        tap.check("health: the kernel lists the connections of all users to it", eventually(lambda: doubt.search(
            machine.run("journalctl", "-u", "srvmeshd.service", "-o", "cat", "--no-pager"))), machine.run("srvmesh", "health"))
    machine.write("/etc/srvmesh.conf", CONFIG)
    machine.run("systemctl", "reload", "srvmeshd.service")
    time.sleep(0.5)


def gives_up(tap, machine, sentence):
    """A service that cannot start closes its socket soon, so that no program waits there."""
    tap.check(sentence, eventually(lambda: not is_active(machine, "srvmeshd.socket"), 5),
              machine.run("systemctl", "status", "srvmeshd.service", "srvmeshd.socket"))
    start = time.monotonic()
    machine.run("getent", "ahosts", "nothing.mesh")
    took = time.monotonic() - start
    tap.check("... a lookup waits for nobody, then", took < 0.3, took)


def is_active(machine, unit="srvmeshd.service"):
    return machine.run("systemctl", "is-active", unit).strip() == "active"


def main_pid(machine):
    return machine.run("systemctl", "show", "-P", "MainPID", "srvmeshd.service").strip()


def eventually(is_so, seconds=10):
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def without_daemon(tap, machine):
    machine.run("systemctl", "stop", "srvmeshd.service", "srvmeshd.socket")
    tap.check("the daemon stopped: the map stays, and names resolve",
              os.path.exists(f"/proc/{machine.init}/root/run/srvmesh/cache.v2.mdb") and
              machine.do("getent", "ahosts", "api.mesh")[0] == 0)
    machine.run("systemctl", "start", "srvmeshd.socket")
    machine.run("getent", "ahosts", "other.mesh")
    tap.check("a request starts it", is_active(machine))
    counted = status(machine)
    tap.check("... with what was there before", counted.get("restored") == "2" and counted.get("jobs") == "1", counted,
              machine.run("journalctl", "-u", "srvmeshd.service", "-o", "short-precise", "--no-pager"))


def upgrade(tap, machine, lab):
    socket_before = machine.run("stat", "-c", "%i", "/run/srvmesh/socket")
    pid_before = main_pid(machine)
    text = machine.read("/etc/nsswitch.conf")
    code, output = machine.do("apt-get", "install", "-y", "-o", "Dpkg::Options::=--force-confdef", *files_of(debs()))
    tap.check("the upgrade goes through", code == 0, output)
    tap.check("... to another daemon", main_pid(machine) != pid_before)
    tap.equal("... at the same socket", machine.run("stat", "-c", "%i", "/run/srvmesh/socket"), socket_before)
    tap.equal("the upgrade keeps the configuration", machine.read("/etc/srvmesh.conf"), CONFIG)
    tap.equal("... and nsswitch.conf", machine.read("/etc/nsswitch.conf"), text)
    counted = status(machine)
    tap.check("... and the cache", counted.get("restored") == "3" and counted.get("jobs") == "0", counted)


def installed_by_apt(tap, machine, lab):
    before = snapshot(machine)
    nsswitch = machine.read("/etc/nsswitch.conf")
    previous = earlier(lab, machine)
    machine.boot()
    foreign = Loops(machine, "host.elsewhere")
    code, output = machine.do("apt-get", "install", "-y", *previous)
    tap.check("apt installs both packages", code == 0, output)
    used(tap, machine)
    service(tap, machine)
    health(tap, machine)
    without_daemon(tap, machine)
    ours = Loops(machine, "api.mesh")
    upgrade(tap, machine, lab)
    time.sleep(1)
    ours.end(tap, "during the upgrade")

    code, output = machine.do("apt-get", "remove", "-y", "libnss-srvmesh", "srvmeshd")
    tap.check("apt removes them", code == 0, output)
    tap.equal("removed: nsswitch.conf is as it was", machine.read("/etc/nsswitch.conf"), nsswitch)
    tap.equal("... the configuration is kept", machine.read("/etc/srvmesh.conf"), CONFIG)
    tap.check("... the cache is not", machine.do("ls", "/run/srvmesh")[0] != 0)
    tap.check("... and no process is left", machine.do("pidof", "srvmeshd")[0] != 0)
    code, output = machine.do("apt-get", "install", "-y", *files_of(debs()))
    tap.check("installed again: names resolve, by the configuration that was kept",
              "127.0.0.11" in machine.run("getent", "ahosts", "api.mesh"), output)
    code, output = machine.do("apt-get", "purge", "-y", "libnss-srvmesh", "srvmeshd")
    tap.check("apt purges them", code == 0 and "warning" not in output, output)
    time.sleep(0.5)
    foreign.end(tap, "during installation, upgrade and removal")
    machine.halt()
    tap.equal("purged: nothing is left, and nothing else has changed", difference(before, snapshot(machine)), [])


# Files with our name, in every place where a package may have left them; runs inside the machine.
TRACES = "find / /run /tmp -xdev -path /opt -prune -o -name *srvmesh* -print".split()


def earlier(lab, machine):
    """Earlier packages to upgrade from: there was no earlier release, so these are the same with a lower version."""
    previous = [repack(lab, deb, "earlier", r"^Version: (.*)$", r"Version: \1~earlier") for deb in debs()]
    machine.copy(*previous)
    return files_of(previous)


def not_configured(tap, machine, lab):
    nsswitch = machine.read("/etc/nsswitch.conf")
    machine.run("dpkg", "-i", *earlier(lab, machine))
    code, output = machine.do("dpkg", "--unpack", *files_of(debs()))
    tap.check("the machine has traces of it", len(machine.run(*TRACES).split()) > 20)
    tap.check("upgraded, and not configured: it goes on as before", code == 0 and machine.do("getent", "ahosts", "api.mesh")[0] == 0
              and is_active(machine), output)
    code, output = machine.do("dpkg", "-r", "libnss-srvmesh", "srvmeshd")
    tap.equal("... removed: nsswitch.conf is as it was", machine.read("/etc/nsswitch.conf"), nsswitch)
    tap.equal("... and nothing runs", (machine.do("pidof", "srvmeshd")[0], is_active(machine, "srvmeshd.socket")), (1, False))
    code, output = machine.do("dpkg", "-P", "libnss-srvmesh", "srvmeshd")
    tap.equal("... purged: nothing is left", (code, machine.run(*TRACES)), (0, ""))


@contextlib.contextmanager
def pinned(machine, path):
    """Makes a file that can be written, but not replaced."""
    machine.run("mount", "--bind", path, path)
    yield
    machine.run("umount", path)


def not_replaceable(tap, machine):
    nsswitch = machine.read("/etc/nsswitch.conf")
    plugin = files_of(debs())[0]
    with pinned(machine, "/etc/nsswitch.conf"):
        code, output = machine.do("dpkg", "-i", plugin)
    tap.check("nsswitch.conf that cannot be replaced: it installs, and says what to do", code == 0 and
              'put "srvmesh [NOTFOUND=return TRYAGAIN=return]"' in output, output)
    tap.equal("... and remembers nothing", (machine.read("/etc/nsswitch.conf"), os.path.exists(machine.path("/var/lib/srvmesh"))),
              (nsswitch, False))
    machine.run("dpkg-reconfigure", "libnss-srvmesh")
    tap.check("... what can be done now is done", OURS in machine.read("/etc/nsswitch.conf"))
    with pinned(machine, "/etc/nsswitch.conf"):
        code, output = machine.do("dpkg", "-r", "libnss-srvmesh")
        tap.check("... nor for removing: it is removed, and says what to do", code == 0 and 'take "srvmesh"' in output and
                  OURS in machine.read("/etc/nsswitch.conf"), output)
        tap.check("... other names go on", machine.do("getent", "ahosts", "host.elsewhere")[0] == 0)
    machine.write("/etc/nsswitch.conf", nsswitch)
    machine.run("dpkg", "-i", plugin)
    tap.check("... taken out by hand, installed again: it is there", OURS in machine.read("/etc/nsswitch.conf"))
    with pinned(machine, "/etc/nsswitch.conf"):
        machine.run("dpkg", "-P", "libnss-srvmesh")
    tap.equal("... purged: nothing is left but its words", machine.run(*TRACES), "")
    machine.write("/etc/nsswitch.conf", nsswitch)


def elsewhere(tap, machine):
    """A user with that name already exists; and dpkg installs to a root without entering it."""
    nsswitch = machine.read("/etc/nsswitch.conf")
    machine.run("useradd", "--system", "srvmesh")
    machine.run("dpkg", "-i", *files_of(debs()))
    machine.run("dpkg", "-P", "libnss-srvmesh", "srvmeshd")
    tap.check("a user srvmesh who was there before stays", machine.do("getent", "passwd", "srvmesh")[0] == 0)

    machine.run("sh", "-c", "mkdir -p /srv/root/etc /srv/root/var/lib/dpkg/info /srv/root/var/lib/dpkg/updates /srv/root/run; "
                            "echo root:x:0:0:root:/root:/bin/sh >/srv/root/etc/passwd; echo root:x:0: >/srv/root/etc/group; "
                            "cp /etc/nsswitch.conf /srv/root/etc; : >/srv/root/var/lib/dpkg/status")
    dpkg = ("dpkg", "--root=/srv/root", "--force-script-chrootless", "--force-depends")
    code, output = machine.do(*dpkg, "-i", *files_of(debs()))
    tap.check("into a root that dpkg does not enter: it installs", code == 0 and OURS in machine.read("/srv/root/etc/nsswitch.conf") and
              "srvmesh:" in machine.read("/srv/root/etc/passwd"), output)
    code, output = machine.do(*dpkg, "-P", "libnss-srvmesh", "srvmeshd")
    tap.check("... and is purged there", code == 0 and "srvmesh:" not in machine.read("/srv/root/etc/passwd") and
              machine.read("/srv/root/etc/nsswitch.conf") == nsswitch, output)
    tap.check("... and nowhere else", machine.do("getent", "passwd", "srvmesh")[0] == 0)
    machine.run("userdel", "srvmesh")
    shutil.rmtree(machine.path("/srv/root"))


def halfway(tap, machine, lab):
    """Changes that are interrupted, and changes that are not possible."""
    before = snapshot(machine)
    machine.boot()
    not_configured(tap, machine, lab)
    not_replaceable(tap, machine)
    elsewhere(tap, machine)
    machine.halt()
    tap.equal("nothing else has changed", difference(before, snapshot(machine)), [])


# A host that has systemd's files but does not run it, from the boot to the purge: its processes end with this script.
WITHOUT_SYSTEMD = r"""
exec 2>&1
echo 'echo N 2' >/tmp/runlevel; chmod 755 /tmp/runlevel; mount --bind /tmp/runlevel /sbin/runlevel
mkdir -p /run /etc/srvmesh.conf.d
edit() { sed -i "$1" /etc/srvmesh.conf.d/test.conf; }
figures() { for key; do srvmesh status --json | tr ',{}' '\n\n\n' | sed -n "s/^\"$key\":/$key=/p"; done; }
left() { for i in $(seq 50); do pidof srvmeshd >/dev/null || break; sleep 0.1; done; pidof srvmeshd | wc -w; } # the kernel ends it
edit_then() { edit "$1"; shift; "$@" >/dev/null; echo "$?"; }
cp /opt/srvmesh.conf /etc/srvmesh.conf.d/test.conf

echo "[faulty] $(edit_then s/timeout/timeot/ true)"
dpkg -i $EARLIER
echo "dpkg=$? running=$(pidof srvmeshd | wc -w)"
service srvmeshd start; echo "start=$?"
edit s/timeot/timeout/
dpkg -P libnss-srvmesh srvmeshd >/dev/null

echo "[installed]"
dpkg -i $EARLIER >/dev/null; echo "dpkg=$?"
service srvmeshd status; echo "status=$?"
echo "user=$(stat -c %U /proc/$(pidof srvmeshd))"
getent ahosts api.mesh
figures jobs

echo "[controlled]"
service srvmeshd reload; echo "reload=$?"; sleep 0.5
echo "reloaded=$(grep -c event=reloaded /var/log/srvmeshd.log)"
before=$(pidof srvmeshd)
service srvmeshd start; echo "start=$? same=$([ "$before" = "$(pidof srvmeshd)" ] && echo yes)"
service srvmeshd restart; echo "restart=$? same=$([ "$before" = "$(pidof srvmeshd)" ] && echo yes)"
getent ahosts api.mesh >/dev/null; figures jobs restored
before=$(pidof srvmeshd)
echo "restart=$(edit_then s/timeout/timeot/ service srvmeshd restart) same=$([ "$before" = "$(pidof srvmeshd)" ] && echo yes)"
edit s/timeot/timeout/
service srvmeshd stop; echo "stop=$? running=$(left)"
service srvmeshd status; echo "status=$?"
service srvmeshd stop; echo "stop=$?"
service srvmeshd start >/tmp/one & one=$!; service srvmeshd start >/tmp/two; echo "two=$?"; wait $one; echo "one=$?"
service srvmeshd status; echo "status=$? running=$(pidof srvmeshd | wc -w)"

echo "[upgraded]"
before=$(pidof srvmeshd)
dpkg -i $LATER >/dev/null; echo "dpkg=$? same=$([ "$before" = "$(pidof srvmeshd)" ] && echo yes) running=$(pidof srvmeshd | wc -w)"
getent ahosts api.mesh >/dev/null; figures jobs restored
: >/var/log/srvmeshd.log.1.gz
dpkg -r libnss-srvmesh srvmeshd >/dev/null; echo "removed=$? running=$(left)"
dpkg -i $EARLIER >/dev/null; dpkg --unpack $LATER >/dev/null; echo "unpacked=$? running=$(pidof srvmeshd | wc -w)"
dpkg -r libnss-srvmesh srvmeshd >/dev/null; echo "removed=$? running=$(left)"

echo "[purged]"
dpkg -P libnss-srvmesh srvmeshd >/dev/null; echo "purged=$?"
rm -r /etc/srvmesh.conf.d /tmp/one /tmp/two
umount /sbin/runlevel; rm /tmp/runlevel
$TRACES
"""


def init_script(tap, machine, lab):
    machine.copy(lab.file("srvmesh.conf", CONFIG))
    before = snapshot(machine)
    output = machine.run("env", "EARLIER=" + " ".join(earlier(lab, machine)), "LATER=" + " ".join(files_of(debs())),
                         "TRACES=" + " ".join(TRACES), "sh", "-fc", WITHOUT_SYSTEMD)
    seen = dict(re.findall(r"^\[(\w+)\](.*?)(?=^\[|\Z)", output, re.M | re.S))
    for part, sentence, words in (
            ("faulty", "a configuration with an error: the packages install, the daemon runs, and the error is said",
             r"/etc/srvmesh.conf.d/test.conf:2: timeot: no such key.*dpkg=0 running=1\n.*timeot: no such key.*start=0\n"),
            ("installed", "the daemon runs", r"dpkg=0\n.*srvmeshd is running.*status=0\nuser=srvmesh\n"),
            ("installed", "names resolve through it", r"127\.0\.0\.11 .*\njobs=1\n"),
            ("controlled", "it reloads", r"reload=0\nreloaded=1\n"),
            ("controlled", "start leaves alone what runs", r"start=0 same=yes\n"),
            ("controlled", "restart gives another daemon with the same cache", r"restart=0 same=\njobs=0\nrestored=1\n"),
            ("controlled", "restart stops nothing for a configuration with an error", r"restart=1 same=yes\n"),
            ("controlled", "stop stops, twice, and status says so",
             r"stop=0 running=0\n.*srvmeshd is not running.*status=3\n.*stop=0\n"),
            ("controlled", "two starts at once give one daemon", r"two=0\none=0\n.*srvmeshd is running.*status=0 running=1\n"),
            ("upgraded", "an upgrade gives another daemon with the same cache", r"dpkg=0 same= running=1\njobs=0\nrestored=1\n"),
            ("upgraded", "removed, it is stopped; not configured, too",
             r"removed=0 running=0\nunpacked=0 running=1\nremoved=0 running=0\n"),
            ("purged", "purged: nothing is left", r"^\npurged=0\n$")):
        tap.check(f"without systemd: {sentence}", re.search(words, seen.get(part, ""), re.S), output)
    tap.equal("without systemd: nothing else has changed", difference(before, snapshot(machine)), [])


def rpms(tap, machine, lab):
    """rpm installs into the root. The root is a Debian, which looks for modules in another directory than lib64."""
    before = snapshot(machine)
    nsswitch = machine.read("/etc/nsswitch.conf")
    packages = [one("nss_srvmesh-*.rpm"), one("srvmeshd-*.rpm")]
    rpm = ["rpm", "--root", machine.root, "--nodeps"]
    done = run(*rpm, "-i", *packages)
    tap.check("rpm installs both packages", done.returncode == 0, done.stdout)
    tap.check("... and puts srvmesh into nsswitch.conf", f"files {OURS} dns" in machine.read("/etc/nsswitch.conf"))
    machine.write("/etc/srvmesh.conf", CONFIG)
    done = run(*rpm, "-U", "--replacepkgs", *packages)
    tap.check("an upgrade keeps both, and the configuration", done.returncode == 0 and machine.read("/etc/srvmesh.conf") == CONFIG
              and machine.read("/etc/nsswitch.conf").count("srvmesh") == 2, done.stdout, machine.read("/etc/nsswitch.conf"))
    machine.write("/etc/ld.so.conf.d/lib64.conf", "/usr/lib64\n")
    machine.run("ldconfig")
    machine.boot()
    tap.check("names resolve", "127.0.0.11" in machine.run("getent", "ahosts", "api.mesh", user=NOBODY))
    tap.equal("... through the daemon", (is_active(machine), status(machine).get("jobs")), (True, "1"))
    machine.halt()
    os.unlink(machine.path("/etc/ld.so.conf.d/lib64.conf"))
    done = run(*rpm, "-e", "srvmeshd", "nss_srvmesh")
    tap.check("rpm erases them", done.returncode == 0, done.stdout)
    tap.equal("... and nsswitch.conf is as it was", machine.read("/etc/nsswitch.conf"), nsswitch)
    machine.run("ldconfig")
    left = [line for line in difference(before, snapshot(machine))
            if not re.match(r"/etc/(passwd|group|shadow|gshadow):|/etc/srvmesh.conf.rpmsave:", line)]
    tap.equal("... and nothing is left but the user, as is rpm's custom, and the changed configuration", left, [])


class Paced:
    """Processes that look up names until `end`, together more than 1,000 times a second; each name has what is expected."""

    def __init__(self, machine, expected):
        self.machine = machine
        self.began = time.monotonic()
        self.processes = {name: subprocess.Popen(machine.inside("perl", "-e", LOOP, name, error), stdin=subprocess.DEVNULL,
                                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                          for name, error in expected.items()}

    def end(self, tap, when):
        seconds = time.monotonic() - self.began
        for process in self.processes.values():
            for child in descendants(process.pid):
                if process.poll() is None:
                    os.kill(child, 15)
        total = 0
        for name, process in self.processes.items():
            output = process.communicate(timeout=20)[0].strip()
            tap.check(f"{when}: {name}: every lookup of a process says the same", output.isdigit() and int(output) > 100, output)
            total += int(output) if output.isdigit() else 0
        print(f"# {when}: {total} lookups, {total / seconds:.0f} a second")


def release_before(tap, machine):
    """The real packages of the release before, upgraded and downgraded under lookups. `embedded = no`: a lookup that a
    process would have to resolve itself fails."""
    previous = [deb for deb in glob.glob(os.path.join(BUILDDIR, "earlier", "packages", "*.deb")) if "-dbgsym" not in deb]
    if not previous:
        tap.skip("upgrade from the release before", "not possible here: this tree has no history with it")
        return
    before = snapshot(machine)
    machine.copy(*previous)
    machine.boot()
    code, output = machine.do("dpkg", "-i", *files_of(previous))
    tap.check("the packages of the release before install", code == 0, output)
    machine.write("/etc/srvmesh.conf", CONFIG + "min_ttl = 1s\n\n[cache]\nembedded = no\n")
    machine.run("systemctl", "restart", "srvmeshd.service")
    expected = {"api.mesh": "", "other.mesh": "", "short.mesh": "", "none.mesh": "Name or service not known"}
    machine.run("getent", "ahosts", "api.mesh")
    for what, packages in (("upgrade", debs()), ("downgrade", previous)):
        running = Paced(machine, expected)
        time.sleep(2)
        code, output = machine.do("dpkg", "--force-confold", "-i", *files_of(packages))
        tap.check(f"the {what} goes through", code == 0, output)
        fresh = Paced(machine, expected)
        time.sleep(4)
        running.end(tap, f"before, during and after the {what}")
        fresh.end(tap, f"with the plugin after the {what}")
        tap.check(f"the daemon after the {what} has resolved for them", status(machine).get("jobs", "0") != "0", status(machine))
    machine.run("dpkg", "-P", "libnss-srvmesh", "srvmeshd")
    machine.halt()
    tap.equal("nothing else has changed", difference(before, snapshot(machine)), [])


PARTS = {"release": lambda tap, machine, _: release_before(tap, machine), "forms": nsswitch_forms,
         "architectures": architectures, "apt": installed_by_apt, "halfway": halfway,
         "init": init_script, "rpm": rpms}


def depends():
    fields = "".join(subprocess.run(["dpkg-deb", "-f", deb, "Depends"], stdout=subprocess.PIPE, text=True, check=True).stdout
                     for deb in debs())
    return [name for name in re.findall(r"\b(lib[a-z]\S*)", fields) if name != "libc6"]


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP it needs root, to make and boot a machine")
        sys.exit(0)
    lab_root = os.environ.get("SRVMESH_ROOT")
    if not lab_root:
        with Lab() as lab:
            root = os.path.join(lab.path, "root")
            make_root(root, INCLUDE + depends())
            environment = dict(os.environ, SRVMESH_ROOT=root)
            done = subprocess.run([sys.executable, "-B", *sys.argv], env=environment, check=False)
        sys.exit(done.returncode)
    in_namespaces()
    tap = Tap()
    with Lab() as lab:
        Knot(lab, ZONE, 53, elsewhere=FOREIGN)
        server = http.server.ThreadingHTTPServer(("127.0.0.11", 8080), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        machine = Machine(lab_root)
        machine.run("systemctl", "mask", "systemd-resolved.service")
        for name in ("/etc/resolv.conf", "/etc/nsswitch.conf"):
            if os.path.lexists(machine.path(name)):
                os.unlink(machine.path(name))
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        shutil.copy(machine.path("/usr/share/libc-bin/nsswitch.conf"), machine.path("/etc/nsswitch.conf"))
        machine.copy(*debs())
        machine.boot()  # files created by the machine's first boot are not ours
        machine.halt()
        try:
            for name in sys.argv[1:] or PARTS:
                PARTS[name](tap, machine, lab)
        finally:
            machine.halt()
    tap.finish()


if __name__ == "__main__":
    main()
