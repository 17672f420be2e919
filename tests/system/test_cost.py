# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of a lookup in instructions, which noise does not affect. Where tests/costs has a row for this compiler, this glibc and
this architecture it is that, 3 % more or less: who changes it says so there. Elsewhere at most a bound, and the row to add is
printed."""
import os
import platform
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, GUEST, IS_SANITIZED, PROBE, SRCDIR, Daemon, Knot, Lab, Tap, need  # noqa: E402
from stores import Store, make_key  # noqa: E402

ZONE = """
_one._tcp SRV 0 1 80 a
_new1._tcp SRV 0 1 80 a
_new2._tcp SRV 0 1 80 a
_new3._tcp SRV 0 1 80 a
*.known._tcp SRV 0 1 80 a
_four._tcp SRV 0 1 80 a
_four._tcp SRV 0 1 80 b
_four._tcp SRV 0 1 80 c
_four._tcp SRV 0 1 80 d
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
d A 127.0.0.14
"""
METADATA = "".join(f'{host} TXT "version=2" "zone=eu"\n' for host in "abcd")
ENTRY = "_nss_srvmesh_gethostbyname4_r"
# what, its word in the table, at most so many instructions, the name, with srvmeshd
COSTS = [("a hit in the host map, one address, that is ready", "ready1", 2750, "one.mesh", True),
         ("a hit in the host map, one address", "hit1", 2750, "One.mesh", True),  # as it is written, none is ready
         ("a hit in the host map, four addresses", "hit4", 4700, "four.mesh", True),
         ("a hit in the memory of the process, one address", "memory1", 2500, "One.mesh", False),
         ("a foreign name", "foreign", 450, "localhost", True)]
MISSES = 200
FIRST_MAX, LOADING_MAX, MISS_MAX = 80000, 110000, 60000


def instructions(lab, name, lookups, function=ENTRY, **more):
    """In an environment of few words: each is looked at for those that the plugin knows."""
    words = lab.environment(PROBE_HOSTS="srvmesh files", **more)
    kept = ("PATH", "LD_LIBRARY_PATH", "LC_ALL", "SRVMESH_CONF", "PROBE_HOSTS")
    _, _, errors = lab.run("env", "-i", *(f"{word}={words[word]}" for word in kept), need("valgrind"), "--tool=callgrind",
                           "--callgrind-out-file=/dev/null", f"--toggle-collect={function}", PROBE, "draws", str(lookups), name)
    found = re.search(r"Collected : (\d+)", errors)
    return int(found.group(1)) if found else 0


def whole(lab):
    """Of one getaddrinfo call for four targets, all glibc's own included."""
    return (instructions(lab, "four.mesh", 1010, "getaddrinfo") - instructions(lab, "four.mesh", 10, "getaddrinfo")) / 1000


def host():
    """Compiler, C library and architecture, as the table calls them; with what optimization the plugin was built."""
    with open(os.path.join(BUILDDIR, "Makefile"), encoding="utf-8") as file:
        flags = dict(re.findall(r"^(CC|CFLAGS|LTO_CFLAGS) = ?(.*)$", file.read(), re.MULTILINE))
    major = subprocess.run([*flags["CC"].split(), "-dumpversion"], capture_output=True, text=True, check=True).stdout.strip().split(".")[0]
    level = re.findall(r"-O\w*", flags["CFLAGS"]) or ["-O0"]
    return f"gcc-{major}{level[-1]}{'-flto' if flags['LTO_CFLAGS'] else ''}", platform.libc_ver()[1], platform.machine()


