# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of a lookup, compared with a plugin that answers a constant and with nss_dns through unbound.

All contenders are measured in each round, in a new random order, so that noise of the machine affects all alike. Shown
are the medians over the rounds, the median of the rounds' ratios, and the 99th percentile. Needs root: it runs in its
own network and mount namespace, where loopback has its own port 53. ROUNDS on the command line; the default is 11."""
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
import chart  # noqa: E402
from lab import BUILDDIR, Daemon, Knot, Lab, in_namespaces, need  # noqa: E402
from stores import Store, make_key  # noqa: E402

LOOKUPS = os.path.join(BUILDDIR, "bench", "lookups")
ENTRIES = 100000
MISSES = 200
UNBOUND, KNOT = "127.0.0.1", "127.0.0.3"


def zone(rounds):
    text = "$TTL 3600\n" + "".join(f"t{i} A 127.0.0.{11 + i}\n" for i in range(4))
    text += "_one._tcp SRV 0 1 80 t0\n" + "".join(f"_four._tcp SRV 0 1 80 t{i}\n" for i in range(4))
    text += "".join(f"_e{i}._tcp SRV 0 1 80 t0\n" for i in range(ENTRIES))
    text += "".join(f"_m{i}._tcp SRV 0 1 80 t{k}\n" for i in range(MISSES * (5 * rounds + 3)) for k in range(3))
    text += "".join(f"h{i} A 127.0.0.11\nh{i} AAAA ::1\n" for i in range(MISSES * (5 * rounds + 3)))
    return text


def start_servers(lab, rounds):
    Knot(lab, zone(rounds), 53, KNOT)
    lab.file("unbound.conf", f"""
server:
    interface: {UNBOUND}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{lab.path}"
    pidfile: ""
    use-syslog: no
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "mesh." nodefault
stub-zone:
    name: "mesh."
    stub-addr: {KNOT}
""")
    lab.start(need("unbound"), "-c", os.path.join(lab.path, "unbound.conf"))
    lab.file("resolv.unbound", f"nameserver {UNBOUND}\n")
    lab.file("resolv.knot", f"nameserver {KNOT}\n")
    resolv_is(lab, "unbound")


def resolv_is(lab, which):
    path = os.path.realpath("/etc/resolv.conf")
    subprocess.run(["umount", path], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["mount", "--bind", os.path.join(lab.path, f"resolv.{which}"), path], check=True)


class Bench:
    def __init__(self, lab, rounds):
        self.lab, self.rounds, self.miss_turn = lab, rounds, 0
        self.results = {}

    def lookups(self, hosts, calls, threads, pattern, first=0, last=0, conf="srvmesh.conf"):
        done = subprocess.run([LOOKUPS, hosts, str(calls), str(threads), pattern, str(first), str(last)], text=True,
                              capture_output=True, check=False,
                              env=self.lab.environment(LD_LIBRARY_PATH=BUILDDIR + ":" + os.path.join(BUILDDIR, "bench"),
                                                       SRVMESH_CONF=os.path.join(self.lab.path, conf)))
        words = done.stdout.split()
        if done.returncode != 0 or len(words) != 4:
            sys.exit(f"bench: {hosts} {pattern}: {done.stdout}{done.stderr}")
        return float(words[0]), float(words[1]), float(words[2])

    def first(self, hosts, name):
        """ns of the first call of a fresh process, the median of 21."""
        return statistics.median(self.lookups(hosts, 1, 1, name)[0] for _ in range(21)), 0.0, 0.0

    def life(self, hosts, name):
        """ns of a whole process with one lookup, the median of 21."""
        environment = self.lab.environment(LD_LIBRARY_PATH=BUILDDIR + ":" + os.path.join(BUILDDIR, "bench"))
        times = []
        for _ in range(21):
            began = time.monotonic_ns()
            pid = os.posix_spawn(LOOKUPS, [LOOKUPS, hosts, "1", "1", name, "0", "0"], environment,
                                 file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
            os.waitpid(pid, 0)
            times.append(time.monotonic_ns() - began)
        return float(statistics.median(times)), float(max(times)), 0.0

    def run(self, contenders):
        """Takes {name: function}, and measures each function in every round."""
        for _ in range(self.rounds):
            order = list(contenders.items())
            random.shuffle(order)
            for name, measure in order:
                self.results.setdefault(name, []).append(measure())

    def median(self, name, column=0):
        return statistics.median(result[column] for result in self.results[name])

    def show(self, what, ours, base, bound, is_rate=False):
        column = 2 if is_rate else 0
        a, b = self.median(ours, column), self.median(base, column)
        rounds = zip(self.results[ours], self.results[base])
        ratio = statistics.median(one[column] / other[column] for one, other in rounds)
        unit = "/s" if is_rate else "ns"
        tail = "" if is_rate else f"  p99 {self.median(ours, 1):9.0f}"
        print(f"{what:44} {a:12.0f} {unit} {b:12.0f} {unit}  ratio {ratio:7.3f}  {bound}{tail}")


def fill(bench):
    """Puts 100,000 entries into the map through the daemon."""
    bench.lookups("srvmesh", 0, 1, "e%d.mesh", 0, ENTRIES)
    print(f"# the map: {os.stat(bench.lab.path + '/run/cache.v2.mdb').st_size >> 20} MiB, {ENTRIES} entries", flush=True)


def draw(bench):
    """Writes the README's chart into the source tree."""
    rows = [("a plugin that answers a constant", "constant 1", False), ("srvmesh, from the host map", "hit 1", True),
            ("srvmesh, from the memory of a process", "embedded 1", True), ("nss_dns, unbound's cache on this host", "dns through unbound", False),
            ("nss_dns, A and AAAA of one name", "dns at the server", False), ("srvmesh alone, SRV and 3 targets", "embedded miss", True),
            ("through srvmeshd, SRV and 3 targets", "miss", True)]
    with open(os.path.join(os.path.dirname(HERE), "docs", "lookup-cost.svg"), "w", encoding="utf-8") as file:
        file.write(chart.bars("What one getaddrinfo call costs", f"./dev bench: medians of {bench.rounds} rounds; servers on loopback; "
                              "logarithmic. The lower three ask a DNS server.", [(what, bench.median(name), is_ours) for what, name, is_ours in rows]))


