# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a user of its own, and who can read what."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import can_be_others, Daemon, Lab, NO_OTHERS, NOBODY  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


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


if __name__ == "__main__":
    play(unprivileged)
