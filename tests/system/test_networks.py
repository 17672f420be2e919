# SPDX-License-Identifier: LGPL-2.1-or-later
"""Weights that survive getaddrinfo, on real networks: a network namespace with a veth pair and a peer behind it.

    test_networks.py            the test
    test_networks.py RUNS [MANNER...]
                                the measurement: how many of RUNS curl runs connect when one target of three is dead, as a
                                table (that of docs/weights.md was made with 1000); a manner is a value of `answers`, or
                                `health`, with answers = one
"""
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, NO_NAMESPACES, Daemon, Lab, Tap, follows, has_user_namespaces, need  # noqa: E402
from scripted_server import Server  # noqa: E402

WEIGHTS = (60, 30, 10)
UNREACHABLE = 1 << 60  # in a rank

# name: the addresses of the targets a, b, c
NETWORKS = {
    "same24": (["10.1.0.10"], ["10.1.0.77"], ["10.1.0.200"]),
    "other24": (["10.2.0.5"], ["10.2.0.66"], ["10.2.0.130"]),
    "same64": (["fd00:1::10"], ["fd00:1::7:7"], ["fd00:1::beef:0:1"]),
    "other64": (["fd00:2::10"], ["fd00:2:0:7::7"], ["fd00:2:0:beef::1"]),
    "dual": (["10.1.0.10", "fd00:1::10"], ["10.1.0.77", "fd00:1::7:7"], ["10.1.0.200", "fd00:1::beef:0:1"]),
    "mixed": (["10.1.0.10"], ["fd00:1::7:7"], ["10.2.0.130", "fd00:2:0:beef::1"]),
}
# addresses for tests of the order only: no host has them
ODD = {
    "unroutable": (["fd00:9::1"], ["10.1.0.77"], ["10.2.0.130"]),
    "loopback": (["127.0.0.5"], ["10.1.0.77"], ["::1"]),
    "linklocal": (["fe80::5"], ["169.254.7.7"], ["10.1.0.200"]),
    "mapped": (["::ffff:10.1.0.10"], ["10.1.0.77"], ["fd00:1::7"]),
}

POOL = sorted({a for targets in {**NETWORKS, **ODD}.values() for target in targets for a in target} | {
    "192.0.2.1", "10.1.0.1", "10.1.0.254", "2002:a01:1::1", "2001::1", "fec0::1", "fd00:1::1", "::1", "2001:db8::1"})

# serves one line by HTTP on the following addresses; "silent:ADDRESS" listens, but no longer answers a SYN
PEER = r"""
import socket, sys, threading
def serve(address, port):
    listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=512)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            except OSError:
                pass
kept = []
for word in sys.argv[1:]:
    if word.startswith("silent:"):
        address = word[7:]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, 8080), family=family, backlog=0)
        kept.append(listener)
        for _ in range(4):
            filler = socket.socket(family)
            filler.setblocking(False)
            filler.connect_ex((address, 8080))
            kept.append(filler)
    else:
        threading.Thread(target=serve, args=(word, 8080), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


def enter():
    """Enters our own network and mount namespace; returns only inside."""
    if os.environ.get("NETWORKS_INSIDE") != "yes":
        os.environ["NETWORKS_INSIDE"] = "yes"
        words = [need("unshare"), "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
        if os.geteuid() != 0 and not has_user_namespaces():
            print("1..0 # SKIP " + NO_NAMESPACES)
            sys.exit(0)
        os.execv(words[0], words + [sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:]])


def ip(*words, pid=None):
    inside = [need("nsenter"), f"--net=/proc/{pid}/ns/net"] if pid else []
    subprocess.run([*inside, need("ip"), *words], check=True)


def lay_cables(lab):
    """Connects host0 (10.1.0.1/24, fd00:1::1/64) to a peer that has all targets' addresses and all other networks."""
    peer = lab.start(need("unshare"), "--net", "sleep", "3600")
    own = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{peer.pid}/ns/net") == own:
        time.sleep(0.01)
    pid = str(peer.pid)
    ip("link", "set", "lo", "up")
    ip("link", "add", "host0", "type", "veth", "peer", "name", "peer0", "netns", pid)
    ip("address", "add", "10.1.0.1/24", "dev", "host0")
    ip("-6", "address", "add", "fd00:1::1/64", "dev", "host0", "nodad")
    ip("link", "set", "host0", "up")
    ip("link", "set", "lo", "up", pid=pid)
    ip("link", "set", "peer0", "up", pid=pid)
    ip("address", "add", "10.1.0.254/24", "dev", "peer0", pid=pid)
    ip("-6", "address", "add", "fd00:1::fe/64", "dev", "peer0", "nodad", pid=pid)
    for targets in NETWORKS.values():
        for address in {address for target in targets for address in target}:
            words = ("-6", "address", "replace", f"{address}/128", "dev", "peer0", "nodad") if ":" in address else (
                "address", "replace", f"{address}/32", "dev", "peer0")
            ip(*words, pid=pid)
    ip("route", "add", "default", "via", "10.1.0.254")
    ip("-6", "route", "add", "default", "via", "fd00:1::fe")
    ip("-6", "route", "add", "unreachable", "fd00:9::/64")
    return pid