def share(lab, config, name):
    """A srvmeshd with a configuration of its own, NAME.conf."""
    before, kept = (os.path.join(lab.path, file) for file in ("srvmesh.conf", "kept.conf"))
    os.rename(before, kept)
    daemon = Daemon(lab, config, "daemon quota = 100%\ncache size = 128M", run=os.path.join(lab.path, name))
    os.rename(before, os.path.join(lab.path, name + ".conf"))
    os.rename(kept, before)
    return daemon


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    in_namespaces()
    with Lab() as lab:
        start_servers(lab, rounds)
        config = f"[domain mesh]\nservers = {KNOT}\nmax_ttl = 1h\nfallback = none\n"
        daemon_keys = "daemon quota = 100%\ncache size = 128M"
        for name in ("run", "small", "filling", "taking"):  # in memory, as /run is
            os.mkdir(os.path.join(lab.path, name))
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", os.path.join(lab.path, name)], check=True)
        daemon = Daemon(lab, config, daemon_keys)
        shutil.copy(os.path.join(lab.path, "srvmesh.conf"), os.path.join(lab.path, "large.conf"))
        lab.file("embedded.conf", f"[domain mesh]\nservers = {KNOT}\nfallback = none\n")
        bench = Bench(lab, rounds)
        for _ in range(200):
            if lab.probe("gai", "unspec", "one.mesh") == "127.0.0.11":
                break
            time.sleep(0.1)
        lookups = bench.lookups
        lookups("srvmesh", 10, 1, "four.mesh")
        lookups("srvmesh", 0, 1, "e%d.mesh", 0, 100)
        lookups("dns", 10, 1, "t0.mesh")
        bench.run({
            "constant 1": lambda: lookups("constant", 20000, 1, "any.name"),
            "hit 1": lambda: lookups("srvmesh", 20000, 1, "one.mesh"),
            "embedded 1": lambda: lookups("srvmesh", 20000, 1, "one.mesh", conf="embedded.conf"),
            "constant 4": lambda: lookups("constant", 2000, 1, "4.any.name"),
            "hit 4": lambda: lookups("srvmesh", 2000, 1, "four.mesh"),
            "foreign, bare without": lambda: lookups("constant", 20000, 1, "foreign.name"),
            "foreign, bare with": lambda: lookups("srvmesh constant", 20000, 1, "foreign.name"),
            "foreign, without": lambda: lookups("files constant", 5000, 1, "foreign.name"),
            "foreign, with": lambda: lookups("files srvmesh constant", 5000, 1, "foreign.name"),
            "dns through unbound": lambda: lookups("dns", 500, 1, "t0.mesh"),
            "hit 1 again": lambda: lookups("srvmesh", 5000, 1, "one.mesh"),
            "1 thread": lambda: lookups("srvmesh", 40000, 1, "one.mesh"),
            "2 threads": lambda: lookups("srvmesh", 40000, 2, "one.mesh"),
            "constant, 1 thread": lambda: lookups("constant", 40000, 1, "any.name"),
            "constant, 2 threads": lambda: lookups("constant", 40000, 2, "any.name"),
            "first, constant": lambda: bench.first("constant", "any.name"),
            "first, cached": lambda: bench.first("srvmesh", "one.mesh"),
            "life, constant": lambda: bench.life("constant", "any.name"),
            "life, cached": lambda: bench.life("srvmesh", "one.mesh"),
        })

        def misses(hosts, pattern, conf="srvmesh.conf"):
            bench.miss_turn += 1
            first = bench.miss_turn * MISSES
            return lookups(hosts, 0, 1, pattern, first, first + MISSES, conf)

        def dns_misses():
            resolv_is(lab, "knot")
            result = misses("dns", "h%d.mesh")
            resolv_is(lab, "unbound")
            return result

        store = Store(lab)
        sharing = [share(lab, config + f"[shared]\nservers = 127.0.0.1:{store.port}\nkey = {make_key(lab)}\nhead_start = 100ms\n", name)
                   for name in ("filling", "taking")]
        lookups("srvmesh", 10, 1, "one.mesh", conf="taking.conf")

        def take_over():
            """The names of the last miss on the host that fills the store, on the other one."""
            time.sleep(0.5)
            first = bench.miss_turn * MISSES
            return lookups("srvmesh", 0, 1, "m%d.mesh", first, first + MISSES, "taking.conf")

        for _ in range(rounds):  # in this order
            for name, measure in (("miss, empty store", lambda: misses("srvmesh", "m%d.mesh", "filling.conf")),
                                  ("miss, full store", take_over), ("miss beside", lambda: misses("srvmesh", "m%d.mesh")),
                                  ("hit 1, sharing", lambda: lookups("srvmesh", 20000, 1, "one.mesh", conf="taking.conf")),
                                  ("hit 1 beside", lambda: lookups("srvmesh", 20000, 1, "one.mesh"))):
                bench.results.setdefault(name, []).append(measure())
        for each in sharing:
            each.stop()
        store.stop()
        bench.run({
            "miss": lambda: misses("srvmesh", "m%d.mesh"),
            "embedded miss": lambda: misses("srvmesh", "m%d.mesh", "embedded.conf"),
            "dns at the server": dns_misses,
        })
        fill(bench)
        small = Daemon(lab, config, daemon_keys, run=os.path.join(lab.path, "small"))
        os.rename(os.path.join(lab.path, "srvmesh.conf"), os.path.join(lab.path, "small.conf"))
        os.rename(os.path.join(lab.path, "large.conf"), os.path.join(lab.path, "srvmesh.conf"))
        lookups("srvmesh", 0, 1, "e%d.mesh", 0, 100, conf="small.conf")
        bench.run({
            "among 100": lambda: lookups("srvmesh", 20000, 1, "e%d.mesh", 0, 100, conf="small.conf"),
            "among 100,000": lambda: lookups("srvmesh", 20000, 1, "e%d.mesh", 0, ENTRIES),
            "100 among 100,000": lambda: lookups("srvmesh", 20000, 1, "e%d.mesh", 0, 100),
        })
        small.stop()
        print(f"{'median of ' + str(rounds) + ' rounds':44} {'ours':>15} {'against':>15}")
        bench.show("hit, 1 address / the constant plugin", "hit 1", "constant 1", "<= 1.25")
        bench.show("hit, 4 addresses / the constant plugin", "hit 4", "constant 4", "")
        bench.show("foreign name, files srvmesh X / files X", "foreign, with", "foreign, without", "<= 1.05")
        bench.show("... without files", "foreign, bare with", "foreign, bare without", "")
        bench.show("first call of a process, cached / constant", "first, cached", "first, constant", "")
        bench.show("life of a process, cached / constant", "life, cached", "life, constant", "<= 1.3 ")
        bench.show("embedded hit / the constant plugin", "embedded 1", "constant 1", "<= 1.5 ")
        bench.show("hit among 100,000 / among 100", "among 100,000", "among 100", "<= 1.3 ")
        bench.show("the same 100, among 100,000 / alone", "100 among 100,000", "among 100", "")
        bench.show("2 threads / 1 thread", "2 threads", "1 thread", ">= 1.8 ", True)
        bench.show("2 threads / 1 thread, the constant plugin", "constant, 2 threads", "constant, 1 thread", "", True)
        bench.show("nss_dns through unbound / hit", "dns through unbound", "hit 1 again", ">= 25  ")
        bench.show("miss, 3 targets / nss_dns at the same server", "miss", "dns at the server", "<= 2.5 ")
        bench.show("embedded miss / nss_dns at the same server", "embedded miss", "dns at the server", "")
        bench.show("hit, on a host that shares / on one that does not", "hit 1, sharing", "hit 1 beside", "<= 1.02")
        bench.show("miss, the store has the answer / without a store", "miss, full store", "miss beside", "<= 1.1 ")
        bench.show("miss, the store has nothing / without a store", "miss, empty store", "miss beside", "")
        draw(bench)
        daemon.stop()
        for name in ("run", "small", "filling", "taking"):
            subprocess.run(["umount", os.path.join(lab.path, name)], check=True)


main()
