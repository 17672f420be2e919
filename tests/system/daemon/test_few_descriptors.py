# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a low RLIMIT_NOFILE."""
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, GUEST, Lab, descriptors  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, play  # noqa: E402


def few_descriptors(tap):
    server = serve()
    for host in "ab":
        server.add(f"_first._tcp.mesh. 60 SRV 0 0 1 {host}.mesh.")
    server.behaviours = [["delay", "400", "SRV"]]
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "timeout = 2s"), "daemon quota = 100%", wait=False)
        daemon.kill()
        daemon.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
        lab.probe("gai", "unspec", "first.mesh")
        time.sleep(0.5)  # it has all that it keeps
        before = descriptors(daemon.process.pid)
        crowd = [subprocess.Popen([GUEST, "timed", f"d{i}.mesh"], env=lab.environment(), stdout=subprocess.PIPE)
                 for i in range(60)]
        answers = {one.communicate()[0].decode().split()[0] for one in crowd}
        tap.equal("a daemon without descriptors loses nobody", answers, {"EAI_NONAME"})
        time.sleep(0.5)
        tap.equal("and goes on", sorted_words(lab.probe("gai", "unspec", "api.mesh")), API)
        tap.check("holding none of them", descriptors(daemon.process.pid) <= before,
                  os.listdir(f"/proc/{daemon.process.pid}/fd"))
        ticks = sum(int(word) for word in open(f"/proc/{daemon.process.pid}/stat").read().split()[13:15])
        tap.check("without turning in circles meanwhile", ticks < 100, ticks)
    server.stop()


if __name__ == "__main__":
    play(few_descriptors)
