# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: lookups of one family and of both share a job."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab  # noqa: E402
from system.daemon.stories import ZONE, serve, config, sorted_words, play  # noqa: E402


def families_join(tap):
    server = serve(ZONE + "b6.mesh. 60 AAAA ::1\n_six._tcp.mesh. 60 SRV 0 0 1 b6.mesh.\nb6.mesh. 60 A 127.0.0.16\n")
    server.behaviours = [["no-glue"], ["delay", "400", "AAAA"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = any\ntimeout = 2s"))
        results = {}

        def ask(family):
            began = time.monotonic()
            results[family] = (lab.probe("gai", family, "six.mesh"), time.monotonic() - began > 0.3)

        threads = [threading.Thread(target=ask, args=(family,)) for family in ("inet", "inet6", "unspec")]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        tap.equal("one job serves all families, and who wants only one does not wait for the other",
                  {family: (sorted_words(answer), is_slow) for family, (answer, is_slow) in results.items()},
                  {"inet": ("127.0.0.16", False), "inet6": ("::1", True), "unspec": ("127.0.0.16 ::1", True)})
        tap.equal("it was one job", daemon.status()["jobs"], 1)
        tap.equal("and what is kept is whole", sorted_words(lab.probe("gai", "unspec", "six.mesh")), "127.0.0.16 ::1")
    server.stop()


if __name__ == "__main__":
    play(families_join)
