# SPDX-License-Identifier: LGPL-2.1-or-later
"""The health of targets: real listeners, a real MariaDB, real curl, and addresses that say nothing, in a network of its own.
Every packet that opens a connection is counted where it leaves the host.

With SRVMESH_LONG=yes a local user tries for ten minutes to make a living target look dead; else for a moment."""
import collections
import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, PROBE, Daemon, Knot, Lab, Tap, as_user, can_be_others, follows, in_namespaces, need  # noqa: E402
from scripted_server import Server  # noqa: E402

PORT = 8080
TCP_DEFER_ACCEPT, TCP_FASTOPEN, SO_TIMESTAMPNS = 9, 23, 35
IS_LONG = os.environ.get("SRVMESH_LONG") == "yes"


def ip(*lines):
    for line in lines:
        subprocess.run([need("ip"), *line.split()], check=True)


# ---- the network: 10.9.0.0/16 lies behind a cable whose other end hears nothing

def lay_cable():
    ip("link add host0 type veth peer name peer0", "link set host0 up", "link set peer0 up", "address add 10.9.0.1/16 dev host0")


def make_silent(*addresses):
    """The neighbour has an address that no card has: what is sent there is lost, without an error."""
    for address in addresses:
        ip(f"neigh replace {address} lladdr 02:00:00:00:00:02 dev host0 nud permanent")


class Capture:
    """The first packets of connections, as they leave: (time, source port, destination, destination port)."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.boot = time.time() - time.monotonic()
        self.syns = []
        self.is_open = True
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while self.is_open:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            packet, ancillary, _, address = self.socket.recvmsg(256, 64)
            if address[2] == socket.PACKET_OUTGOING:
                seconds, ns = struct.unpack("qq", ancillary[0][2])  # the kernel's own time
                self.take(packet, seconds + ns / 1e9 - self.boot)

    def take(self, packet, when):
        if packet[0] >> 4 == 4 and packet[9] == 6:
            tcp, to = packet[(packet[0] & 15) * 4:], socket.inet_ntop(socket.AF_INET, packet[16:20])
        elif packet[0] >> 4 == 6 and packet[6] == 6:
            tcp, to = packet[40:], socket.inet_ntop(socket.AF_INET6, packet[24:40])
        else:
            return
        source, port = struct.unpack_from(">HH", tcp)
        if tcp[13] & 0x12 == 2:
            self.syns.append((when, source, to, port))

    def to(self, *addresses, port=None, since=0.0, until=float("inf")):
        return [syn for syn in self.syns if syn[2] in addresses and port in (None, syn[3]) and since <= syn[0] < until]

    def stop(self):
        self.is_open = False
        self.thread.join()
        self.socket.close()


class Listener:
    """A server that logs each time its accept() is woken."""

    def __init__(self, address, port=PORT, accepts=True, backlog=64, answer=b"", **options):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option, value in options.items():
            self.socket.setsockopt(socket.IPPROTO_TCP, globals()[option], value)
        self.socket.bind((address, port))
        self.socket.listen(backlog)
        self.n_woken, self.clients, self.answer = 0, [], answer
        self.is_open = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        if accepts:
            self.thread.start()

    def serve(self):
        while self.is_open:
            if select.select([self.socket], [], [], 0.1)[0]:
                self.n_woken += 1
                with contextlib.suppress(OSError):
                    self.clients.append(self.socket.accept()[0])
                    if self.answer:
                        self.clients[-1].recv(4096)
                        self.clients[-1].sendall(self.answer)
                        self.clients.pop().close()

    def stop(self):
        self.is_open = False
        if self.thread.is_alive():
            self.thread.join()
        for client in [self.socket, *self.clients]:
            client.close()


@contextlib.contextmanager
def listening(*addresses, **options):
    listeners = [Listener(address, **options) for address in addresses]
    yield listeners
    for listener in listeners:
        listener.stop()


@contextlib.contextmanager
def connecting(address, port=PORT, user=False):
    """A connection that a program tries to make; `user`: one of another user."""
    if user:
        script = "import socket,sys,time;s=socket.socket();s.setblocking(False);s.connect_ex((sys.argv[1],int(sys.argv[2])));time.sleep(60)"
        with subprocess.Popen([*as_user(), sys.executable, "-c", script, address, str(port)]) as process:
            yield process
            process.kill()
        return
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex((address, port))
        yield client


# ---- names

def srv(service, *targets):
    """Targets are "ADDRESS[:PORT] [PRIORITY [WEIGHT]]"."""
    lines = []
    for words in (target.split() for target in targets):
        address, _, port = words[0].partition("@")
        priority, weight = words[1] if len(words) > 1 else 0, words[2] if len(words) > 2 else 1
        host = "h" + address.replace(".", "-").replace(":", "-")
        lines.append(f"_{service}._tcp.mesh. 600 SRV {priority} {weight} {port or PORT} {host}.mesh.")
        lines.append(f"{host}.mesh. 600 {'AAAA' if ':' in address else 'A'} {address}")
    return "\n".join(lines)


def hurry(daemon):
    """What the machine does besides must not count: srvmeshd runs before all others."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(daemon.process.pid, os.SCHED_RR, os.sched_param(1))