def row_of(words):
    with open(os.path.join(SRCDIR, "tests", "costs"), encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return next((dict(zip(lines[0][3:], map(int, line[3:]))) for line in lines[1:] if tuple(line[:3]) == words), None)


def judge(tap, costs):
    """`costs`: what, by the word of the table, with its bound and its cost."""
    words = host()
    row = None if IS_SANITIZED else row_of(words)
    for word, (what, bound, cost) in costs.items():
        print(f"# {what}: {cost:.0f} instructions")
        if row:
            tap.check(f"{what} costs what the table says", abs(cost - row[word]) <= 0.03 * row[word], cost, row[word])
        else:
            tap.check(f"{what} costs at most {bound} instructions", 0 < cost <= bound, cost)
    if not row:
        print("# no row in tests/costs; to add:", *words, *(f"{cost:.0f}" for _, _, cost in costs.values()))


def calls_of_a_miss(lab, daemon):
    """System calls of srvmeshd for each of many lookups, one behind the other: what a target's name has is known to it."""
    trace = os.path.join(lab.path, "calls")
    strace = lab.start(need("strace"), "-f", "-qq", "-c", "-o", trace, "-p", str(daemon.process.pid))
    for _ in range(500):
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            if f"TracerPid:\t{strace.pid}\n" in file.read():
                break
        time.sleep(0.02)
    lab.probe("draws", "1", "one.mesh")
    lab.guest("timed", *(f"n{i}.known.mesh" for i in range(MISSES)))  # what srvmeshd does once a second hardly counts
    strace.send_signal(signal.SIGINT)
    strace.wait()
    return total(trace) / MISSES


def total(trace):
    """The calls that strace -c has counted."""
    with open(trace, encoding="utf-8") as file:
        words = next(line.split() for line in file if line.endswith(" total\n"))
    return int(words[3])  # behind the share, the seconds, and the microseconds for each


def calls_of_a_client(lab):
    """System calls of a process for each lookup that srvmeshd answers, but for those of a hit."""
    trace, counts = os.path.join(lab.path, "calls"), []
    one, many = ["m.known.mesh"], [f"m{i}.known.mesh" for i in range(MISSES)]
    for names in (one, many, one, many):  # misses, then hits
        lab.run(need("strace"), "-f", "-qq", "-c", "-o", trace, GUEST, "timed", *names)
        counts.append(total(trace))
    return (counts[1] - counts[0] - (counts[3] - counts[2])) / (MISSES - 1)


def main():
    tap, costs = Tap(), {}
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        domain = f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n"
        daemon = Daemon(lab, domain)
        alone = lab.file("alone.conf", domain)
        for name in ("one.mesh", "four.mesh"):
            lab.probe("gai", "unspec", name)
        for what, word, bound, name, has_daemon in COSTS:
            more = {} if has_daemon else {"SRVMESH_CONF": alone}
            costs[word] = what, bound, (instructions(lab, name, 1010, **more) - instructions(lab, name, 10, **more)) / 1000
        costs["first"] = "the first call of a process", FIRST_MAX, instructions(lab, "one.mesh", 1)
        costs["loading"] = "loading the plugin", LOADING_MAX, instructions(lab, "one.mesh", 1, "_dl_open")
        costs["miss"] = "a miss through srvmeshd", MISS_MAX, min(
            instructions(lab, f"new{i}.mesh", 1) for i in (1, 2, 3)) - costs["first"][2]  # a sign of life costs, too
        judge(tap, costs)
        calls = calls_of_a_miss(lab, daemon)
        tap.check("a miss with a known target is 18 system calls of srvmeshd at most", 0 < calls <= 18, calls)
        tap.check("... and 8 of the plugin", 0 < (own := calls_of_a_client(lab)) < 9, own)
        print(f"# {calls} {own}")
        plain = whole(lab)
        alone = instructions(lab, "one.mesh", 1010) - instructions(lab, "one.mesh", 10)
        with Store(lab) as store:
            daemon.config(f"{domain}[shared]\nservers = 127.0.0.1:{store.port}\nkey = {make_key(lab)}\n")
            daemon.signal(signal.SIGHUP)
            shared = instructions(lab, "one.mesh", 1010) - instructions(lab, "one.mesh", 10)
        tap.check("a hit costs the same on a host that shares", abs(shared - alone) <= 0.01 * alone, shared, alone)
        daemon.stop()
        knot.change(ZONE + METADATA)
        daemon.config(domain + "filter = version=2\nprefer = zone=eu\n")
        daemon.start()
        lab.probe("gai", "unspec", "four.mesh")
        judged = whole(lab)
        tap.check("a call of getaddrinfo with a filter and a preference costs at most 3.5 % more", judged <= 1.035 * plain,
                  judged, plain)
        print(f"# {judged / plain:.3f}")
        daemon.stop()
    tap.finish()


main()
