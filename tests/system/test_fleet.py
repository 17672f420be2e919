# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hundred srvmeshds with one DNS server and one store: a flush reaches them all, and the model of a fleet (bench/fleet.c) counts
as they do. Each has a directory and a configuration of its own; Knot counts the questions."""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, Knot, Lab, Tap, need  # noqa: E402
from stores import Road, Store, make_key  # noqa: E402

HOSTS, NAMES = 100, 20
FLEET = os.path.join(BUILDDIR, "bench", "fleet")
MAGIC = 0x484D5253


def wait_for(what, seconds=30):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.05)


def zone(ttl, last):
    return "".join(f"_s{i}._tcp {ttl} SRV 0 0 80 t{i}\nt{i} {ttl} A 127.0.{last}.{i}\n" for i in range(NAMES))


class CountingKnot(Knot):
    """Counts questions by type."""

    def start(self):
        path = os.path.join(self.lab.path, "knot.conf")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.lab.file("knot.conf", text.replace("zone:", "mod-stats:\n  - id: all\n    query-type: on\ntemplate:\n  - id: default\n"
                                                "    global-module: mod-stats/all\nzone:"))
        super().start()

    def count(self):
        """SRV questions so far: one a resolution."""
        said = subprocess.run([need("knotc"), "-b", "-s", f"{self.lab.path}/knot.sock", "stats", "mod-stats.query-type"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        counts = [line.split("=")[1] for line in said.splitlines() if "[SRV]" in line]
        return int(counts[0]) if counts else 0


class Host:
    def __init__(self, lab, number, knot, shared):
        self.directory = os.path.join(lab.path, f"host{number}")
        os.makedirs(self.directory)
        self.socket = os.path.join(self.directory, "run", "socket")
        conf = os.path.join(self.directory, "srvmesh.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n{shared}\n[cache]\nsize = 1M\n"
                       f"directory = {self.directory}/run\n[daemon]\nsocket = {self.socket}\n")
        self.conf = conf
        self.log = open(os.path.join(self.directory, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([os.path.join(BUILDDIR, "srvmeshd"), "--foreground", "--config", conf],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def said(self):
        with open(self.log.name, encoding="utf-8") as log:
            return log.read()

    def ask(self, name):
        """The addresses, by one request; "" where there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(10)
            client.connect(self.socket)
            text = name.encode()
            client.send(struct.pack("<IBBBB", MAGIC, 2, 1, 0, 1) + struct.pack("<HII", 1, 4, 3000) +
                        struct.pack("<HIB", 2, 1, 3) + struct.pack("<HI", 3, len(text)) + text)
            while (reply := client.recv(65536)) and reply[5] == 17:
                pass
        at = reply.find(struct.pack("<HIB", 2, 5, 1)) if reply else -1  # the field of addresses: one of IPv4
        return ".".join(str(byte) for byte in reply[at + 7:at + 11]) if at >= 0 else ""

    def jobs(self):
        done = subprocess.run([os.path.join(BUILDDIR, "srvmesh"), "status", "--json"], env=dict(os.environ, SRVMESH_CONF=self.conf),
                              stdout=subprocess.PIPE, check=True).stdout
        return json.loads(done)["jobs"]

    def stop(self):
        self.process.terminate()

    def wait(self):
        self.process.wait(10)
        self.log.close()


class Fleet:
    def __init__(self, lab, knot, shared, count=HOSTS):
        self.hosts = [Host(lab, i, knot, shared(i) if callable(shared) else shared) for i in range(count)]
        wait_for(lambda: all("event=ready" in host.said() for host in self.hosts), 60)

    def stop(self):
        for host in self.hosts:
            host.stop()
        for host in self.hosts:
            host.wait()


