# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd under load, beside unbound with one thread: as many processes at once ask for names that nobody has asked for, at the
same authoritative server. IPv4 alone, so that a miss is one question at both: unbound asks for A, srvmeshd for SRV, and knows the
target's address or has it beside the answer. And unbound for A and AAAA, as nss_dns asks where nobody says which; and a bare server,
which does the calls that srvmeshd cannot do without, and nothing else (bench/bared.c).

Shown are misses a second of all, CPU of the server for each, misses for each second of its CPU, questions for each, and the most
memory that the server has had. ROUNDS on the command line; the default is 5."""
import os
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
import ground  # noqa: E402
from ground import KNOT, LOOKUPS, UNBOUND  # noqa: E402
from lab import Knot, Lab, in_namespaces  # noqa: E402

EACH = 60  # lookups of a process
MANY = 10  # where there are 500 of them
CASES = {"srvmeshd, a known target": ("srvmesh", "m%d.known.mesh"), "srvmeshd, 3 known targets": ("srvmesh", "m%d.three.mesh"),
         "srvmeshd, a new target": ("srvmesh", "x%d.mesh"), "unbound": ("dns", "h%d.host.mesh"),
         "unbound, A and AAAA": ("dns", "h%d.host.mesh"), "the calls alone": ("bare", "h%d.host.mesh")}


def datagrams():
    """All that have arrived in this network."""
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, numbers = (line.split() for line in file if line.startswith("Udp:"))
    return int(numbers[names.index("InDatagrams")])


def peak_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


class Load:
    def __init__(self, lab):
        self.lab, self.turn = lab, 0
        self.conf, self.servers = None, {}

    def measure(self, case, outstanding, each):
        hosts, pattern = CASES[case]
        server = self.servers[hosts]
        first = self.turn
        self.turn += outstanding * each
        cpu, arrived, began = ground.cpu_ns(server), datagrams(), time.monotonic_ns()
        family = [] if hosts == "bare" or case.endswith("AAAA") else ["4"]
        clients = [subprocess.Popen([LOOKUPS, hosts, "0", "1", pattern, str(first + i * each), str(first + (i + 1) * each), *family],
                                    stdout=subprocess.PIPE, text=True, env=ground.environment(self.lab, self.conf))
                   for i in range(outstanding)]
        said = [client.communicate()[0].split() for client in clients]
        took_ns, n = time.monotonic_ns() - began, outstanding * each
        if failures := sum(int(words[3]) for words in said):
            sys.exit(f"load: {case}: {failures} failures")
        cpu = (ground.cpu_ns(server) - cpu) / n
        # a question and its answer arrive; so do those between a client and unbound
        questions = (datagrams() - arrived) / 2 / n / (1 + (hosts == "dns"))
        return n * 1e9 / took_ns, cpu / 1000, 1e9 / cpu, questions, statistics.median(float(words[0]) for words in said) / 1000

    def rounds(self, n, cases, outstanding, each):
        results = {case: [] for case in cases}
        for turn in range(n + 1):  # the first one is for warming up
            for case in random.sample(cases, len(cases)):
                result = self.measure(case, outstanding, each)
                if turn > 0:
                    results[case].append(result)
        print(f"{str(outstanding) + ' at a time':28} {'misses/s':>9} {'CPU each':>11} {'per core':>10} {'/ unbound':>10} {'questions':>10} {'latency':>11}")
        for case in cases:
            ratio = ground.median_ratio([one[2] for one in results[case]], [one[2] for one in results["unbound"]])
            rate, cpu, core, questions, latency = (statistics.median(one[i] for one in results[case]) for i in range(5))
            print(f"{case:28} {rate:9.0f} {cpu:8.1f} us {core:8.0f}/s {ratio:10.3f} {questions:10.2f} {latency:8.0f} us", flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    in_namespaces()
    with Lab() as lab:
        ground.prepare(lab)
        Knot(lab, ground.zone(EACH * 50 * len(CASES) * (rounds + 1)), 53, KNOT)
        ground.resolv_is(UNBOUND)
        load = Load(lab)
        config = f"[domain mesh]\nservers = {KNOT}\nfamily = ipv4\nmax_ttl = 1h\nfallback = none\n"
        for outstanding, each, cases, n in ((50, EACH, list(CASES), rounds), (500, MANY, ["srvmeshd, 3 known targets", "unbound"], 2)):
            daemon = ground.srvmeshd(lab, config, f"of{outstanding}")
            load.conf = daemon.conf
            load.servers = {"srvmesh": daemon.process, "dns": ground.unbound(lab), "bare": ground.bared(lab)}
            time.sleep(1.5)  # srvmeshd has looked at its server
            load.rounds(n, cases, outstanding, each)
            print(f"the most memory: srvmeshd {peak_kib(daemon.process) >> 10} MiB, unbound {peak_kib(load.servers['dns']) >> 10} MiB", flush=True)
            daemon.stop()
            lab.stop(load.servers["dns"])
            lab.stop(load.servers["bare"])


main()
