# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: one question to DNS for all programs of the host, and hits without it."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import can_be_others, Daemon, GUEST, Lab, need, NO_OTHERS, PROBE  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def one_question_for_all(tap):
    server = serve()
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("the first process finds it", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        asked = len(server.questions)
        tap.check("by way of DNS", asked > 0)
        tap.equal("a second process finds it too", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        if can_be_others():
            _, output, _ = lab.as_nobody(PROBE, "gai", "unspec", "api.mesh")
            tap.equal("and one of another user", sorted_words(output), API)
        else:
            tap.skip("and one of another user", NO_OTHERS)
        tap.equal("without one more question", len(server.questions), asked)
        tap.equal("or a request", daemon.status()["requests"], 1)

        _, _, trace = lab.run(need("strace"), "-f", "-e", "trace=connect,sendto,sendmsg,sendmmsg,openat", GUEST, "timed",
                              "api.mesh")
        tap.check("a hit asks neither daemon nor DNS", "cache.v2.mdb" in trace and daemon.socket not in trace and
                  f"htons({server.port})" not in trace and "htons(53)" not in trace, trace[-800:])
        tap.check("and the map once", trace.count("cache.v2.mdb") == 1, trace[-800:])
        tap.equal("the second hit of a process makes no system call", lab.guest("quiet", "api.mesh", 1), "found")
        tap.check("the first does (or the filter proves nothing)", "found" not in lab.guest("quiet", "api.mesh", 0))

        tap.equal("what does not exist is remembered for all",
                  [lab.probe("gai", "unspec", "no.mesh") for _ in range(3)], ["EAI_NONAME"] * 3)
        tap.equal("after one lookup", daemon.status()["jobs"], 2)
        tap.equal("ports come from the map too", lab.probe("classic", "two.mesh", "tcp")[-4:], "0.11")
        tap.equal("SIGTERM ends it well", daemon.stop(), 0)
        tap.check("and its sockets are gone", not os.path.exists(daemon.socket))
        tap.equal("but the map is there", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        daemon.start()
        tap.check("and is taken over", daemon.status()["restored"] >= 3, daemon.status())
    server.stop()


if __name__ == "__main__":
    play(one_question_for_all)