def in_threads(hosts, work):
    threads = [threading.Thread(target=lambda part=hosts[i::4]: [work(host) for host in part]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def shared_lines(port, key):
    return f"[shared]\nservers = 127.0.0.1:{port}\nkey = {key}\nhead_start = 1s\ntimeout = 5s\n"


def flush(tap):
    with Lab() as lab:
        knot, store, key = CountingKnot(lab, zone(3600, 1)), Store(lab), make_key(lab)
        road = Road(store.port)
        fleet = Fleet(lab, knot, lambda i: shared_lines(road.port if i == HOSTS - 1 else store.port, key))
        began = time.monotonic()
        for name in range(NAMES):  # one host first, so that the others find it
            fleet.hosts[0].ask(f"s{name}.mesh")
        in_threads(fleet.hosts, lambda host: [host.ask(f"s{name}.mesh") for name in range(NAMES)])
        tap.equal(f"{HOSTS} hosts with {NAMES} names ask DNS once a name", knot.count(), NAMES)
        tap.check("... in some seconds", time.monotonic() - began < 60)
        away = fleet.hosts[-1]
        road.close()
        wait_for(lambda: "is not reached" in away.said())
        knot.change(zone(3600, 2))
        before = knot.count()
        done = subprocess.run([os.path.join(BUILDDIR, "srvmesh"), "cache", "flush", "--all", "--everywhere"], check=False,
                              env=dict(os.environ, SRVMESH_CONF=fleet.hosts[0].conf), capture_output=True, text=True)
        flushed = time.monotonic()
        tap.equal("the flush is told to all", done.returncode, 0)
        time.sleep(3 - (time.monotonic() - flushed))
        stale, jobs = [], sum(host.jobs() for host in fleet.hosts[:-1])

        def look(host):
            stale.extend((host.directory, name) for name in range(NAMES) if host.ask(f"s{name}.mesh") != f"127.0.2.{name}")

        in_threads(fleet.hosts[:-1], look)
        tap.equal("after 3 s no host gives a value from before", stale, [])
        tap.equal("... since each has renewed all by then", sum(host.jobs() for host in fleet.hosts[:-1]), jobs)
        when = sorted(float(second) for host in fleet.hosts[1:-1] for second in re.findall(r":(\d\d\.\d+)Z .*event=flushed", host.said()))
        when = when if when[-1] - when[0] < 30 else sorted(second % 60 if second > 30 else second + 60 for second in when)
        tap.check("... at random moments of two seconds", 1 < when[-1] - when[0] < 2.5, when[0], when[-1])
        heard = [host for host in fleet.hosts[1:-1] if "flushed by another host" in host.said()]
        tap.equal("... since each has heard of it", len(heard), HOSTS - 2)
        asked = knot.count() - before
        tap.check(f"DNS saw at most {NAMES} questions and a tenth", asked <= NAMES * 1.1, asked)
        tap.equal("a host that was cut off still gives what it had", away.ask("s0.mesh"), "127.0.1.0")
        with open(away.conf, encoding="utf-8") as file:
            text = file.read()
        with open(away.conf, "w", encoding="utf-8") as file:
            file.write(text.replace(f":{road.port}", f":{store.port}"))
        wait_for(lambda: "is reached" in away.said().split("is not reached")[-1])
        time.sleep(3)
        stale.clear()
        look(away)
        tap.equal("... and 3 s after it is back none of it", stale, [])
        in_threads(fleet.hosts, look)
        tap.equal("no host gives it some seconds later", stale, [])
        tap.check("... and DNS saw no more", knot.count() - before <= NAMES * 1.1, knot.count() - before)
        fleet.stop()
        store.client.close()


def play(scenario, **numbers):
    """Questions a second, the peak, and how many for each name and TTL."""
    words = [word for key, value in numbers.items() for word in (f"--{key}", str(value))]
    done = subprocess.run([FLEET, *words, scenario], stdout=subprocess.PIPE, text=True, check=True).stdout
    row = next(line.split("\t") for line in done.splitlines() if line.startswith(f"{scenario}\tall"))
    return [float(number) for number in row[2:5]]


def model(scenario, ttl, seconds, begin):
    return play(scenario, hosts=HOSTS, names=NAMES, ttl=ttl, seconds=seconds, gap=1000, dns=2, store=300, **{"from": begin})[0]


def bounds(tap):
    """In a fifth of an hour with a tenth of the hosts; ./dev bench fleet plays the whole."""
    mean, peak, share = play("shared", hosts=1000, seconds=720)
    tap.check("a fleet with a store asks at most 1.5 questions for each name and TTL", share <= 1.5, share)
    tap.check("... and its peak is at most three times its mean", peak <= 3 * mean, peak, mean)


def measure(shared, ttl, seconds, begin):
    """Every host asks for every name once a second. Questions a second from `begin` on."""
    with Lab() as lab:
        knot, store, key = CountingKnot(lab, zone(ttl, 1)), Store(lab), make_key(lab)
        fleet = Fleet(lab, knot, shared_lines(store.port, key) if shared else "")
        began, counted = time.monotonic(), {}

        def use(part):
            for i in range(seconds * len(part)):
                delay = began + i / len(part) - time.monotonic()
                if delay > 0:
                    time.sleep(delay)
                host = part[i % len(part)]
                for name in range(NAMES):
                    host.ask(f"s{name}.mesh")

        def watch():
            for second in (begin, seconds):
                time.sleep(max(0, began + second - time.monotonic()))
                counted[second] = (knot.count(), time.monotonic())

        threads = [threading.Thread(target=use, args=(fleet.hosts[i::4],)) for i in range(4)] + [threading.Thread(target=watch)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        fleet.stop()
        store.client.close()
        (first, since), (last, until) = counted[begin], counted[seconds]
        return (last - first) / (until - since)


def compare(tap):
    for scenario, shared in (("alone-cold", False), ("shared-cold", True)):
        ttl, seconds, begin = 6, 24, 5
        real, modelled = measure(shared, ttl, seconds, begin), model(scenario, ttl, seconds, begin)
        print(f"# {scenario}: {real:.2f} questions a second, the model says {modelled:.2f}")
        tap.check(f"{scenario}: {HOSTS} srvmeshds ask as often as the model says, within a tenth",
                  abs(real - modelled) <= 0.1 * modelled, real, modelled)


if __name__ == "__main__":
    tap_ = Tap()
    for each in (flush, compare, bounds):
        if not sys.argv[1:] or each.__name__ in sys.argv[1:]:
            each(tap_)
    tap_.finish()