@contextlib.contextmanager
def mesh(zone, keys, more="daemon log_level = debug", family="ipv4"):
    """A lab with srvmeshd and these names."""
    server = Server()
    for line in dict.fromkeys(zone.splitlines()):
        server.add(line)
    server.start()
    with Lab() as lab:
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = {family}\ndeadline = 10s\n{keys}\n", more)
        hurry(daemon)
        yield lab, daemon
    server.stop()


def table(lab):
    """srvmesh health: {endpoint: (state, the rest of the line)}."""
    code, output, errors = lab.run(os.path.join(BUILDDIR, "srvmesh"), "health")
    rows = (line.split(None, 2) for line in output.splitlines()[1:])
    return {row[0]: (row[1], row[2]) for row in rows} if code == 0 else {"": (errors, "")}


def wait_for(condition, seconds):
    """When it came true, or None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return time.monotonic()
        time.sleep(0.02)
    return None


def is_in(daemon, event, endpoint, why=""):
    return any(f'event="{event}"' in line and endpoint in line and why in line for line in daemon.log().splitlines())


def is_down(daemon, endpoint, why=""):
    return is_in(daemon, "a target is down", endpoint, why)


def drawn(lab, name="api.mesh", n=300):
    return set(lab.draws(n, name))


# ---- one silent target of three

CURL = "curl -s -o /dev/null -w '%{http_code}\\n' --connect-timeout 20 http://api.mesh:8080/"


def connected(lab):
    """How many of 200 runs of curl connect."""
    return lab.host("sh", "-c", f"for i in $(seq 200); do {CURL}; done", timeout=120)[1].split().count("200")


HTTP = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"


def one_silent_of_three(tap, capture):
    make_silent("10.9.1.3")
    zone = srv("api", "127.0.1.1", "127.0.1.2", "10.9.1.3")
    with listening("127.0.1.1", "127.0.1.2", answer=HTTP), \
            mesh(zone, "health = lazy\nanswers = one\nhealth_interval = 1m") as (lab, daemon):
        thread = threading.Thread(target=lab.host, args=("sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9; do {CURL} & done; wait"))
        thread.start()
        first = wait_for(lambda: capture.to("10.9.1.3"), 10)
        if first is None:
            tap.check("a first program meets it", False, lab.draws(100, "api.mesh"))
            return
        first = capture.to("10.9.1.3")[0][0]
        tap.check("a target that says nothing is down", wait_for(lambda: is_down(daemon, "10.9.1.3:8080", "no answer twice"), 10))
        tap.check("three seconds after the first program met it", time.monotonic() - first < 4, time.monotonic() - first)
        time.sleep(max(0, first + 4 - time.monotonic()))
        known = {syn[1] for syn in capture.to("10.9.1.3")}
        began = time.monotonic()
        tap.equal("200 runs of curl from then on: all connect", connected(lab), 200)
        late = {syn[1] for syn in capture.to("10.9.1.3", since=began)} - known
        tap.equal("and none to the silent target", late, set())
        rows = table(lab)
        tap.equal("srvmesh health has its state", rows.get("10.9.1.3:8080", ("",))[0], "down")
        tap.check("and why, and whose it is", re.search(r"no answer twice +\d+ s +api\.mesh$", rows["10.9.1.3:8080"][1]), rows)
        tap.equal("the others are up", {rows[f"127.0.1.{i}:8080"][0] for i in (1, 2)}, {"up"})
        thread.join()


# ---- signals

def stuck_connections(tap, capture):
    """What other users do raises doubts, and no more."""
    make_silent("10.9.2.2")
    with listening("127.0.2.1"), mesh(srv("api", "127.0.2.1", "10.9.2.2"), "health = lazy\nhealth_interval = 1m") as (lab, daemon):
        lab.draws(1, "api.mesh")
        with connecting("10.9.2.2", user=can_be_others()):
            stuck = wait_for(lambda: capture.to("10.9.2.2"), 10)
            own = capture.to("10.9.2.2")[0][1] if stuck else 0
            wait_for(lambda: any(syn[1] != own for syn in capture.to("10.9.2.2")), 10)
            probes = [syn for syn in capture.to("10.9.2.2") if syn[1] != own]
            whose = "another user's" if can_be_others() else "a"
            tap.check(f"{whose} connection that gets no answer: a probe within two seconds",
                      probes and probes[0][0] - capture.to("10.9.2.2")[0][0] < 2.2, capture.to("10.9.2.2"))
            tap.check("not down yet", not is_down(daemon, "10.9.2.2:8080"), daemon.log())
            tap.check("down when that failed, too", wait_for(lambda: is_down(daemon, "10.9.2.2:8080"), 10), daemon.log())
            tap.check("a probe is two SYNs from two sockets",
                      len({syn[1] for syn in capture.to("10.9.2.2") if syn[1] != own}) == 2, capture.to("10.9.2.2"))


def lying_user(tap):
    """Sockets that a server drops: they look like those of a dead one."""
    script = """
