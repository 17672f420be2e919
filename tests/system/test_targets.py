# SPDX-License-Identifier: LGPL-2.1-or-later
"""The right target, by the fewest questions: families that a host has or has not, addresses that take turns, large sets,
plain hosts, glue, short names. In a network of its own, whose addresses the test gives and takes away."""
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import PROBE, Daemon, Knot, Lab, Tap, in_namespaces, need  # noqa: E402
from scripted_server import Server  # noqa: E402

IPV4 = "address {} 10.1.0.1/24 dev host0"
IPV6 = "-6 address {} fd00:1::1/64 dev host0"

TWO = """
_api._tcp.mesh. 600 SRV 0 1 8080 six.mesh.
_api._tcp.mesh. 600 SRV 0 1 8080 four.mesh.
six.mesh. 600 AAAA fd00:2::6
four.mesh. 600 A 10.2.0.4
_only6._tcp.mesh. 600 SRV 0 1 8080 six.mesh.
plain.mesh. 600 A 10.2.0.9
plain.mesh. 600 AAAA fd00:2::9
"""


def ip(*lines):
    for line in lines:
        subprocess.run([need("ip"), *line.split()], check=True)


def lay_cable():
    ip("link add host0 type veth peer name peer0", "link set host0 up", "link set peer0 up")


def set_addresses(has_ipv4, has_ipv6):
    """Exactly these, with a default route each."""
    ip("-4 address flush dev host0", "-6 address flush dev host0 scope global")
    subprocess.run([need("ip"), "-6", "route", "delete", "default"], stderr=subprocess.DEVNULL, check=False)
    if has_ipv4:
        ip(IPV4.format("add"), "route replace default via 10.1.0.254")
    if has_ipv6:
        ip(IPV6.format("add") + " nodad", "-6 route replace default via fd00:1::fe")


def serve(zone, *behaviours):
    server = Server()
    for line in zone.strip().splitlines():
        server.add(line)
    server.behaviours = [words.split() for words in behaviours]
    server.start()
    return server


def asked(server):
    """The questions since the last call, sorted; each once, because a slow one may be sent again."""
    questions, server.questions = sorted(set(server.questions)), []
    return questions


def config(server, more="family = auto"):
    return f"[domain mesh]\nservers = 127.0.0.1:{server.port}\ntimeout = 5s\ndeadline = 20s\n{more}\n"


def chi_square(counts, shares):
    total = sum(counts.values())
    return sum((counts.get(key, 0) - total * share) ** 2 / (total * share) for key, share in shares.items())


# ---- families

def families_of_the_host(tap):
    server = serve(TWO, "no-glue")
    with Lab() as lab:
        lab.file("srvmesh.conf", config(server))
        for has, families in (((True, False), "A"), ((False, True), "AAAA"), ((True, True), "A AAAA"), ((False, False), "A AAAA")):
            set_addresses(*has)
            got = lab.probe("gai", "unspec", "plain.mesh").split()
            what = {"A": "IPv4", "AAAA": "IPv6"}.get(families, "both families" if has[0] else "no address at all")
            tap.equal(f"auto, a host with {what} asks for {families}", asked(server),
                      sorted(["_plain._tcp.mesh SRV"] + [f"plain.mesh {family}" for family in families.split()]))
            tap.check("and has an answer", got, got)
        set_addresses(True, False)
        tap.equal("a program that wants the other family alone gets it", lab.probe("gai", "inet6", "plain.mesh"), "fd00:2::9")
        tap.check("by a question for it", "plain.mesh AAAA" in asked(server))
        tap.equal("a service of the other family alone is not denied", lab.probe("gai", "unspec", "only6.mesh"), "fd00:2::6")
        tap.equal("its family is asked for when the host's has nothing", asked(server),
                  ["_only6._tcp.mesh SRV", "six.mesh A", "six.mesh AAAA"])
    server.stop()