def serve_names():
    server = Server()
    for name, targets in {**NETWORKS, **ODD}.items():
        for kind, weights in (("", WEIGHTS), ("-even", (1, 1, 1))):
            for letter, weight, addresses in zip("abc", weights, targets):
                server.add(f"_{name}{kind}._tcp.mesh. 600 SRV 0 {weight} 8080 {letter}.{name}.mesh.")
        for letter, addresses in zip("abc", targets):
            for address in addresses:
                server.add(f"{letter}.{name}.mesh. 600 {'AAAA' if ':' in address else 'A'} {address}")
    server.start()
    return server


def configure(lab, server, answers):
    lab.file("srvmesh.conf", f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nanswers = {answers}\nmax_answers = 64\n"
             "timeout = 5s\ndeadline = 20s\n")  # long, so that the load of the machine does not matter


def drawn(lab, name, targets, times):
    """Returns {target: how often it came first}."""
    owners = {address: letter for letter, target in zip("abc", targets) for address in target}
    counts = {}
    for address, count in lab.draws(times, f"{name}.mesh").items():
        counts[owners[address]] = counts.get(owners[address], 0) + count
    return counts


def ranks_of(lab, addresses):
    """{address: (family, rank)}, from tests/ranks."""
    _, output, _ = lab.run(os.path.join(BUILDDIR, "tests", "ranks"), *addresses)
    return {line.split()[0]: tuple(map(int, line.split()[1:])) for line in output.splitlines()}


def shares_of(lab, targets):
    """The shares of the targets of which this host reaches an address; of all, if it reaches none."""
    ranks = ranks_of(lab, {address for target in targets for address in target})
    reached = {letter: weight for letter, weight, target in zip("abc", WEIGHTS, targets)
               if any(not ranks[address][1] & UNREACHABLE for address in target)} or dict(zip("abc", WEIGHTS))
    return {letter: weight / sum(reached.values()) for letter, weight in reached.items()}


def draws(tap, lab, server, network):
    for answers in ("ordered", "one"):
        configure(lab, server, answers)
        for name, targets in {**NETWORKS, **ODD}.items():
            shares = shares_of(lab, targets)
            good, counts = follows(shares, lambda name=name, targets=targets: drawn(lab, name, targets, 10000))
            tap.check(f"{network}, {name}: {answers} draws 10,000 times by the weights 60/30/10 of the reachable", good, counts)
    configure(lab, server, "all")
    for name, targets in {**NETWORKS, **ODD}.items():
        print(f"# {network}, {name}: with all, glibc puts first {drawn(lab, name, targets, 300)} of 300")


