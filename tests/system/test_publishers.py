# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmesh-recipes(7): each configuration there, at the real server that it is for. How many questions a lookup takes is
counted by a proxy in front of the server."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import SRCDIR, Knot, Lab, Tap, follows, in_namespaces, need  # noqa: E402
from misbehaving import Proxy  # noqa: E402
from publishers import Consul, Publisher, Samba, fetch_consul, wait_for  # noqa: E402


def recipe(name):
    """The block of the manual behind `.\\" recipe: NAME`."""
    with open(os.path.join(SRCDIR, "man", "srvmesh-recipes.7"), encoding="utf-8") as file:
        page = file.read()
    block = re.search(rf'^\.\\" recipe: {name}\n\.Bd [^\n]*\n(.*?)^\.Ed$', page, re.M | re.S)
    return block.group(1)


def at(text, server):
    """The configuration, with this server in place of the example's."""
    return re.sub(r"^(servers *=).*$", rf"\1 {server.address}:{server.port}", text, flags=re.M)


class Counted:
    """A server behind a proxy that counts the questions."""

    def __init__(self, server):
        self.proxy = Proxy("127.0.0.1", 0, (server.address, server.port))
        self.address, self.port = self.proxy.udp.getsockname()

    def questions(self):
        """Datagrams and connections since the last call."""
        counts = (self.proxy.n_questions, self.proxy.n_streams)
        self.proxy.n_questions = self.proxy.n_streams = 0
        return counts

    def stop(self):
        self.proxy.stop()


def shares_hold(tap, lab, what, name, shares):
    good, counts = follows(shares, lambda: lab.draws(3000, name))
    tap.check(f"{what}: weights count", good, counts)


def configure(lab, text, more=""):
    """For a host with IPv4: what is asked must not depend on this one."""
    lab.file("srvmesh.conf", text + f"\n[resolver]\nfamily = ipv4\ntimeout = 5s\ndeadline = 20s\n{more}")


# ---- publishers

ANSWER = {"127.0.0.11", "127.0.0.12"}


def own_metadata(tap, lab, server):
    """A zone with metadata, and one with tags."""
    counted = Counted(server)
    configure(lab, at(recipe("own metadata"), counted).replace("@/etc/srvmesh.zone", "eu"), "answers = one")
    tap.equal("a zone of one's own: metadata", set(lab.draws(200, "web.mesh")), {"127.0.0.11"})
    configure(lab, at(recipe("own tags"), counted), "answers = all")
    tap.equal("a zone of one's own: tags by a template", lab.probe("gai", "inet", "web.mesh"), "127.0.0.12")
    tap.equal("and where there are none", set(lab.probe("gai", "inet", "api.mesh").split()), ANSWER)
    counted.stop()


def served(tap, lab, what, server, most):
    """The zone of the manual: its targets, ports, weights, in so many questions."""
    counted = Counted(server)
    configure(lab, at(recipe("own"), counted), "answers = all")
    tap.equal(f"{what}: all targets", set(lab.probe("gai", "inet", "api.mesh").split()), ANSWER)
    tap.equal(f"{what}: by {most} question{'s' if most > 1 else ''}", counted.questions(), (most, 0))
    tap.check(f"{what}: the port", lab.probe("classic", "api.mesh", "tcp").startswith("api.mesh 8080/tcp 127.0.0.1"))
    configure(lab, at(recipe("own"), counted), "answers = one")
    shares_hold(tap, lab, what, "api.mesh", {"127.0.0.11": 0.6, "127.0.0.12": 0.4})
    counted.stop()


TWICE = "_twice._tcp SRV 0 1 80 a\n_twice._tcp SRV 0 1 80 A\n_twice._tcp SRV 0 1 80 b\n"
MANY = "".join(f"_many._tcp SRV 0 1 80 m{i}\nm{i} A 127.3.0.{i + 1}\n" for i in range(100))