def a_family_without_a_route(tap):
    server = serve(TWO)
    with Lab() as lab:
        for has, right, name in (((True, False), "10.2.0.4", "IPv4"), ((False, True), "fd00:2::6", "IPv6")):
            set_addresses(*has)
            for answers in ("ordered", "one", "all"):
                lab.file("srvmesh.conf", config(server, f"family = any\nanswers = {answers}"))
                tap.equal(f"a host with {name} alone, {answers}: of two targets it draws the one that it reaches",
                          lab.draws(200, "api.mesh"), {right: 200})
            other = "inet6" if has[0] else "inet"
            tap.check("a program that insists on the other family gets it",
                      lab.probe("gai", other, "api.mesh") in ("fd00:2::6", "10.2.0.4"))
        set_addresses(True, False)
        lab.file("srvmesh.conf", config(server, "family = prefer-ipv6"))
        tap.equal("a preferred family without a route is not preferred", lab.probe("gai", "unspec", "plain.mesh").split()[0],
                  "10.2.0.9")
    server.stop()


def a_host_that_gains_a_family(tap):
    set_addresses(True, False)
    server = serve(TWO, "no-glue")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        tap.equal("srvmeshd on a host with IPv4", lab.probe("gai", "unspec", "plain.mesh"), "10.2.0.9")
        tap.equal("asks for that alone", asked(server), ["_plain._tcp.mesh SRV", "plain.mesh A"])
        tap.equal("a program that wants IPv6 alone gets it", lab.probe("gai", "inet6", "plain.mesh"), "fd00:2::9")
        asked(server)
        tap.equal("what one has asked for, the next finds", lab.probe("gai", "inet6", "plain.mesh"), "fd00:2::9")
        tap.equal("without a question", asked(server), [])
        lab.probe("gai", "unspec", "api.mesh")
        asked(server)
        entries = daemon.status()["entries"]
        server.behaviours = [["drop"]]
        set_addresses(True, True)
        time.sleep(2)
        tap.equal("an address of the other family empties nothing", daemon.status()["entries"], entries)
        tap.equal("the old answer serves while the servers are silent", lab.probe("gai", "unspec", "api.mesh"), "10.2.0.4")
        server.behaviours = [["no-glue"]]
        until = time.monotonic() + 20
        while time.monotonic() < until and "fd00:2::6" not in lab.probe("gai", "inet6", "api.mesh"):
            time.sleep(0.2)
        tap.check("and the other family is asked for", {"six.mesh AAAA", "four.mesh AAAA"} <= set(asked(server)))
    server.stop()


# one process: looks up the name for each word, 4, 6 or 0 for both families, or another NAME/FAMILY; it sleeps at a dot
ONE_PROCESS = """
import socket, sys, time
for word in sys.argv[2:]:
    if word == ".":
        time.sleep(1)
        continue
    name, _, word = word.rpartition("/")
    family = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(word, socket.AF_UNSPEC)
    try:
        found = socket.getaddrinfo(name or sys.argv[1], None, family, socket.SOCK_STREAM)
        print("+".join(sorted(one[4][0] for one in found)))
    except socket.gaierror as error:
        print({socket.EAI_AGAIN: "again", socket.EAI_NONAME: "none", socket.EAI_NODATA: "nodata"}.get(error.errno, error.errno))
"""


def one_process(lab, name, words, **more):
    return lab.host(sys.executable, "-c", ONE_PROCESS, name, *words.split(), hosts="srvmesh", **more)[1].split()


def later(seconds, server, *behaviours):
    def change():
        server.behaviours = [words.split() for words in behaviours]
    timer = threading.Timer(seconds, change)
    timer.start()
    return timer


