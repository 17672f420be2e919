# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the cost of a hit grows: among 100 to 1,000,000 names, each number in a host map of its own, drawn at random; and by 1 to 64
threads and processes at a time. Ratios are those of the rounds. ROUNDS on the command line; the default is 5."""
import os
import random
import resource
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
import chart  # noqa: E402
import ground  # noqa: E402
from ground import KNOT, LOOKUPS  # noqa: E402
from lab import Knot, Lab, in_namespaces  # noqa: E402

SIZES = {100: "64M", 32768: "64M", 100000: "64M", 1000000: "1G"}
CALLS = 200000
AT_A_TIME = (1, 2, 4, 16, 64)


def fill(lab, conf, n, at_a_time=8):
    share = -(-n // at_a_time)
    fillers = [subprocess.Popen([LOOKUPS, "srvmesh", "0", "1", "n%d.e.mesh", str(i * share), str(min(n, (i + 1) * share))],
                                stdout=subprocess.DEVNULL, env=ground.environment(lab, conf)) for i in range(at_a_time)]
    if any(filler.wait() for filler in fillers):
        sys.exit(f"growth: {n} names: some fail")


def by_names(lab, rounds):
    results = {n: [] for n in SIZES}
    for _ in range(rounds):
        for n in random.sample(list(SIZES), len(SIZES)):
            results[n].append(ground.lookups(lab, f"of{n}.conf", "srvmesh", CALLS, 1, "n%d.e.mesh", 0, n))
    print(f"{'names':>10} {'map':>10} {'median':>10} {'p99':>10} {'/ 100 names':>12}")
    rows = []
    for n, of in results.items():
        ratio = ground.median_ratio([one[0] for one in of], [one[0] for one in results[100]])
        median, tail = (statistics.median(one[i] for one in of) for i in range(2))
        size = os.stat(f"/run/of{n}/cache.v2.mdb").st_blocks >> 11
        print(f"{n:10} {size:6} MiB {median:7.0f} ns {tail:7.0f} ns {ratio:12.3f}", flush=True)
        rows.append((f"a hit among {n:,} names", median, True))
    return rows


def cpu_of(lab, hosts, name, processes, threads):
    """ns of CPU for each call."""
    calls = max(CALLS // processes // threads, 2000)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clients = [subprocess.Popen([LOOKUPS, hosts, str(calls), str(threads), name, "0", "0"], stdout=subprocess.DEVNULL,
                                env=ground.environment(lab, "of100.conf")) for _ in range(processes)]
    if any(client.wait() for client in clients):
        sys.exit(f"growth: {hosts} {name} fails")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e9 / calls / processes / threads


def by_users(lab, rounds):
    print(f"{'at a time':>20} {'hit':>10} {'constant':>10} {'ratio':>8}   (CPU of a call)")
    for kind in ("threads", "processes"):
        for n in AT_A_TIME:
            processes, threads = (1, n) if kind == "threads" else (n, 1)
            pairs = [(cpu_of(lab, "srvmesh", "n1.e.mesh", processes, threads), cpu_of(lab, "constant", "any.name", processes, threads))
                     for _ in range(rounds)]
            hit, constant = (statistics.median(column) for column in zip(*pairs))
            print(f"{n:>10} {kind:9} {hit:7.0f} ns {constant:7.0f} ns {ground.median_ratio(*zip(*pairs)):8.3f}", flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    in_namespaces()
    with Lab() as lab:
        ground.prepare(lab)
        Knot(lab, "$TTL 86400\nt0 A 127.0.0.11\n*.e._tcp SRV 0 1 80 t0\n", 53, KNOT)
        config = f"[domain mesh]\nservers = {KNOT}\nmax_ttl = 1d\nfallback = none\n"
        for n, size in SIZES.items():
            daemon = ground.srvmeshd(lab, config, f"of{n}", f"daemon quota = 100%\ncache size = {size}\ncache persist = no")
            fill(lab, f"of{n}.conf", n)
            daemon.stop()
        rows = by_names(lab, rounds)
        by_users(lab, rounds)
        with open(os.path.join(os.path.dirname(HERE), "docs", "growth.svg"), "w", encoding="utf-8") as file:
            file.write(chart.bars("How the cost of a hit grows", f"./dev bench growth: medians of {rounds} rounds of {CALLS:,} lookups of names drawn "
                                  "at random; logarithmic.", rows))


main()
