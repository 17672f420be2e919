# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of a lookup, compared with a plugin that answers a constant and with nss_dns.

Hits are timed against each other in blocks that take turns within one process, fresh processes in turns, and misses in each
round in a new random order, so that noise of the machine affects all alike. Shown are the medians over the rounds, and the
median of the rounds' ratios. Each is measured in two layouts where that matters: with /etc/srvmesh.conf and its directory, as
installed, and with SRVMESH_CONF. ROUNDS on the command line; the default is 11."""
import os
import random
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
import chart  # noqa: E402
import ground  # noqa: E402
from ground import KNOT, LOOKUPS, OF_ETC, PROGRAMS, UNBOUND  # noqa: E402
from lab import Knot, Lab, in_namespaces  # noqa: E402
from stores import Store, make_key  # noqa: E402

ENTRIES = 100000
MISSES = 200
BLOCKS, SPAWNS = 60, 60  # of a contender in a round
ZONE = "_one._tcp SRV 0 1 80 t0\n*.e._tcp SRV 0 1 80 t0\n" + "".join(f"_four._tcp SRV 0 1 80 t{i}\n" for i in range(4))


class Bench:
    def __init__(self, lab, rounds):
        self.lab, self.rounds, self.turn = lab, rounds, 0
        self.results = {}  # {what: [(ns, 99th percentile or rate) of each round]}

    def note(self, name, *numbers):
        self.results.setdefault(name, []).append(numbers)

    def lookups(self, hosts, calls, threads, pattern, first=0, last=0, conf="srvmesh.conf"):
        median, tail, rate, _ = ground.lookups(self.lab, conf, hosts, calls, threads, pattern, first, last)
        return median, tail, rate

    def paired(self, conf, contenders):
        """{what: (hosts, name)}"""
        words = [word for one in contenders.values() for word in one]
        for _ in range(self.rounds):
            for name, line in zip(contenders, ground.output(self.lab, conf, os.path.join(PROGRAMS, "paired"), BLOCKS, *words)):
                self.note(name, *line)

    def spawned(self, contenders):
        """{name: (hosts, name, configuration)}"""
        words = [word for hosts, name, conf in contenders.values()
                 for word in (hosts, name, conf if conf == OF_ETC else os.path.join(self.lab.path, conf))]
        for _ in range(self.rounds):
            lines = ground.output(self.lab, OF_ETC, os.path.join(PROGRAMS, "spawned"), SPAWNS, LOOKUPS, *words)
            for name, (call, life, faults) in zip(contenders, lines):
                self.note("first, " + name, call, faults)
                self.note("life, " + name, life, faults)

    def run(self, contenders):
        """Takes {name: function}, and measures each function in every round."""
        for _ in range(self.rounds):
            order = list(contenders.items())
            random.shuffle(order)
            for name, measure in order:
                self.note(name, *measure())

    def median(self, name, column=0):
        return statistics.median(result[column] for result in self.results[name])

    def show(self, what, ours, base, goal="", column=0):
        ratio = ground.median_ratio(*([result[column] for result in self.results[name]] for name in (ours, base)))
        unit = "/s" if column else "ns"
        print(f"{what:56} {self.median(ours, column):12.0f} {unit} {self.median(base, column):12.0f} {unit}  {ratio:7.3f}  {goal}")

    def fresh(self):
        """The numbers of names that nobody has asked for."""
        self.turn += 1
        return self.turn * MISSES, (self.turn + 1) * MISSES

    def misses(self, hosts, pattern, conf="srvmesh.conf"):
        return self.lookups(hosts, 0, 1, pattern, *self.fresh(), conf)


def hits(bench):
    foreign = "foreign.name"
    for layout, conf in (("", OF_ETC), (", SRVMESH_CONF", "srvmesh.conf")):
        bench.paired(conf, {
            "constant 1" + layout: ("constant", "any.name"), "hit 1" + layout: ("srvmesh", "one.mesh"),
            "hit 1, anew" + layout: ("srvmesh", "One.mesh"),  # as it is written, no answer is ready
            "foreign, bare without" + layout: ("constant", foreign), "foreign, bare with" + layout: ("srvmesh constant", foreign),
            "foreign, without" + layout: ("files constant", foreign), "foreign, with" + layout: ("files srvmesh constant", foreign)})
    bench.paired(OF_ETC, {"constant 4": ("constant", "4.any.name"), "hit 4": ("srvmesh", "four.mesh")})
    bench.paired("embedded.conf", {"constant beside embedded": ("constant", "any.name"), "embedded 1": ("srvmesh", "one.mesh")})
    bench.spawned({"constant": ("constant", "any.name", OF_ETC), "cached": ("srvmesh", "one.mesh", OF_ETC),
                   "cached, SRVMESH_CONF": ("srvmesh", "one.mesh", "srvmesh.conf"),
                   "cached, commented": ("srvmesh", "one.mesh", "commented.conf")})
    bench.run({
        "dns through unbound": lambda: bench.lookups("dns", 500, 1, "t0.mesh"),
        "hit 1 again": lambda: bench.lookups("srvmesh", 5000, 1, "one.mesh"),
        "1 thread": lambda: (0, bench.lookups("srvmesh", 40000, 1, "one.mesh")[2]),
        "2 threads": lambda: (0, bench.lookups("srvmesh", 40000, 2, "one.mesh")[2]),
        "constant, 1 thread": lambda: (0, bench.lookups("constant", 40000, 1, "any.name")[2]),
        "constant, 2 threads": lambda: (0, bench.lookups("constant", 40000, 2, "any.name")[2]),
    })


def misses(bench):
    ground.resolv_is(KNOT)
    bench.lookups("srvmesh", 0, 1, "x%d.mesh", *bench.fresh())
    bared = ground.bared(bench.lab)
    bench.run({
        "dns at the server": lambda: bench.misses("dns", "h%d.host.mesh"),
        "miss, bare": lambda: bench.misses("bare", "h%d.host.mesh"),
        "miss, 3 known": lambda: bench.misses("srvmesh", "m%d.three.mesh"),
        "miss, 1 known": lambda: bench.misses("srvmesh", "m%d.known.mesh"),
        "miss, never seen": lambda: bench.misses("srvmesh", "x%d.mesh"),
        "embedded miss, 3": lambda: bench.misses("srvmesh", "m%d.three.mesh", "embedded.conf"),
        "embedded miss, 1": lambda: bench.misses("srvmesh", "m%d.known.mesh", "embedded.conf"),
    })
    bench.lab.stop(bared)
    ground.resolv_is(UNBOUND)


def shared(bench, config):
    """Two hosts with a store between them."""
    store = Store(bench.lab)
    text = config + f"[shared]\nservers = 127.0.0.1:{store.port}\nkey = {make_key(bench.lab)}\nhead_start = 100ms\n"
    hosts = [ground.srvmeshd(bench.lab, text, name) for name in ("filling", "taking")]
    bench.lookups("srvmesh", 10, 1, "one.mesh", conf="taking.conf")
    for _ in range(bench.rounds):
        first = bench.fresh()
        bench.note("miss, empty store", *bench.lookups("srvmesh", 0, 1, "m%d.three.mesh", *first, "filling.conf"))
        time.sleep(0.5)
        bench.note("miss, full store", *bench.lookups("srvmesh", 0, 1, "m%d.three.mesh", *first, "taking.conf"))
        bench.note("miss beside", *bench.misses("srvmesh", "m%d.three.mesh"))
        bench.note("hit 1, sharing", *bench.lookups("srvmesh", 20000, 1, "one.mesh", conf="taking.conf"))
        bench.note("hit 1 beside", *bench.lookups("srvmesh", 20000, 1, "one.mesh"))
    for host in hosts:
        host.stop()
    store.stop()


def among_many(bench, config):
    """Maps of 100 and of 100,000 names; and both within the large one."""
    daemons = [ground.srvmeshd(bench.lab, config, name) for name in ("small", "large")]
    bench.lookups("srvmesh", 0, 1, "n%d.e.mesh", 0, 100, conf="small.conf")
    bench.lookups("srvmesh", 0, 1, "n%d.e.mesh", 0, ENTRIES, conf="large.conf")
    bench.run({
        "among 100": lambda: bench.lookups("srvmesh", ENTRIES, 1, "n%d.e.mesh", 0, 100, conf="small.conf"),
        "among 100,000": lambda: bench.lookups("srvmesh", ENTRIES, 1, "n%d.e.mesh", 0, ENTRIES, conf="large.conf"),
        "100 among 100,000": lambda: bench.lookups("srvmesh", ENTRIES, 1, "n%d.e.mesh", 0, 100, conf="large.conf"),
    })
    for daemon in daemons:
        daemon.stop()


def table(bench):
    print(f"{'medians of ' + str(bench.rounds) + ' rounds':56} {'ours':>15} {'against':>15}    ratio  goal")
    for layout in ("", ", SRVMESH_CONF"):
        bench.show("hit, 1 address / constant" + layout, "hit 1" + layout, "constant 1" + layout, "<= 1.18")
        bench.show("... not asked for lately" + layout, "hit 1, anew" + layout, "constant 1" + layout)
        bench.show("foreign name, files srvmesh X / files X" + layout, "foreign, with" + layout, "foreign, without" + layout, "<= 1.02")
        bench.show("... without files" + layout, "foreign, bare with" + layout, "foreign, bare without" + layout, "<= 1.08")
        bench.show("first call of a process / constant" + layout, "first, cached" + layout, "first, constant", "<= 1.85")
        bench.show("life of a process / constant" + layout, "life, cached" + layout, "life, constant", "<= 1.15")
    bench.show("first call, SRVMESH_CONF, with the sample's comments", "first, cached, commented", "first, constant")
    bench.show("hit, 4 addresses / constant", "hit 4", "constant 4")
    bench.show("embedded hit / constant", "embedded 1", "constant beside embedded", "<= 1.20")
    bench.show("hit among 100,000 / among 100", "among 100,000", "among 100", "<= 1.25")
    bench.show("the same 100, among 100,000 / alone", "100 among 100,000", "among 100")
    bench.show("2 threads / 1 thread", "2 threads", "1 thread", ">= 1.8", 1)
    bench.show("2 threads / 1 thread, the constant plugin", "constant, 2 threads", "constant, 1 thread", "", 1)
    bench.show("nss_dns through unbound / hit", "dns through unbound", "hit 1 again", ">= 25")
    for kind, goal in (("3 known", "<= 1.9"), ("1 known", "<= 1.35"), ("never seen", "<= 2.0")):
        bench.show(f"miss, targets: {kind} / nss_dns at the same server", f"miss, {kind}", "dns at the server", goal)
    bench.show("the calls alone of a miss / nss_dns at the same server", "miss, bare", "dns at the server")
    for n, goal in ((3, "<= 2.3"), (1, "<= 2.0")):
        bench.show(f"embedded miss, targets: {n} / nss_dns at the same server", f"embedded miss, {n}", "dns at the server", goal)
    bench.show("hit, on a host that shares / on one that does not", "hit 1, sharing", "hit 1 beside", "<= 1.02")
    bench.show("miss, the store has the answer / without a store", "miss, full store", "miss beside", "<= 1.1")
    bench.show("miss, the store has nothing / without a store", "miss, empty store", "miss beside")


def draw(bench):
    """Writes the README's chart into the source tree."""
    rows = [("a plugin that answers a constant", "constant 1", False), ("srvmesh, from the host map", "hit 1", True),
            ("srvmesh, from the memory of a process", "embedded 1", True),
            ("first call of a process, the constant", "first, constant", False), ("... srvmesh", "first, cached", True),
            ("nss_dns, unbound's cache on this host", "dns through unbound", False),
            ("nss_dns, A and AAAA of one name", "dns at the server", False), ("srvmeshd, SRV, a known target", "miss, 1 known", True),
            ("srvmeshd, SRV, 3 known targets", "miss, 3 known", True), ("srvmeshd, SRV, a new target", "miss, never seen", True),
            ("srvmesh alone, SRV and 3 targets", "embedded miss, 3", True)]
    with open(os.path.join(os.path.dirname(HERE), "docs", "lookup-cost.svg"), "w", encoding="utf-8") as file:
        file.write(chart.bars("What one getaddrinfo call costs", f"./dev bench: medians of {bench.rounds} rounds; servers on loopback; "
                              "logarithmic. The lower five ask a DNS server.", [(what, bench.median(name), is_ours) for what, name, is_ours in rows]))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    in_namespaces()
    with Lab() as lab:
        ground.prepare(lab)
        Knot(lab, ground.zone(MISSES * (10 * rounds + 3)) + ZONE, 53, KNOT)
        ground.unbound(lab)
        ground.resolv_is(UNBOUND)
        config = f"[domain mesh]\nservers = {KNOT}\nmax_ttl = 1h\nfallback = none\n"
        lab.file("embedded.conf", config)
        bench = Bench(lab, rounds)
        daemon = ground.srvmeshd(lab, config, "srvmesh")
        with open(daemon.conf, encoding="utf-8") as file:
            ground.write_etc("srvmesh.conf", text := file.read())
        with open(os.path.join(os.path.dirname(HERE), "conf", "srvmesh.conf"), encoding="utf-8") as file:
            lab.file("commented.conf", file.read() + text)
        for name in ("one", "four"):
            bench.lookups("srvmesh", 10, 1, name + ".mesh")
        bench.lookups("dns", 10, 1, "t0.mesh")
        hits(bench)
        misses(bench)
        shared(bench, config)
        among_many(bench, config)
        table(bench)
        draw(bench)
        daemon.stop()


main()