def failures_of_the_other_family(tap):
    """A program that wants the family alone that this host leaves out, and cannot have it, takes nothing from the others."""
    set_addresses(True, False)
    for has_daemon in (False, True):
        how = "srvmeshd" if has_daemon else "a process"
        server = serve(TWO, "no-glue", "rcode SERVFAIL AAAA")
        with Lab() as lab:
            text = config(server, "family = auto\nstale = 0").replace("deadline = 20s", "deadline = 1s").replace("timeout = 5s", "timeout = 500ms")
            if has_daemon:
                Daemon(lab, text)
            else:
                lab.file("srvmesh.conf", text)
            tap.equal(f"{how}: AAAA fails, A does not", one_process(lab, "plain.mesh", "0 6 6 0 . . 0 4"),
                      ["10.2.0.9", "again", "again", "10.2.0.9", "10.2.0.9", "10.2.0.9"])
            questions = [q for q in server.questions if q.endswith("SRV")]
            tap.check(f"{how}: and a failure costs the others no question", len(questions) == 2, server.questions)
        server.stop()
        server = serve(TWO, "no-glue")
        with Lab() as lab:
            if has_daemon:
                Daemon(lab, text.replace(text.split(":")[1].split()[0], str(server.port)))
            else:
                lab.file("srvmesh.conf", text.replace(text.split(":")[1].split()[0], str(server.port)))
            timer = later(0.7, server, "drop")
            tap.equal(f"{how}: in an outage what is known stays known", one_process(lab, "plain.mesh", "0 . 6 0 . . 4 0"),
                      ["10.2.0.9", "again", "10.2.0.9", "10.2.0.9", "10.2.0.9"])
            timer.join()
        server.stop()
        server = serve(TWO.replace(" 600 ", " 1 "), "no-glue")
        with Lab() as lab:
            text = config(server).replace("deadline = 20s", "deadline = 1s")
            if has_daemon:
                Daemon(lab, text)
            else:
                lab.file("srvmesh.conf", text)
            timer = later(3.7, server, "drop")
            tap.equal(f"{how}: a renewal keeps the family that another program has asked for",
                      one_process(lab, "plain.mesh", "0 6 . . 0 . . 6"),
                      ["10.2.0.9", "fd00:2::9", "10.2.0.9+fd00:2::9", "fd00:2::9"])
            timer.join()
        server.stop()


def another_network_namespace(tap):
    """A container with a network of its own: neither ranks nor reachability nor families of the host count."""
    set_addresses(True, False)
    zone = "".join(f"_api._tcp.mesh. 600 SRV 0 1 80 t{i}.mesh.\nt{i}.mesh. 600 A 10.2.0.{i}\nt{i}.mesh. 600 AAAA fd00:2::{i}\n"
                   for i in (1, 2, 3))
    zone += "_far._tcp.mesh. 600 SRV 0 1 80 far.mesh.\n_far._tcp.mesh. 600 SRV 0 1 80 near.mesh.\n" \
            "far.mesh. 600 AAAA fd00:2::7\nnear.mesh. 600 A 10.2.0.7\n"
    server = serve(zone)
    # its own network has IPv6 alone
    script = 'ip link set lo up; ip link add c0 type veth peer name c1; ip link set c0 up; ip link set c1 up; ' \
             'ip -6 address add fd00:9::2/64 dev c0 nodad; ip -6 route add default via fd00:9::1; exec "$@"'
    inside = [need("unshare"), "--net", "sh", "-c", script, "sh"]
    with Lab() as lab:
        Daemon(lab, config(server))
        tap.equal("on the host a list to fail over to", len(lab.probe("gai", "unspec", "api.mesh").split()), 3)
        _, output, errors = lab.run(*inside, PROBE, "gai", "unspec", "api.mesh")
        addresses = output.split()
        tap.check("in the container the addresses of one target, of the family that the container has, too",
                  len(addresses) == 2 and len({a[-1] for a in addresses}) == 1 and any(":" in a for a in addresses), output, errors)
        lab.probe("gai", "unspec", "far.mesh")
        firsts = set()
        for _ in range(40):
            firsts.add(lab.run(*inside, PROBE, "gai", "unspec", "far.mesh")[1])
        tap.equal("and of two targets the one of that family is drawn, although the host does not reach it", firsts, {"fd00:2::7"})
    server.stop()