def publishers(tap):
    zone = recipe("zone") + TWICE + MANY
    for kind in ("bind", "nsd", "pdns", "gdnsd"):
        with Lab() as lab:
            server = Publisher(lab, kind, zone)
            served(tap, lab, kind, server, 3 if kind == "gdnsd" else 1)
            configure(lab, at(recipe("own"), server), "answers = all\nmax_answers = 64")
            tap.equal(f"{kind}: a hundred targets", len(lab.probe("gai", "inet", "many.mesh").split()), 64)
            configure(lab, at(recipe("own"), server), "answers = one")
            shares_hold(tap, lab, f"{kind}, the same record twice", "twice.mesh", {"127.0.0.11": 0.5, "127.0.0.12": 0.5})
            if kind == "bind":
                updates(tap, lab, server)
            server.stop()
    with Lab() as lab:
        knot = Knot(lab, zone + recipe("own metadata zone"))
        served(tap, lab, "knot", knot, 1)
        own_metadata(tap, lab, knot)
    with Lab() as lab:
        lines = recipe("dnsmasq") + "srv-host=_twice._tcp.mesh,a.mesh,80,0,1\n" * 2 + "srv-host=_twice._tcp.mesh,b.mesh,80,0,1\n"
        server = Publisher(lab, "dnsmasq", lines)
        served(tap, lab, "dnsmasq", server, 1)
        configure(lab, at(recipe("own"), server), "answers = one")
        shares_hold(tap, lab, "dnsmasq, the same record twice", "twice.mesh", {"127.0.0.11": 0.5, "127.0.0.12": 0.5})
        tap.equal("dnsmasq: what it does not have is denied", lab.probe("gai", "inet", "none.mesh"), "EAI_NONAME")


def updates(tap, lab, server):
    commands = recipe("nsupdate").replace("127.0.0.1 53", f"127.0.0.1 {server.port}")
    subprocess.run([need("nsupdate")], input=commands, text=True, check=True)
    configure(lab, at(recipe("own"), server), "answers = all")
    tap.equal("bind: an update", set(lab.probe("gai", "inet", "api.mesh").split()), ANSWER | {"127.0.0.13"})


def resolvers(tap):
    zone = recipe("zone") + MANY
    with Lab() as lab:
        knot = Knot(lab, zone)
        for kind in ("unbound", "recursor"):
            server = Publisher(lab, kind, upstream=knot.port)
            served(tap, lab, f"behind {kind}", server, 3)
            configure(lab, at(recipe("own"), server), "answers = all\nmax_answers = 64")
            tap.equal(f"behind {kind}: a hundred targets", len(lab.probe("gai", "inet", "many.mesh").split()), 64)
            server.stop()


def other_forms(tap):
    zone = """_mongodb._tcp.cluster0 SRV 0 0 27017 a
backend.prod SRV 1 1 8080 b
_etcd-client._tcp SRV 0 0 2379 c
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
"""
    with Lab() as lab:
        knot = Knot(lab, zone)
        configure(lab, at(recipe("forms"), knot))
        for name, answer in (("cluster0.mesh", "27017/tcp 127.0.0.11"), ("backend.prod.mesh", "8080/tcp 127.0.0.12"),
                             ("etcd.mesh", "2379/tcp 127.0.0.13")):
            tap.equal(f"{name}: its target and port", lab.probe("classic", name, "tcp"), f"{name} {answer}")


def kubernetes(tap):
    """The records are those of the specification of DNS-based service discovery of Kubernetes, at BIND."""
    zone = """web.shop A 10.3.0.7
_http._tcp.web.shop SRV 0 50 8080 p1.web.shop
_http._tcp.web.shop SRV 0 50 8080 p2.web.shop
p1.web.shop A 127.0.0.11
p2.web.shop A 127.0.0.12
"""
    path = os.path.realpath("/etc/resolv.conf")
    with Lab() as lab:
        server = Publisher(lab, "bind", zone, "svc.cluster.local", ready="_http._tcp.web.shop.svc.cluster.local")
        text = "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n"
        subprocess.run(["mount", "--bind", lab.file("resolv.conf", text), path], check=True)
        configure(lab, at(recipe("kubernetes"), server), "answers = all")
        for name in ("http.web.shop.svc.cluster.local", "http.web"):
            tap.equal(f"{name}: its pods", set(lab.probe("gai", "inet", name).split()), ANSWER)
            tap.check(f"{name}: its port", " 8080/tcp 127.0.0.1" in lab.probe("classic", name, "tcp"))
        for name in ("web.shop.svc.cluster.local", "web"):
            tap.equal(f"{name}: the address of the service", lab.probe("gai", "inet", name), "10.3.0.7")
        subprocess.run(["umount", path], check=True)


