# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a setuid program."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import can_be_others, GUEST, Lab, need, NO_OTHERS  # noqa: E402
from system.daemon.stories import serve, config, CLONE_NEWNET, CLONE_NEWNS, unshare, play  # noqa: E402


def setuid_host(tap):
    """A program with more rights than its caller ignores the caller's environment."""
    if not can_be_others():
        tap.skip("a setuid program", NO_OTHERS)
        return
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run([need("ip"), "link", "set", "lo", "up"], check=True)
    server = serve("_api._tcp.mesh. 60 SRV 0 1 1 evil.mesh.\nevil.mesh. 60 A 127.6.6.6\n")
    with Lab() as lab:
        lab.file("resolv.conf", "nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", os.path.join(lab.path, "resolv.conf"), os.path.realpath("/etc/resolv.conf")],
                       check=True)
        lab.file("srvmesh.conf", config(server))
        program = os.path.join(lab.path, "guest")
        shutil.copy(GUEST, program)
        hostile = {"LOCALDOMAIN": "evil", "RES_OPTIONS": "attempts:9 ndots:15", "HOSTALIASES": "/etc/passwd", "TMPDIR": "/x"}
        _, output, _ = lab.as_nobody(program, "timed", "api.mesh", **hostile)
        tap.equal("a program of the user's own follows his configuration", output.split()[0], "127.6.6.6")
        os.chmod(program, 0o4755)
        code, output, _ = lab.as_nobody(program, "timed", "api.mesh", **hostile)
        tap.equal("a setuid program does not: without a file in /etc no name is ours", (code, output.split()[0]),
                  (0, "EAI_NONAME"))
    server.stop()


if __name__ == "__main__":
    play(setuid_host)
