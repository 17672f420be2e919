# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: every way in which srvmeshd can be absent."""
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import can_be_others, Daemon, GUEST, Lab, NO_OTHERS  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def extra_ms(lab, server):
    """The extra time of a miss with this lab's configuration, whose daemon is absent, compared with no daemon
    configured: the smallest of several values."""
    alone = lab.file("alone.conf", config(server))
    costs = {}
    for turn in range(200):
        if turn >= 20 and costs["with"] - costs["without"] < 1:
            break
        for words, more in (("with", {}), ("without", {"SRVMESH_CONF": alone})):
            ms = float(lab.guest("timed", "two.mesh", **more).rsplit(" ", 1)[1])
            costs[words] = min(ms, costs.get(words, ms))
    return costs["with"] - costs["without"]


def away(tap):
    """Every way in which the daemon can be absent: the program asks DNS itself at once, or in time."""
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "deadline = 3s"))
        lab.probe("gai", "unspec", "api.mesh")
        daemon.signal(signal.SIGSTOP)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("a stopped daemon's hits are hits", sorted_words(answer), API)
        tap.check("at once", float(ms) < 50, ms)
        lines = [line.rsplit(" ", 1) for line in lab.guest("timed", "two.mesh", "three.mesh").splitlines()]
        tap.equal("a miss is resolved by the process itself", [line[0] for line in lines], ["127.0.0.11", "EAI_NONAME"])
        tap.check("well within the deadline", float(lines[0][1]) < 2000, lines)
        tap.check("and a silent daemon is not waited for again", float(lines[1][1]) < 100, lines)
        daemon.signal(signal.SIGCONT)
        daemon.kill()
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("a dead daemon's misses are resolved by the process", answer, "127.0.0.11")
        tap.check("without delay", float(ms) < 50, ms)
        extra = extra_ms(lab, server)
        tap.check("within a millisecond of a process that knows of no daemon", extra < 1, extra)
        tap.equal("its hits are hits", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        shutil.rmtree(daemon.directory)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("so it is without the directory", sorted_words(answer), API)
        tap.check("without delay either", float(ms) < 50, ms)
        daemon.start()
        tap.equal("where a sandbox forbids AF_UNIX", lab.guest("no-unix", "two.mesh"), "127.0.0.11")
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("and for a hit it does not matter", sorted_words(lab.guest("no-unix", "api.mesh")), API)
        tap.equal("without a free descriptor, once mapped elsewhere, EAI_AGAIN", lab.guest("full", "new.mesh"), "EAI_AGAIN")
        os.chmod(daemon.socket, 0)
        if can_be_others():
            _, output, _ = lab.as_nobody(GUEST, "timed", "two.mesh")
            tap.equal("who may not connect resolves by himself", output.rsplit(" ", 1)[0], "127.0.0.11")
        else:
            tap.skip("who may not connect resolves by himself", NO_OTHERS)
    with Lab() as lab:
        daemon = Daemon(lab, config(server), "cache embedded = no")
        tap.equal("with embedded = no the daemon answers", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        daemon.kill()
        tap.equal("and without it a name is to be tried again", lab.probe("gai", "unspec", "x.mesh"), "EAI_AGAIN")
        tap.equal("but hits are hits", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
    server.stop()


if __name__ == "__main__":
    play(away)