def active_directory(tap):
    if os.environ.get("SRVMESH_USER_NAMESPACE"):
        tap.skip("Active Directory", "it needs root: Samba's files belong to several users")
        return
    with Lab() as lab:
        counted = Counted(Samba(lab))
        configure(lab, at(recipe("ad"), counted))
        for name, port in (("ldap.ad.mesh", 389), ("kerberos.ad.mesh", 88), ("ad.mesh", 389)):
            tap.equal(f"{name}: the domain controller", lab.probe("classic", name, "tcp"), f"{name} {port}/tcp 127.0.0.11")
        counted.questions()
        tap.equal("dc1.ad.mesh: another module's", lab.probe("gai", "unspec", "dc1.ad.mesh"), "EAI_NONAME")
        tap.equal("without a question", counted.questions(), (0, 0))
        configure(lab, at(recipe("ad wide"), counted))
        tap.equal("a section for the whole domain", lab.probe("classic", "ldap.ad.mesh", "tcp"), "ldap.ad.mesh 389/tcp 127.0.0.11")
        counted.questions()
        tap.equal("leaves out what it excepts", lab.probe("gai", "unspec", "dc1.ad.mesh"), "EAI_NONAME")
        tap.equal("without a question, too", counted.questions(), (0, 0))
        counted.stop()


# ---- Consul

def fill(consul):
    for i, (weight, tags) in enumerate(((60, ["primary"]), (30, ["primary"]), (10, []))):
        consul.register("api", i, f"127.0.0.1{i + 1}", 8001 + i, weight, tags)
    for i in range(100):
        consul.register("big", i, f"127.0.1.{i + 1}", 9000 + i)
    consul.register("nomad", 0, "127.0.0.21", 4646, tags=["http"])
    consul.register("nomad", 1, "127.0.0.21", 4647, tags=["rpc"])
    consul.put("query", {"Name": "best", "Service": {"Service": "api", "Tags": ["primary"]}}, "POST")
    wait_for(consul, "nomad.service.consul", "SRV")
    wait_for(consul, "best.query.consul", "SRV")


def consul_names(tap, lab):
    tap.equal("Consul: a tag", set(lab.probe("gai", "inet", "primary.api.service.consul").split()), {"127.0.0.11", "127.0.0.12"})
    tap.equal("Consul: a datacenter", len(lab.probe("gai", "inet", "api.service.dc1.consul").split()), 3)
    tap.equal("Consul: a prepared query", set(lab.probe("gai", "inet", "best.query.consul").split()), {"127.0.0.11", "127.0.0.12"})
    tap.equal("Consul: a node", lab.probe("gai", "inet", "agent1.node.consul"), "127.0.0.1")
    tap.equal("Consul: what is not there", lab.probe("gai", "inet", "none.service.consul"), "EAI_NONAME")
    tap.equal("Nomad: by its tag", lab.probe("classic", "http.nomad.service.consul", "tcp"),
              "http.nomad.service.consul 4646/tcp 127.0.0.21")
    pairs = {tuple(line.split()[:2]) for line in lab.probe("pairs", 90, "api.service.consul", "any").splitlines()}
    tap.check("Consul: ports go with their addresses", pairs <= {(f"127.0.0.1{i}", f"800{i}") for i in (1, 2, 3)} and len(pairs) > 1,
              pairs)
    for name in ("primary.api.service.consul", "best.query.consul"):
        shares_hold(tap, lab, f"Consul, {name}", name, {"127.0.0.11": 2 / 3, "127.0.0.12": 1 / 3})