def before(a, b):
    """sm_rank_before, for the output of tests/ranks."""
    (a_family, a_rank), (b_family, b_rank) = a, b
    if a_rank >> 8 != b_rank >> 8:
        return a_rank < b_rank
    return a_family == b_family and a_rank < b_rank


def predictions(tap, lab, server, network):
    """Random mixtures of addresses, in random order: of two neighbours glibc never puts the one first that we rank behind.
    Neighbours, because its rules are not transitive where mapped and other addresses mix."""
    configure(lab, server, "all")
    dice = random.Random(6724)
    wrong = []
    for i in range(40):
        chosen = dice.sample(POOL, dice.randrange(2, 9))
        for address in chosen:
            server.add(f"mixture{i}{network.replace(' ', '')}.mesh. 600 {'AAAA' if ':' in address else 'A'} {address}")
        ranks = ranks_of(lab, chosen)
        order = lab.probe("gai", "unspec", f"mixture{i}{network.replace(' ', '')}.mesh").split()
        if sorted(order) != sorted(chosen):
            wrong.append(f"asked {chosen}, got {order}")
            continue
        wrong += [f"{order}: {late} before {early}" for early, late in zip(order, order[1:]) if before(ranks[late], ranks[early])]
    tap.check(f"{network}: glibc sorts 40 random mixtures as our ranks say", not wrong, *wrong)


def pairs(tap, lab, network):
    """Pairs of addresses in both orders, from /etc/hosts: glibc swaps a pair exactly when our ranks say so."""
    dice = random.Random(3484)
    chosen = [dice.sample(POOL, 2) for _ in range(60)]
    lines = [f"{one} pair{i}{kind}.example" for i, pair in enumerate(chosen)
             for kind, order in (("ab", pair), ("ba", pair[::-1])) for one in order]
    lab.file("hosts", "\n".join(lines) + "\n")
    subprocess.run(["mount", "--bind", os.path.join(lab.path, "hosts"), "/etc/hosts"], check=True)
    wrong = []
    for i, (a, b) in enumerate(chosen):
        ranks = ranks_of(lab, (a, b))
        rank_a, rank_b = ranks[a], ranks[b]
        for kind, order in (("ab", [a, b]), ("ba", [b, a])):
            expected = [a, b] if before(rank_a, rank_b) else [b, a] if before(rank_b, rank_a) else order
            got = lab.probe("gai", "unspec", f"pair{i}{kind}.example", PROBE_HOSTS="files").split()
            if got != expected:
                wrong.append(f"{order}: glibc {got}, we {expected}")
    tap.check(f"{network}: of 60 pairs glibc turns around those that our ranks say, and no other", not wrong, *wrong)
    subprocess.run(["umount", "/etc/hosts"], check=True)


def tails(tap, lab, server):
    """The first address is that of the drawn target; the following ones are for failover."""
    configure(lab, server, "ordered")
    lengths = set()
    for _ in range(60):
        lengths.add(len(lab.probe("gai", "unspec", "same24-even.mesh").split()))
    tap.equal("on one subnet the drawn target has a tail of 2, 1 or 0 addresses", lengths, {1, 2, 3})
    lengths = {len(lab.probe("gai", "unspec", "other24-even.mesh").split()) for _ in range(30)}
    tap.equal("on other subnets it has them all", lengths, {3})


MANNERS = ["ordered", "one", "all"]


def run_curls(lab, name, runs, at_once, patience):
    def one(_):
        # curl waits half of its time for the first of several addresses, and half of the rest for the second
        done = subprocess.run([need("curl"), "-s", "-o", "/dev/null", "--connect-timeout", patience, f"http://{name}:8080/"],
                              env=lab.environment(), check=False)
        return done.returncode == 0

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, range(runs)))