def a_dead_answer_in_another_network_namespace(tap):
    set_addresses(True, False)
    server = serve(TWO, "no-glue")
    script = 'ip link set lo up; ip link add c0 type veth peer name c1; ip link set c0 up; ip link set c1 up; ' \
             'ip -6 address add fd00:9::2/64 dev c0 nodad; exec "$@"'
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = auto\nstale = 0\nmax_ttl = 1s"), "cache embedded = no")
        lab.probe("gai", "unspec", "plain.mesh")
        daemon.stop()
        time.sleep(1.2)
        _, output, _ = lab.run(need("unshare"), "--net", "sh", "-c", script, "sh", PROBE, "gai", "unspec", "plain.mesh")
        tap.equal("what is past its end is not given for want of another family", output, "EAI_AGAIN")
    server.stop()


def a_container_without_a_family_of_its_host(tap):
    set_addresses(True, True)
    server = serve(TWO)
    script = 'ip link set lo up; ip link add c0 type veth peer name c1; ip link set c0 up; ip link set c1 up; ' \
             'ip address add 10.9.0.2/24 dev c0; ip route add default via 10.9.0.1; exec "$@"'
    for answers in ("ordered", "one", "all"):
        with Lab() as lab:
            Daemon(lab, config(server, f"family = auto\nanswers = {answers}"))
            lab.probe("gai", "unspec", "api.mesh")
            _, output, _ = lab.run(need("unshare"), "--net", "sh", "-c", script, "sh", PROBE, "draws", "100", "api.mesh")
            tap.equal(f"a container with IPv4 alone on a host with both, {answers}", output, "10.2.0.4 100")
    server.stop()


# ---- choosing

def addresses_take_turns(tap):
    set_addresses(True, True)
    names = [f"10.2.0.{i}" for i in range(1, 5)]
    zone = "".join(f"rr.mesh. 600 A {a}\na.mesh. 600 A {a}\n" for a in names) + "_api._tcp.mesh. 600 SRV 0 1 80 a.mesh.\n"
    zone += "".join(f"twelve.mesh. 600 A 10.3.0.{i}\n" for i in range(1, 13))
    server = serve(zone)
    shares = dict.fromkeys(names, 0.25)
    with Lab() as lab:
        for name in ("rr.mesh", "api.mesh"):
            for answers in ("ordered", "one", "all"):
                lab.file("srvmesh.conf", config(server, f"family = any\nanswers = {answers}"))
                counts = lab.draws(2000, name)
                tap.check(f"{name}, {answers}: 2,000 calls of one process draw four addresses evenly",
                          chi_square(counts, shares) < 21.1, counts)  # p = 0.0001 at 3 degrees of freedom
        Daemon(lab, config(server, "family = any"))
        counts = {}
        for _ in range(400):
            for address in lab.draws(1, "rr.mesh"):
                counts[address] = counts.get(address, 0) + 1
        tap.check("so do 400 processes", chi_square(counts, shares) < 21.1, counts)
        seen = set()
        for _ in range(40):
            seen |= set(lab.probe("gai", "inet", "twelve.mesh").split())
        tap.equal("of twelve addresses each is given some time", len(seen), 12)
    server.stop()


