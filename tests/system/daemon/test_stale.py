# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: what is past its TTL, while the servers are silent."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def stale(tap):
    server = serve()
    with Lab() as lab:
        text = config(server, "max_ttl = 1s\ntimeout = 300ms\ndeadline = 2s\nfailure_ttl = 1s\nstale_after = 400ms")
        daemon = Daemon(lab, text)
        lab.probe("gai", "unspec", "api.mesh")
        lab.probe("gai", "unspec", "two.mesh")
        lab.probe("gai", "unspec", "short.mesh")
        server.behaviours = [["drop"]]
        time.sleep(1.2)
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("past its TTL, with DNS silent, an answer is still given", answer, "127.0.0.11")
        tap.check("after stale_after", 300 < float(ms) < 700, ms)
        answer, ms = lab.guest("timed", "two.mesh").rsplit(" ", 1)
        tap.equal("the next lookup", answer, "127.0.0.11")
        tap.check("does not wait again", float(ms) < 50, ms)
        time.sleep(2.5)
        answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
        tap.equal("one silent name is not a dead server: a second name", sorted_words(answer), API)
        tap.check("waits, too", 300 < float(ms) < 700, ms)
        answer, ms = lab.guest("timed", "short.mesh").rsplit(" ", 1)
        tap.equal("with two names silent the server is, and others", answer, "127.0.0.11")
        tap.check("do not wait", float(ms) < 50, ms)
        tap.equal("a name that nobody knows is EAI_AGAIN", lab.probe("gai", "unspec", "new.mesh"), "EAI_AGAIN")
        server.questions.clear()
        server.behaviours = []
        time.sleep(1.1)
        tap.equal("when the servers are back", lab.probe("gai", "unspec", "two.mesh"), "127.0.0.11")
        until = time.monotonic() + 10
        while not server.questions and time.monotonic() < until:
            time.sleep(0.02)
        tap.check("they are asked again", len(server.questions) > 0)
        tap.check("and the log says both", "a server has failed" in daemon.log() and "a server answers again" in daemon.log(),
                  daemon.log())
        daemon.kill()
        server.behaviours = [["drop"]]
        time.sleep(1.1)
        tap.equal("with daemon and DNS dead it is still there", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
    with Lab() as lab:
        server.behaviours = []
        Daemon(lab, config(server, "max_ttl = 1s\ntimeout = 200ms\ndeadline = 600ms\nstale = 0"))
        lab.probe("gai", "unspec", "api.mesh")
        server.behaviours = [["drop"]]
        time.sleep(1.2)
        tap.equal("with stale = 0 nothing old is given", lab.probe("gai", "unspec", "api.mesh"), "EAI_AGAIN")
    server.stop()


if __name__ == "__main__":
    play(stale)