def run_with_health(lab, server, name, addresses, way, runs):
    """srvmeshd watches the targets: counts the runs that connect once it has found the dead one."""
    mode = "tcp\nhealth_interval = 1s" if way == "refuses" else "lazy"
    daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = any\nmax_answers = 64\nhealth = {mode}\n"
                         "answers = one\n")
    run_curls(lab, name, 24, 24, "3")
    until = time.monotonic() + 15
    while time.monotonic() < until:
        table = lab.run(os.path.join(BUILDDIR, "srvmesh"), "health")[1]
        if all(any(f"{address}:8080 " in line.replace("[", "").replace("]", "") and " down " in line for line in table.splitlines())
               for address in addresses):
            break
        run_curls(lab, name, 24, 24, "3")
    time.sleep(0.2)
    n = run_curls(lab, name, runs, 24, "20")
    daemon.stop()
    return n


def connections(tap, lab, server, pid, runs, manners):
    """Three targets of equal weight, one of them dead: counts the runs that connect."""
    lab.file("nsswitch.conf", "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return]\n")
    subprocess.run(["mount", "--bind", os.path.join(lab.path, "nsswitch.conf"), "/etc/nsswitch.conf"], check=True)
    if runs:
        print("| network | dead target | " + " | ".join(manners) + " |\n|---|---|" + "---|" * len(manners))
    few = 24
    cases = [(name, way, dead, None) for name in NETWORKS for way in ("refuses", "is silent") for dead in (0, 2)]
    if not runs:
        cases = [("same24", "refuses", 0, True), ("same24", "refuses", 2, False), ("other64", "refuses", 1, True),
                 ("same24", "is silent", 0, True)]
    for name, way, dead, has_tail in cases:
        words = [a for i, target in enumerate(NETWORKS[name]) if i != dead for a in target]
        words += [f"silent:{a}" for a in NETWORKS[name][dead] if way == "is silent"]
        peer = subprocess.Popen([need("nsenter"), f"--net=/proc/{pid}/ns/net", sys.executable, "-c", PEER, *words],
                                stdout=subprocess.PIPE)
        peer.stdout.readline()
        lab.processes.append(peer)
        shares = {}
        for answers in manners:
            if answers == "health":
                shares[answers] = run_with_health(lab, server, f"{name}-even.mesh", NETWORKS[name][dead], way, runs)
                continue
            configure(lab, server, answers)
            shares[answers] = run_curls(lab, f"{name}-even.mesh", runs or few,
                                       200 if runs and way == "is silent" else 24, "20" if runs else "8")
        lab.stop(peer)
        peer.stdout.close()
        if runs:
            print(f"| {name} | {'abc'[dead]} {way} | " + " | ".join(
                f"{100 * shares[a] / runs:.1f} %" for a in shares) + " |", flush=True)
            continue
        case = f"{name}, target {'abc'[dead]} {way}"
        tap.equal(f"{case}: with all, every run connects", shares["all"], few)
        tap.check(f"{case}: with one, runs that draw the dead target fail", few / 6 <= shares["one"] < few, shares)
        if has_tail:
            tap.equal(f"{case}: ordered fails over to a tail", shares["ordered"], few)
        else:
            tap.check(f"{case}: ordered cannot fail over from the last in glibc's order", shares["ordered"] < few, shares)


def main():
    enter()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    tap = Tap()
    with Lab() as lab:
        pid = lay_cables(lab)
        server = serve_names()
        if not runs:
            draws(tap, lab, server, "both families")
            predictions(tap, lab, server, "both families")
            pairs(tap, lab, "both families")
            ip("address", "add", "10.1.0.1/32", "dev", "lo")
            pairs(tap, lab, "an address on two links")
            ip("address", "del", "10.1.0.1/32", "dev", "lo")
            tails(tap, lab, server)
        connections(tap, lab, server, pid, runs, sys.argv[2:] or MANNERS + (["health"] if runs else []))
        if not runs:
            # a host without IPv6: glibc then knows no prefix lengths, and its rule 9 works differently
            ip("-6", "address", "flush", "dev", "host0")
            draws(tap, lab, server, "IPv4 alone")
            predictions(tap, lab, server, "IPv4 alone")
            pairs(tap, lab, "IPv4 alone")
        server.stop()
    if not runs:
        tap.finish()


main()