def large_services(tap):
    set_addresses(True, True)
    light, heavy = range(200), range(200, 400)
    zone = "".join(f"_api._tcp SRV 0 {1 if i in light else 3} 80 t{i}\nt{i} A 10.4.{i // 200}.{i % 200 + 1}\n" for i in range(400))
    with Lab() as lab:
        knot = Knot(lab, zone)
        lab.file("srvmesh.conf", config(knot, "family = any\nanswers = one"))
        counts = lab.draws(20000, "api.mesh")
        shares = {f"10.4.{i // 200}.{i % 200 + 1}": (1 if i in light else 3) / 800 for i in (*light, *heavy)}
        tap.equal("of 400 weighted targets everyone is drawn", len(counts), 400)
        tap.check("in proportion", chi_square(counts, shares) < 510, chi_square(counts, shares))  # p < 0.0002 at 399
    server = serve("equal 1500 7\n_api._tcp.mesh. 600 SRV 0 1 80 best.mesh.\nbest.mesh. 600 A 10.3.0.9", "no-glue")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = ipv4"))
        tap.equal("the best priority of 1,501 records is found, although it is the last", lab.probe("gai", "inet", "api.mesh"),
                  "10.3.0.9")
        tap.equal("that some were left out is counted", daemon.status()["cut"], 1)
        lab.probe("repeat", 3, "api.mesh")
        tap.equal("and said once", daemon.log().count("too large"), 1)
        tap.check("with its name and how many", "name=api.mesh" in daemon.log() and "targets=477" in daemon.log(), daemon.log())
    server.stop()


# ---- asking

def plain_hosts(tap):
    set_addresses(True, True)
    server = serve("host.mesh. 1 A 10.2.0.9\nhost.mesh. 1 AAAA fd00:2::9\n_late._tcp.mesh. 600 SRV 0 1 80 a.mesh.\n"
                   "a.mesh. 600 A 10.2.0.1")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = any\nstale = 0"))
        lab.probe("gai", "unspec", "host.mesh")
        first = asked(server)
        time.sleep(1.2)
        server.behaviours = [["after", "A"]]  # from here on SRV is answered only when A has been asked, too
        tap.check("a plain host is found in one round trip the second time",
                  "10.2.0.9" in lab.probe("gai", "unspec", "host.mesh"))
        tap.equal("by the same three questions", asked(server), first)
        time.sleep(1.2)
        daemon.stop()
        server.behaviours = []
        daemon.start()
        server.behaviours = [["after", "A"]]
        asked(server)
        tap.check("also after a restart", "10.2.0.9" in lab.probe("gai", "unspec", "host.mesh"))
        server.behaviours = []
        server.add("_host._tcp.mesh. 1 SRV 0 1 80 a.mesh.")
        time.sleep(1.2)
        tap.equal("when it gets SRV, that counts", lab.probe("gai", "unspec", "host.mesh"), "10.2.0.1")
        time.sleep(1.2)
        asked(server)
        lab.probe("gai", "unspec", "host.mesh")
        tap.check("and its own addresses are no longer asked for", "host.mesh A" not in asked(server))
    with Lab() as lab:
        server.records = [record for record in server.records if not record.name.to_text().startswith("_host")]
        lab.file("srvmesh.conf", config(server, "family = any\nstale = 0"))
        repeat = threading.Thread(target=lab.probe, args=("repeat", 4, "host.mesh"))
        asked(server)
        repeat.start()
        time.sleep(0.5)
        server.behaviours = [["after", "A"]]
        server.questions = []
        repeat.join()
        tap.check("a process alone remembers it, too", "host.mesh A" in asked(server))
    server.stop()


