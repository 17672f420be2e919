# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts with habits of their own: a cache in front of every module, programs that lock their memory, a directory that another
user has used before."""
import fcntl
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "packaging")]
from lab import NO_OTHERS, NOBODY, Daemon, Knot, Lab, Tap, can_be_others, in_namespaces, need, own_etc  # noqa: E402
from machine import Nscd, unpacked  # noqa: E402

ZONE = """_api._tcp SRV 0 1 80 a
_api._tcp SRV 0 1 80 b
a A 127.0.0.11
b A 127.0.0.12
plain A 127.0.0.13
"""


def behind_nscd(tap, lab, knot):
    """nscd keeps what the module says that it may keep: a service with several targets is not for keeping."""
    for folder in ("/run", "/var/cache"):
        subprocess.run([need("mount"), "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    own_etc(lab)
    os.unlink("/etc/nsswitch.conf")
    with open("/etc/nsswitch.conf", "w", encoding="utf-8") as file:
        file.write("hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return]\nservices: files\n")
    lab.file("srvmesh.conf", f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\nanswers = one\n")
    with Nscd(lab, "enable-cache hosts yes\npersistent hosts no\nshared hosts no\nenable-cache services no\n"):
        def first(name):
            # without the plugin: what answers is nscd
            _, output, _ = lab.run(need("getent"), "ahostsv4", name, LD_LIBRARY_PATH="")
            return output.split()[0] if output else ""
        tap.equal("behind nscd both targets of a service are drawn", {first("api.mesh") for _ in range(40)},
                  {"127.0.0.11", "127.0.0.12"})
        first("plain.mesh")
        knot.change(ZONE.replace("127.0.0.13", "127.0.0.14"))
        lab.file("srvmesh.conf", "[domain none]\n")
        tap.equal("... and a plain host is kept", first("plain.mesh"), "127.0.0.13")
        knot.change(ZONE)


def in_locked_memory(tap, lab, knot):
    daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n", "cache size = 64M")
    lab.probe("gai", "unspec", "api.mesh")
    answer, _, kib = lab.probe("locked", "api.mesh").partition(" ")
    tap.check("a host that locks its memory pays for what the map holds", answer == "found" and 0 < int(kib) < 1024, answer, kib)
    daemon.stop()


def left_by_another(tap, lab, knot):
    if not can_be_others():
        tap.skip("a directory that another user has used", NO_OTHERS)
        return
    run = os.path.join(lab.path, "left")
    daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n", run=run)
    lab.probe("gai", "unspec", "api.mesh")
    daemon.kill()
    daemon.start(wait=False, user=NOBODY, group=NOBODY)
    tap.equal("srvmeshd does not start in the directory of another user", daemon.process.wait(10), 1)
    tap.check("... and names the directory, its owner and the remedy",
              f"{run} belongs to user 0, and srvmeshd runs as user {NOBODY}: change its owner, or run srvmeshd as user 0" in daemon.log(),
              daemon.log())
    os.chown(run, NOBODY, NOBODY)
    daemon.start(user=NOBODY, group=NOBODY)
    tap.equal("who owns the directory replaces what another user has left in it", lab.probe("gai", "inet", "plain.mesh"),
              "127.0.0.13")
    tap.equal("... with files of his own", {os.lstat(os.path.join(run, name)).st_uid for name in os.listdir(run)}, {NOBODY})
    daemon.stop()
    os.chown(os.path.join(run, "owner.lock"), 0, 0)
    os.chmod(run, 0o1755)
    os.chown(run, NOBODY, NOBODY)
    with open(os.path.join(run, "owner.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon.start(wait=False, user=NOBODY, group=NOBODY)
        tap.equal("what another user still uses stays", daemon.process.wait(10), 1)
        tap.check("... and the file is named", f"{run}/owner.lock belongs to user 0" in daemon.log(), daemon.log())


def main():
    unpacked("nscd")  # the namespaces have no way to the archive
    in_namespaces(is_wired=True)
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        behind_nscd(tap, lab, knot)
        in_locked_memory(tap, lab, knot)
        left_by_another(tap, lab, knot)
    tap.finish()


main()