def consul_over_tcp(tap, lab, consul):
    counted = Counted(consul)
    section = at(recipe("consul"), counted)
    configure(lab, section, "answers = all\nmax_answers = 64")
    tap.equal("Consul: all instances", len(lab.probe("gai", "inet", "api.service.consul").split()), 3)
    tap.equal("Consul: three instances take one question", counted.questions(), (0, 1))
    tap.equal("Consul: a large service", len(lab.probe("gai", "inet", "big.service.consul").split()), 64)
    tap.equal("Consul: a hundred instances take one question by TCP", counted.questions(), (0, 1))
    consul_names(tap, lab)
    configure(lab, section, "answers = one")
    tap.equal("Consul: each of a hundred is drawn", len(lab.draws(3000, "big.service.consul")), 100)
    path = os.path.realpath("/etc/resolv.conf")
    subprocess.run(["mount", "--bind", lab.file("resolv.conf", "search service.consul\nnameserver 127.0.0.1\n"), path], check=True)
    tap.equal("Consul: a short name is another module's", lab.probe("gai", "unspec", "api"), "EAI_NONAME")
    configure(lab, section + recipe("consul search"), "answers = all")
    tap.equal("Consul: with search it is a service", len(lab.probe("gai", "inet", "api").split()), 3)
    subprocess.run(["umount", path], check=True)
    counted.stop()


def consul_metadata(tap, lab, consul):
    counted = Counted(consul)
    zone = lab.file("zone", "eu-1\n")
    for i, (version, where) in enumerate((("1", "eu-1"), ("2", "us-1"), ("2", "eu-1"))):
        consul.register_node(f"m{i}", f"127.0.2.{i + 1}", "meta", 80, {"version": version, "zone": where})
    wait_for(consul, "meta.service.consul", "SRV")
    section = at(recipe("consul metadata"), counted).replace("/etc/srvmesh.zone", zone)
    configure(lab, section, "answers = one")
    counted.questions()
    tap.equal("Consul: node metadata, filter and preference", set(lab.draws(300, "meta.service.consul")), {"127.0.2.3"})
    configure(lab, re.sub("prefer.*\n", "", section), "answers = all")
    counted.questions()
    tap.equal("Consul: the filter alone", set(lab.probe("gai", "inet", "meta.service.consul").split()), {"127.0.2.2", "127.0.2.3"})
    tap.equal("Consul: which cost no question", counted.questions(), (0, 1))
    tap.equal("Consul: an agent's own", json.loads(recipe("consul node_meta"))["node_meta"]["zone"], "eu-1")
    configure(lab, at(recipe("consul tags"), counted).replace("v2.", "primary."), "answers = all")
    tap.equal("Consul: a tag by a template", set(lab.probe("gai", "inet", "api.service.consul").split()), {"127.0.0.11", "127.0.0.12"})
    counted.stop()


def consul_over_udp(tap, lab, consul, is_told):
    """`is_told`: Consul says where it has cut an answer."""
    counted = Counted(consul)
    configure(lab, at(recipe("consul"), counted).replace("transport = tcp\n", ""), "answers = all\nmax_answers = 64")
    tap.equal("Consul over UDP: three instances", len(lab.probe("gai", "inet", "api.service.consul").split()), 3)
    tap.equal("Consul over UDP: by one question", counted.questions(), (1, 0))
    n = len(lab.probe("gai", "inet", "big.service.consul").split())
    if is_told:
        tap.equal("Consul with enable_truncate: a hundred instances by two questions", (n, counted.questions()), (64, (1, 1)))
    else:
        tap.check("Consul over UDP: a large service is cut, and nobody can know", n < 30, n)
    counted.stop()


def consul(tap, program, why):
    if not program:
        tap.skip("Consul", "not possible here: the archive has no consul of Debian 11: " + why)
        return
    with Lab() as lab:
        agent = Consul(lab, program)
        fill(agent)
        consul_over_tcp(tap, lab, agent)
        consul_metadata(tap, lab, agent)
        consul_over_udp(tap, lab, agent, False)
        agent.stop()
        agent = Consul(lab, program, json.loads(recipe("consul.json")))
        fill(agent)
        consul_over_udp(tap, lab, agent, True)


def main():
    # before the network is another one; behind that it is there, or the archive has none
    program, why = fetch_consul()
    in_namespaces()
    tap = Tap()
    publishers(tap)
    resolvers(tap)
    other_forms(tap)
    kubernetes(tap)
    active_directory(tap)
    consul(tap, program, why)
    tap.finish()


main()