def glue_and_what_comes_behind(tap):
    zone = "_api._tcp.mesh. 600 SRV 0 1 80 a.mesh.\n_api._tcp.mesh. 600 SRV 0 1 80 b.mesh.\na.mesh. 600 A 10.2.0.1\nb.mesh. 600 A 10.2.0.2"
    behind = ["_api._tcp.mesh SRV", "a.mesh AAAA", "b.mesh AAAA"]
    for has, expected in (((True, True), behind), ((True, False), behind[:1])):
        set_addresses(*has)
        server = serve(zone, "delay 300 AAAA")
        host = "both families" if has[1] else "IPv4"
        with Lab() as lab:
            Daemon(lab, config(server))
            tap.equal(f"a host with {host} has its answer from the glue", len(lab.probe("gai", "unspec", "api.mesh").split()), 2)
            time.sleep(1)
            tap.equal(f"and asks for {'the other family behind it' if has[1] else 'nothing more'}", asked(server), expected)
            for _ in range(3):
                lab.probe("gai", "unspec", "api.mesh")
            time.sleep(0.5)
            tap.equal("once a lifetime", asked(server), [])
            tap.equal("a program that wants IPv6 alone is told that there is none", lab.probe("gai", "inet6", "api.mesh"), "EAI_NODATA")
            tap.equal("from what is known, or by asking", asked(server), [] if has[1] else behind)
        server.stop()
    set_addresses(True, True)
    server = serve(zone.replace(" 600 ", " 0 "))
    with Lab() as lab:
        Daemon(lab, config(server))
        lab.probe("repeat", 4, "api.mesh")
        questions = [question.split()[1] for question in server.questions]
        tap.check("with a TTL of nothing the other family is not asked for in vain each second",
                  questions.count("SRV") >= 3 and questions.count("AAAA") == 2, server.questions)
    server.stop()
    server = serve(zone.replace(" 600 ", " 0 "), "drop AAAA")
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = auto\nstale = 0"), "daemon max_jobs = 64\ndaemon quota = 5%")
        began = time.monotonic()
        for _ in range(4):
            lab.probe("gai", "unspec", "api.mesh")
            time.sleep(1.1)
        tap.check("nobody waits for what is asked behind an answer", time.monotonic() - began < 15)
        tap.equal("each lifetime is one question", len([q for q in server.questions if q.endswith("SRV")]), 4)
        tap.equal("and it counts as nobody's job", daemon.status()["jobs_now"], 0)
        tap.equal("nor does it hold up the end", daemon.stop(), 0)
    server.stop()
    server = serve(zone, "delay 200 AAAA")
    with Lab() as lab:
        Daemon(lab, config(server))
        got = {}
        threads = [threading.Thread(target=lambda f=family: got.update({f: lab.probe("gai", f, "api.mesh")}))
                   for family in ("unspec", "inet6", "inet")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.check("programs that want different families share one question", asked(server) == behind, server.questions)
        tap.equal("and each gets what it wants", (sorted(got["unspec"].split()), got["inet6"], sorted(got["inet"].split())),
                  (["10.2.0.1", "10.2.0.2"], "EAI_NODATA", ["10.2.0.1", "10.2.0.2"]))
    server.stop()
    server = serve(zone, "rcode SERVFAIL AAAA")
    with Lab() as lab:
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "api.mesh")
        time.sleep(2.5)
        asked(server)
        lab.probe("gai", "unspec", "api.mesh")
        tap.equal("what fails behind an answer does not shorten its life", (asked(server), daemon.status()["cached"] > 0 or
                                                                            daemon.status()["requests"] == 1), ([], True))
    server.stop()