import socket, struct, sys, time
def opened(option, value):
    s = socket.socket()
    s.setblocking(False)
    s.setsockopt(*option, value)
    s.connect_ex((sys.argv[1], 8080))
    return s
md5 = struct.pack("=HH4s120xHHI80s", 2, 0, socket.inet_aton(sys.argv[1]), 0, 3, 0, b"key".ljust(80, b"\\0"))
kept = []
for i in range(int(sys.argv[2])):
    for option, value in (((6, 14), md5), ((1, 25), b"host0\\0")):
        try:
            kept.append(opened(option, value))
        except OSError as error:
            print(option, error)
    kept = kept[-20:]
    time.sleep(1)
"""
    seconds = 600 if IS_LONG else 12
    with listening("127.0.3.1", "127.0.3.2"), \
            mesh(srv("api", "127.0.3.1", "127.0.3.2"), "health = lazy\nhealth_fall = 1\nhealth_interval = 2s") as (lab, daemon):
        lab.draws(1, "api.mesh")
        user = as_user() if can_be_others() else []
        subprocess.run([*user, sys.executable, "-c", script, "127.0.3.1", str(seconds)], check=True)
        doubts = daemon.log().count('event="a target is in doubt"')
        tap.check("a user's odd sockets raise doubts about a living target", doubts >= 3, daemon.log())
        tap.check("which is never down", "a target is down" not in daemon.log(), daemon.log())


def full_backlog(tap):
    with listening("127.0.4.1"), \
            mesh(srv("api", "127.0.4.1", "127.0.4.2"), "health = lazy\nhealth_interval = 1m") as (lab, daemon):
        stuck = Listener("127.0.4.2", accepts=False, backlog=0)
        old = socket.create_connection(("127.0.4.2", PORT))
        served = stuck.socket.accept()[0]
        lab.draws(1, "api.mesh")
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connecting("127.0.4.2"))
            tap.check("a server that accepts no more is down, beside an old connection that works",
                      wait_for(lambda: is_down(daemon, "127.0.4.2:8080"), 10), daemon.log())
            old.sendall(b"x")
            tap.equal("which still does", served.recv(1), b"x")
        for one in (old, served):
            one.close()
        stuck.stop()


# ---- refusals, recovery, the end of marks

def refusing(tap):
    keys = "answers = one\nhealth_interval = 3s\nhealth = "
    zone = srv("api", "127.0.5.1", "127.0.5.2")
    with listening("127.0.5.1", answer=HTTP), mesh(zone, keys + "tcp") as (lab, daemon), mesh(zone, keys + "lazy") as (lazy, quiet):
        other = Listener("127.0.5.2")
        lab.draws(1, "api.mesh")
        lazy.draws(1, "api.mesh")
        time.sleep(3.5)  # every target was probed once
        other.stop()
        began = time.monotonic()
        when = wait_for(lambda: is_down(daemon, "127.0.5.2:8080", "why=refused"), 20)
        tap.check("tcp: a target that refuses is down within the interval and a second for each failure",
                  when and when - began < 3 + 2 + 0.5, when and when - began, daemon.log())
        tap.check("programs avoid it", wait_for(lambda: drawn(lab) == {"127.0.5.1"}, 5), drawn(lab))
        tap.equal("200 runs of curl: all connect", connected(lab), 200)
        n = connected(lazy)
        tap.check("lazy: of 200 runs those connect that draw the other", 60 < n < 140, n)
        tap.equal("refusals are too short to be seen, and it keeps its share", drawn(lazy), {"127.0.5.1", "127.0.5.2"})
        tap.check("nobody says otherwise", "target is" not in quiet.log(), quiet.log())
        time.sleep(3)  # by now the pause has doubled
        with listening("127.0.5.2"):
            began = time.monotonic()
            when = wait_for(lambda: is_in(daemon, "a target is up again", "127.0.5.2:8080", "why=answers"), 40)
            # the pause was 3 s, then 6 s, then 12 s
            tap.check("it is up again within two intervals of probes of its return", when and when - began < 24,
                      when and when - began)
            tap.check("and used", wait_for(lambda: drawn(lab) == {"127.0.5.1", "127.0.5.2"}, 5), drawn(lab))


def ends_by_itself(tap):
    make_silent("10.9.6.2")
    with listening("127.0.6.1"), mesh(srv("api", "127.0.6.1", "10.9.6.2"), "health = lazy\nhealth_interval = 1s\nanswers = one") as (lab, daemon):
        lab.draws(1, "api.mesh")
        with connecting("10.9.6.2"):
            wait_for(lambda: is_down(daemon, "10.9.6.2:8080"), 10)
        tap.check("a target is down", wait_for(lambda: drawn(lab) == {"127.0.6.1"}, 5), daemon.log())
        time.sleep(8)
        tap.equal("as long as srvmeshd confirms it", drawn(lab), {"127.0.6.1"})
        pod = lab.run("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$0" draws 300 api.mesh', PROBE)[1]
        tap.equal("for a container with a network of its own, too", {line.split()[0] for line in pod.splitlines()}, {"127.0.6.1"})
        daemon.stop()
        daemon.start()
        tap.check("a restart does not forget it", wait_for(lambda: is_down(daemon, "10.9.6.2:8080", "from before the start"), 5), daemon.log())
        time.sleep(9)
        tap.equal("nor do programs, when what was said before it is long over", drawn(lab), {"127.0.6.1"})
        next_probe = int(re.search(r"(\d+) s +api\.mesh", table(lab)["10.9.6.2:8080"][1]).group(1))
        daemon.kill()
        tap.equal("srvmeshd killed: for a moment the mark holds", drawn(lab), {"127.0.6.1"})
        # health_timeout and 5 s after the next probe; the table is up to a second old, and cuts fractions
        tap.check("and ends by itself", wait_for(lambda: drawn(lab) == {"127.0.6.1", "10.9.6.2"}, next_probe + 1 + 5 + 2),
                  drawn(lab), next_probe)


# ---- shares

def shares(tap):
    dead = [f"10.9.7.{i}" for i in range(1, 9)]
    make_silent(*dead)
    zone = "\n".join((srv("share", "10.9.7.1 0 90", "127.0.7.1 0 10"), srv("all", "10.9.7.1", "10.9.7.2"),
                      srv("panic", "10.9.7.1", "10.9.7.2", "10.9.7.3", "127.0.7.1", "127.0.7.2"),
                      srv("next", "10.9.7.1 1", "10.9.7.2 1", "127.0.7.1 2"),
                      srv("both", "10.9.7.1 1", "10.9.7.2 1", "10.9.7.3 1", "127.0.7.1 1", "127.0.7.2 2")))
    names = ("share", "all", "panic", "next", "both")
    with listening("127.0.7.1", "127.0.7.2"), mesh(zone, "health = lazy\nanswers = one\nhealth_interval = 1m") as (lab, daemon):
        for name in names:
            lab.draws(1, f"{name}.mesh")
        with contextlib.ExitStack() as stack:
            for address in dead[:3]:
                stack.enter_context(connecting(address))
            wait_for(lambda: all(is_down(daemon, f"{address}:8080") for address in dead[:3]), 10)
        time.sleep(0.5)
        expected = {"share": {"127.0.7.1"}, "all": {"10.9.7.1", "10.9.7.2"},
                    "panic": {"10.9.7.1", "10.9.7.2", "10.9.7.3", "127.0.7.1", "127.0.7.2"}, "next": {"127.0.7.1"},
                    "both": {"127.0.7.2"}}
        sentences = ("weights 90 to 10, the ninety dead: all to the ten", "all down: fail open", "three of five down: panic",
                     "all of a priority down: the next one", "one of four up: the next priority is better than panic")
        for name, sentence in zip(names, sentences):
            tap.equal(sentence, drawn(lab, f"{name}.mesh"), expected[name])


# ---- a kind neighbour: in the background for a minute, all at once

def many_accepts(n):
    """Listeners of both families and of several kinds: {sentence: [listener]}."""
    ip(*(f"address add fd00:8::{i} dev lo nodad" for i in range(1, n + 1)))
    kinds = {"IPv4": [Listener(f"127.0.8.{i}") for i in range(1, n + 1)],
             "IPv6": [Listener(f"fd00:8::{i}") for i in range(1, n + 1)],
             "TCP_DEFER_ACCEPT": [Listener(f"127.0.9.{i}", TCP_DEFER_ACCEPT=3) for i in range(1, n + 1)],
             "TCP_FASTOPEN": [Listener(f"127.0.10.{i}", TCP_FASTOPEN=16) for i in range(1, n + 1)]}
    return kinds


def with_cookies(mode):
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w", encoding="ascii") as file:
        file.write(mode)


def kind_neighbour(tap, capture, meanwhile):
    """1,000 probes under load, and a host on which nothing is wrong; `meanwhile` is played beside them."""
    n = 5
    kinds = many_accepts(n)
    endpoints = [listener.socket.getsockname()[0] for listeners in kinds.values() for listener in listeners]
    quiet = ["127.0.11.1", "127.0.11.2"]
    load = "\n".join(srv(f"load{i}", "127.0.8.1", "127.0.8.2") for i in range(200))
    with listening(*quiet), \
            mesh(srv("quiet", *quiet), "health = lazy") as (still, _), \
            mesh(srv("api", *endpoints) + "\n" + load, "health = tcp\nhealth_interval = 1s\nmax_ttl = 1s\nstale = 0",
                 "daemon log_level = info", family="any") as (lab, daemon):
        in_use = [socket.create_connection((address, PORT)) for address in quiet]
        still.draws(300, "quiet.mesh")
        began = time.monotonic()
        lab.probe("gai", "unspec", "api.mesh")
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                lab.probe("series", 200, "load", ".mesh")

        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        with_cookies("2")
        meanwhile()
        wait_for(lambda: len(capture.to(*endpoints, since=began)) >= 1000, 90)
        time.sleep(max(0, began + 60 - time.monotonic()))
        ended = time.monotonic()
        stop.set()
        for thread in threads:
            thread.join()
        probes = capture.to(*endpoints, since=began, until=ended)
        tap.check("a thousand probes, srvmeshd under load", len(probes) >= 1000 and daemon.status()["jobs"] > 1000, len(probes),
                  daemon.status())
        for kind, listeners in kinds.items():
            tap.equal(f"no accept() was woken: {kind}", [listener.n_woken for listener in listeners], [0] * n)
        second = collections.Counter(int(syn[0] - began) for syn in probes)
        tap.check("never more than 20 in a second", max(second.values()) <= 21, second)
        tap.equal("all are up", {row[0] for row in table(lab).values()}, {"up"})
        others = [syn for syn in capture.to(*quiet, since=began, until=ended)]
        tap.equal("lazy, everything up and in use: not a packet in a minute", others, [])
        tap.check("for which it is watched", set(table(still)) == {f"{address}:8080" for address in quiet}, table(still))
        with_cookies("1")
        for one in in_use:
            one.close()
    for listeners in kinds.values():
        for listener in listeners:
            listener.stop()


# ---- MariaDB

class MariaDB:
    def __init__(self, lab, address):
        self.address = address
        data = os.path.join(lab.path, "data")
        arguments = ["--no-defaults", f"--datadir={data}", "--user=root"]
        subprocess.run([need("mariadb-install-db"), *arguments, "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = lab.start(need("mariadbd"), *arguments, f"--socket={lab.path}/sock", "--port=3306", f"--bind-address={address}",
                                 "--skip-grant-tables", "--max_connect_errors=2", "--innodb-buffer-pool-size=8M")
        self.lab = lab

    def greeting(self):
        """What it says first: "welcome", or the error number."""
        with socket.create_connection((self.address, 3306), timeout=10) as client:
            packet = client.recv(512)
        return struct.unpack_from("<H", packet, 5)[0] if packet[4] == 0xff else "welcome"

    def is_there(self):
        with contextlib.suppress(OSError):
            return self.greeting()
        return None

    def flush(self):
        return self.lab.run(need("mariadb"), "--no-defaults", f"--socket={self.lab.path}/sock", "-e", "FLUSH HOSTS")


def mariadb(tap, capture):
    ip("address add 10.9.12.1/32 dev lo")
    with mesh(srv("db", "10.9.12.1@3306", "127.0.12.2@3306"), "health = tcp\nhealth_interval = 1s") as (lab, _):
        hosts = lab.file("hosts", "127.0.0.1 localhost\n10.9.12.1 client.example\n")  # it counts errors of hosts with a name
        subprocess.run([need("mount"), "--bind", hosts, "/etc/hosts"], check=True)
        database = MariaDB(lab, "10.9.12.1")
        wait_for(database.is_there, 30)
        database.flush()
        began = time.monotonic()
        lab.draws(1, "db.mesh")

        def judge():
            probes = capture.to("10.9.12.1", port=3306, since=began)
            tap.check("MariaDB with max_connect_errors = 2: after 100 probes", len(probes) >= 100, len(probes))
            tap.equal("this host is welcome", database.greeting(), "welcome")
            for _ in range(4):
                with socket.create_connection(("10.9.12.1", 3306)):
                    pass
                time.sleep(0.05)
            tap.equal("a few plain connections that are closed would have locked it out", database.greeting(), 1129)
        yield judge


# ---- many names, many endpoints

def two_hundred_names(tap, capture):
    zone = "\n".join(srv(f"n{i}", "127.0.13.1", "127.0.13.2") for i in range(200))
    with listening("127.0.13.1", "127.0.13.2"), mesh(zone, "health = tcp\nhealth_interval = 2s") as (lab, _):
        lab.probe("series", 200, "n", ".mesh")
        began = time.monotonic()
        time.sleep(8)
        for address in ("127.0.13.1", "127.0.13.2"):
            n = len(capture.to(address, since=began, until=began + 8))
            tap.check("200 names on one endpoint: one probe an interval", 3 <= n <= 6, n)
        tap.check("srvmesh health counts the names", all(row[1].endswith(" and 199 more") for row in table(lab).values()), table(lab))


def many_down(tap, capture):
    """250 hosts with four ports each."""
    hosts = [f"10.9.14.{i}" for i in range(1, 251)]
    make_silent(*hosts)
    zone = "\n".join(srv(f"port{port}", *(f"{host}@{port}" for host in hosts)) for port in (1, 2, 3, 4))
    with mesh(zone, "health = tcp\nhealth_fall = 1\nhealth_interval = 1s\nhealth_timeout = 400ms",
              "daemon log_level = info") as (lab, daemon):
        for port in (1, 2, 3, 4):
            lab.draws(1, f"port{port}.mesh")
        wait_for(lambda: daemon.log().count("a target is down") >= 50, 30)
        began = time.monotonic()
        time.sleep(20)
        probes, last = [], {}
        for when, _, to, port in capture.to(*hosts, since=began - 1, until=began + 20):
            if when - last.get((to, port), 0) > 0.6:  # the second SYN of a probe comes 300 ms after the first
                last[(to, port)] = when
                if when >= began:
                    probes.append(when - began)
        seconds = collections.Counter(int(when) for when in probes)
        tap.check("1,000 endpoints that are silent: at most 20 probes in a second", max(seconds.values()) <= 21, seconds)
        mean = len(probes) / 20
        chi = sum((seconds[i] - mean) ** 2 / mean for i in range(20))
        tap.check("spread evenly", mean > 10 and chi < 43.8, mean, chi)  # p = 0.001 at 19 degrees of freedom
        tap.check("and 1,000 are watched", len(table(lab)) == 1000, len(table(lab)))


def reach_all_names(tap, n, seconds):
    """A change reaches every name of an endpoint."""
    make_silent("10.9.15.2")
    lines = ["dead A 10.9.15.2", "live A 127.0.15.1"]
    for i in range(n):
        lines += [f"_n{i}._tcp SRV 0 1 8080 dead", f"_n{i}._tcp SRV 0 1 8080 live"]
    with Lab() as lab, listening("127.0.15.1"):
        knot = Knot(lab, "\n".join(lines) + "\n")
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\nhealth = lazy\nhealth_interval = 1m\n"
                             "answers = one\nmin_ttl = 10m\n", "daemon quota = 100%\ndaemon log_level = debug")
        hurry(daemon)
        tap.equal(f"{n} names", lab.probe("series", n, "n", ".mesh", timeout=120), str(n))
        tap.equal("are kept", daemon.status()["entries"], n)
        with connecting("10.9.15.2"):
            wait_for(lambda: is_down(daemon, "10.9.15.2:8080"), 10)
        wait_for(lambda: "marks are written" in daemon.log(), 20)
        took = [float(line.rsplit("ms=", 1)[1]) for line in daemon.log().splitlines() if "marks are written" in line and f"records={n} " in line]
        tap.check(f"a change reaches {n} names within {seconds} s", took and took[0] <= seconds * 1000, took, daemon.log()[-2000:])
        tap.equal("also the last", drawn(lab, f"n{n - 1}.mesh"), {"127.0.15.1"})


def main():
    in_namespaces()
    lay_cable()
    tap = Tap()
    capture = Capture()
    database = mariadb(tap, capture)
    judge = next(database)

    def meanwhile():
        one_silent_of_three(tap, capture)
        stuck_connections(tap, capture)
        lying_user(tap)
        full_backlog(tap)

    kind_neighbour(tap, capture, meanwhile)
    refusing(tap)
    ends_by_itself(tap)
    shares(tap)
    two_hundred_names(tap, capture)
    many_down(tap, capture)
    reach_all_names(tap, 1000, 0.1)
    reach_all_names(tap, 30000, 2)
    judge()
    next(database, None)
    capture.stop()
    tap.finish()


if __name__ == "__main__":
    main()
