# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a file system without space."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab, NO_NAMESPACES  # noqa: E402
from system.daemon.stories import ZONE, API, serve, config, sorted_words, CLONE_NEWNS, unshare, play  # noqa: E402


def fill(run):
    with open(os.path.join(run, "ballast"), "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 512)
        except OSError:
            pass


def full_from_the_beginning(tap, lab, daemon, run):
    """There is nothing to remove, so nothing is gained by keeping less."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", run], check=True)
    daemon.start()
    fill(run)
    answers = {line.split()[0] for line in lab.guest("timed", *(f"n{i}.mesh" for i in range(60))).splitlines()}
    tap.equal("nor is anything lost where nothing could be kept so far", answers, {"127.0.0.11"})
    status = daemon.status()
    tap.check("which the daemon does not try all the time", 0 < status["write_failures"] < 5, status)
    os.unlink(os.path.join(run, "ballast"))
    time.sleep(1.1)
    lab.probe("gai", "unspec", "n231.mesh")
    tap.equal("with space at last, it keeps", lab.guest("quiet", "n231.mesh", 1), "found")
    daemon.stop()
    subprocess.run(["umount", run], check=True)


def full_file_system(tap):
    if os.geteuid() != 0:
        tap.skip("a full tmpfs", NO_NAMESPACES)
        return
    server = serve(ZONE + "".join(f"_n{i}._tcp.mesh. 60 SRV 0 0 1 a.mesh.\n" for i in range(240)))
    with Lab() as lab:
        unshare(CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        run = os.path.join(lab.path, "run")
        os.mkdir(run)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", run], check=True)
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        fill(run)
        tap.equal("a hit on a full file system is a hit", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        lines = lab.guest("timed", *(f"n{i}.mesh" for i in range(60))).splitlines()
        tap.equal("what cannot be kept is answered all the same", {line.split()[0] for line in lines}, {"127.0.0.11"})
        tap.check("without delay", max(float(line.split()[1]) for line in lines) < 100, lines)
        status = daemon.status()
        tap.check("the daemon knows, and does not try all the time", 0 < status["write_failures"] < 5, status)
        tap.equal("what is in the map stays", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        os.unlink(os.path.join(run, "ballast"))
        time.sleep(1.1)
        lab.probe("gai", "unspec", "n230.mesh")
        tap.equal("with space again, it keeps again", lab.guest("quiet", "n230.mesh", 1), "found")
        tap.check("and nothing was lost", "restored" in status and lab.guest("quiet", "api.mesh", 1) == "found")
        daemon.stop()
        subprocess.run(["umount", run], check=True)
        full_from_the_beginning(tap, lab, daemon, run)
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


if __name__ == "__main__":
    play(full_file_system)