def short_names(tap):
    set_addresses(True, True)
    server = serve("_api.svc._tcp.mesh. 600 SRV 0 1 8080 a.mesh.\na.mesh. 600 A 10.2.0.1\n_web.other._tcp.mesh. 600 SRV 0 1 80 b.mesh.\n"
                   "b.mesh. 600 A 10.2.0.2\n_web.shop.other._tcp.mesh. 600 SRV 0 1 80 c.mesh.\nc.mesh. 600 A 10.2.0.3")
    path = os.path.realpath("/etc/resolv.conf")
    with Lab() as lab:
        text = "nameserver 127.0.0.1\nsearch svc.mesh example.org other.mesh\noptions ndots:2 timeout:1 attempts:1\n"
        subprocess.run(["mount", "--bind", lab.file("resolv.conf", text), path], check=True)
        sections = f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\n"
        lab.file("srvmesh.conf", sections)
        tap.equal("a short name is another module's", lab.probe("gai", "unspec", "api"), "EAI_NONAME")
        tap.equal("without a question", asked(server), [])
        lab.file("srvmesh.conf", sections + "search = yes\n")
        tap.equal("search = yes: it is completed", lab.probe("gai", "unspec", "api"), "10.2.0.1")
        tap.equal("and its full name is its canonical one", lab.probe("gai", "unspec", "api", "canonname"),
                  "10.2.0.1 canonname=api.svc.mesh")
        tap.equal("its port can be had", lab.probe("classic", "api", "tcp"), "api.svc.mesh 8080/tcp 10.2.0.1")
        asked(server)
        tap.equal("domains are tried in their order", lab.probe("gai", "unspec", "web"), "10.2.0.2")
        tap.equal("each that lies under the section", asked(server),
                  ["_web.other._tcp.mesh SRV", "_web.svc._tcp.mesh SRV", "web.svc.mesh A"])
        tap.equal("a name with fewer dots than ndots is short", lab.probe("gai", "unspec", "web.shop"), "10.2.0.3")
        asked(server)
        tap.equal("a name with a dot at its end is not", lab.probe("gai", "unspec", "api."), "EAI_NONAME")
        tap.equal("nor is localhost", lab.probe("host", "inet", "localhost"), "rc=ENOENT errno=ENOENT h_errno=3")
        tap.equal("nobody is asked for them", asked(server), [])
        tap.equal("a short name that no domain has is another module's, not denied", lab.probe("host", "inet", "printer"),
                  "rc=ENOENT errno=ENOENT h_errno=3")
        tap.equal("so that /etc/hosts may have it", lab.host("getent", "hosts", "localhost", hosts="srvmesh files")[0], 0)
        daemon = Daemon(lab, sections + "search = yes\nmax_ttl = 1s\ndeadline = 1s\n")
        lab.probe("gai", "unspec", "web")
        time.sleep(1.2)
        server.behaviours = [["drop"]]
        tap.equal("in an outage a short name has what is kept of it, in whatever domain", lab.probe("gai", "unspec", "web"), "10.2.0.2")
        daemon.stop()
        lab.file("srvmesh.conf", sections + "search = yes\ndeadline = 500ms\n")
        began = time.monotonic()
        tap.equal("also in an outage", lab.probe("host", "inet", "printer"), "rc=ENOENT errno=ENOENT h_errno=3")
        tap.check("within one deadline for all domains", time.monotonic() - began < 1.4)
        subprocess.run(["umount", path], check=True)
    server.stop()
    server = serve("_other._tcp.a.mesh. 600 SRV 0 1 80 t.a.mesh.\nt.a.mesh. 600 A 10.2.0.1", "delay 500 SRV")
    with Lab() as lab:
        text = "nameserver 127.0.0.1\nsearch a.mesh b.mesh\n"
        subprocess.run(["mount", "--bind", lab.file("resolv.conf", text), path], check=True)
        both = "".join(f"[domain {name}.mesh]\nservers = 127.0.0.1:{server.port}\nsearch = yes\nfamily = ipv4\n" for name in "ab")
        Daemon(lab, both + "deadline = 300ms\n", "cache embedded = no")
        tap.equal("a domain for which no time is left does not make srvmeshd look dead",
                  one_process(lab, "other.a.mesh", "api/0 0"), ["none", "10.2.0.1"])
        subprocess.run(["umount", path], check=True)
    server.stop()


def main():
    in_namespaces()
    lay_cable()
    tap = Tap()
    families_of_the_host(tap)
    a_family_without_a_route(tap)
    a_host_that_gains_a_family(tap)
    failures_of_the_other_family(tap)
    another_network_namespace(tap)
    a_container_without_a_family_of_its_host(tap)
    a_dead_answer_in_another_network_namespace(tap)
    addresses_take_turns(tap)
    large_services(tap)
    plain_hosts(tap)
    glue_and_what_comes_behind(tap)
    short_names(tap)
    tap.finish()


main()
