# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: a flood of random names, and the quota."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import can_be_others, Daemon, free_port, GUEST, IS_SANITIZED, Lab, need, NO_OTHERS  # noqa: E402
from system.daemon.stories import serve, play  # noqa: E402


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def flood(tap):
    """One user asks for names that do not exist; the entries of other users stay."""
    names = 10000 if IS_SANITIZED else 100000
    if not can_be_others():
        tap.skip("a flood", NO_OTHERS)
        return
    server = serve()
    port = free_port()
    with Lab() as lab:
        lab.file("zone", "$ORIGIN mesh.\n$TTL 600\n@ SOA ns host 1 60 60 60 600\n@ NS ns\nns A 127.0.0.1\n" +
                 "".join(f"_ours{i}._tcp SRV 0 0 1 ns\n" for i in range(200)))
        lab.file("nsd.conf", f"""
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    zonesdir: "{lab.path}"
    database: ""
    pidfile: "{lab.path}/nsd.pid"
    xfrdfile: "{lab.path}/xfrd.state"
    zonelistfile: "{lab.path}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: mesh
    zonefile: "{lab.path}/zone"
""")
        lab.start(need("nsd"), "-d", "-c", os.path.join(lab.path, "nsd.conf"))
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{port}\nnegative_ttl = 1h\nfallback = none\n",
                        "cache size = 1M\ndaemon max_jobs = 8")
        for _ in range(50):
            if lab.probe("gai", "unspec", "ours0.mesh") == "127.0.0.1":
                break
            time.sleep(0.1)
        for i in range(200):
            lab.probe("draws", 1, f"ours{i}.mesh")
        before = daemon.status()
        code, output, errors = lab.as_nobody(GUEST, "random", str(names), "mesh", timeout=600)
        after = daemon.status()
        print(f"# {output}; {errors}; {after}; resident {resident_kib(daemon.process.pid)} KiB")
        tap.check("the flood went through", code == 0 and after["requests"] >= before["requests"] + names * 0.9, after)
        asked = daemon.status()["requests"]
        for i in range(0, 200, 7):
            lab.probe("draws", 1, f"ours{i}.mesh")
        tap.equal("what others use is still in the map", daemon.status()["requests"], asked)
        size = os.stat(os.path.join(daemon.directory, "cache.v2.mdb")).st_size
        tap.check("the file stays within its size", size <= 1 << 20, size)
        if not IS_SANITIZED:
            tap.check("the daemon's memory stays bounded", resident_kib(daemon.process.pid) < 16384,
                      resident_kib(daemon.process.pid))
        tap.check("that user has waited for his turns, and was turned away nowhere", after["busy"] == 0 and after["evicted"] > 0, after)
    server.stop()


if __name__ == "__main__":
    play(flood)
