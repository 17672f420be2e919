# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real DNS servers, each in a fresh directory of the lab and on a free port of 127.0.0.1: those that publish SRV records,
and resolvers in front of them."""
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

import dns.exception
import dns.message
import dns.query

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "packaging")]
from lab import free_port, need  # noqa: E402
from machine import cache, fetch  # noqa: E402

# The files of each server, and how it is started. @DIR@, @PORT@, @UPSTREAM@, @ZONE@ are filled in.
KINDS = {
    "bind": ({"named.conf": """options {
  directory "."; pid-file "named.pid"; session-keyfile "session.key"; managed-keys-directory ".";
  listen-on port @PORT@ { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { none; };
};
controls { };
zone "@NAME@" { type primary; file "zone"; allow-update { 127.0.0.1; }; };
""", "zone": "@ZONE@"}, ["named", "-g", "-c", "named.conf", "-n", "1"]),
    "nsd": ({"nsd.conf": """server:
    ip-address: 127.0.0.1
    port: @PORT@
    username: ""
    chroot: ""
    zonesdir: "@DIR@"
    database: ""
    pidfile: "@DIR@/nsd.pid"
    xfrdfile: "@DIR@/xfrd.state"
    zonelistfile: "@DIR@/zone.list"
    xfrdir: "@DIR@"
    cookie-secret-file: ""
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: @NAME@
    zonefile: zone
""", "zone": "@ZONE@"}, ["nsd", "-d", "-c", "@DIR@/nsd.conf"]),
    "pdns": ({"pdns.conf": """launch=bind
bind-config=@DIR@/bind.conf
local-address=127.0.0.1
local-port=@PORT@
socket-dir=@DIR@
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
guardian=no
daemon=no
security-poll-suffix=
""", "bind.conf": """zone "@NAME@" { type master; file "@DIR@/zone"; };
""", "zone": "@ZONE@"}, ["pdns_server", "--config-dir=@DIR@"]),
    "gdnsd": ({"etc/config": """options => {
  listen => [ 127.0.0.1:@PORT@ ]
  run_dir => @DIR@/run
  state_dir => @DIR@/lib
}
""", "etc/zones/@NAME@": "@ZONE@", "run/.keep": "", "lib/.keep": ""}, ["gdnsd", "-c", "@DIR@/etc", "start"]),
    "dnsmasq": ({"dnsmasq.conf": """port=@PORT@
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-daemon
user=root
pid-file=
log-facility=-
@ZONE@
"""}, ["dnsmasq", "-C", "@DIR@/dnsmasq.conf"]),
    "unbound": ({"unbound.conf": """server:
    interface: 127.0.0.1
    port: @PORT@
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "@DIR@"
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-not-query-localhost: no
    module-config: "iterator"
    num-threads: 1
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@@UPSTREAM@
"""}, ["unbound", "-d", "-c", "@DIR@/unbound.conf"]),
    "recursor": ({"recursor.conf": """local-address=127.0.0.1
local-port=@PORT@
socket-dir=@DIR@
forward-zones=mesh=127.0.0.1:@UPSTREAM@, .=127.0.0.1:@UPSTREAM@
dont-query=
dnssec=off
hint-file=no
security-poll-suffix=
daemon=no
write-pid=no
threads=1
"""}, ["pdns_recursor", "--config-dir=@DIR@"]),
}


class Publisher:
    """`zone` is the text of the zone `name`, without its SOA; for dnsmasq, lines of its configuration."""

    def __init__(self, lab, kind, zone="", name="mesh", upstream=0, ready="_api._tcp.mesh"):
        self.lab, self.kind, self.address, self.port = lab, kind, "127.0.0.1", free_port()
        self.directory = tempfile.mkdtemp(prefix=kind + "-", dir=lab.path)
        os.chmod(self.directory, 0o755)
        if kind != "dnsmasq":
            zone = f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns host 1 60 60 60 7\n@ NS ns\nns A 127.0.0.1\n{zone}\n"
        files, command = KINDS[kind]
        for path, text in files.items():
            path = os.path.join(self.directory, self.fill(path, name, upstream, ""))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.fill(text, name, upstream, zone))
        self.process = lab.start(need(command[0]), *(self.fill(word, name, upstream, "") for word in command[1:]),
                                 cwd=self.directory)
        wait_for(self, ready, "SRV")

    def fill(self, text, name, upstream, zone):
        for word, value in (("@DIR@", self.directory), ("@PORT@", self.port), ("@UPSTREAM@", upstream), ("@NAME@", name), ("@ZONE@", zone)):
            text = text.replace(word, str(value))
        return text

    def stop(self):
        self.lab.stop(self.process)


def wait_for(server, name, qtype):
    """Waits until it has an answer to this question."""
    for _ in range(300):
        try:
            if dns.query.udp(dns.message.make_query(name, qtype), server.address, timeout=0.2, port=server.port).answer:
                return
        except (OSError, dns.exception.DNSException):
            pass
        time.sleep(0.05)
    print(f"Bail out! {server.kind} has no answer to {name} {qtype}")
    sys.exit(99)


def fetch_consul():
    """The program of Debian 11, fetched once and not installed; (None, why) if the archive does not have it any more."""
    place = cache("consul-bullseye")
    if not os.path.exists(place):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as fresh:
            said = fetch(fresh, ["consul"], "bullseye")
            if said:
                return None, said.replace("\n", " ")
            os.rename(os.path.join(fresh, "root"), place)
    return os.path.join(place, "usr/bin/consul"), ""


class Consul:
    """`more`: what its configuration has besides, as a dictionary."""

    kind = "consul"

    def __init__(self, lab, program, more=None):
        self.lab, self.address, self.port, self.http = lab, "127.0.0.1", free_port(), free_port()
        directory = tempfile.mkdtemp(prefix="consul-", dir=lab.path)
        config = {"datacenter": "dc1", "node_name": "agent1", "domain": "consul.", "bind_addr": "127.0.0.1",
                  "client_addr": "127.0.0.1", "advertise_addr": "127.0.0.1", "disable_update_check": True,
                  "disable_host_node_id": True, "log_level": "warn",
                  "ports": {"dns": self.port, "http": self.http, "server": free_port(), "serf_lan": free_port(), "serf_wan": -1,
                            "https": -1, "grpc": -1}, **(more or {})}
        with open(os.path.join(directory, "consul.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.process = lab.start(program, "agent", "-dev", f"-config-file={directory}/consul.json", cwd=directory,
                                 env=dict(os.environ, HOME=directory))
        wait_for(self, "consul.service.consul", "SRV")

    def put(self, path, body, method="PUT"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/v1/{path}", json.dumps(body).encode(), method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def register(self, name, number, address, port, weight=1, tags=()):
        self.put("agent/service/register", {"ID": f"{name}-{number}", "Name": name, "Address": address, "Port": port,
                                            "Tags": list(tags), "Weights": {"Passing": weight, "Warning": 1}})

    def register_node(self, node, address, service, port, metadata):
        """A service on a node of its own, as another agent would have it."""
        self.put("catalog/register", {"Node": node, "Address": address, "NodeMeta": metadata,
                                      "Service": {"Service": service, "Port": port}})

    def stop(self):
        self.lab.stop(self.process)


class Samba:
    """A domain controller's own DNS server, with the records of a new domain `ad.mesh`."""

    kind = "samba"

    def __init__(self, lab):
        self.lab, self.address, self.port = lab, "127.0.0.1", free_port()
        directory = tempfile.mkdtemp(prefix="samba-", dir=lab.path)
        subprocess.run([need("samba-tool"), "domain", "provision", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL",
                        "--realm=AD.MESH", "--domain=ADMESH", "--host-name=dc1", "--host-ip=127.0.0.11", "--adminpass=Passw0rd.1x",
                        f"--targetdir={directory}/dc", "--option=interfaces=lo", "--option=bind interfaces only=yes",
                        "--option=dns forwarder="], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.mkdir(os.path.join(directory, "run"))
        options = {"server services": "dns", "dns port": self.port, "pid directory": f"{directory}/run",
                   "ncalrpc dir": f"{directory}/run/ncalrpc", "winbindd socket directory": f"{directory}/run/wb",
                   "log file": f"{directory}/log.%m"}
        self.process = lab.start(need("samba"), "-i", "-M", "single", "--debug-stdout", "-s", f"{directory}/dc/etc/smb.conf",
                                 *(f"--option={key}={value}" for key, value in options.items()))
        wait_for(self, "_ldap._tcp.ad.mesh", "SRV")

    def stop(self):
        self.lab.stop(self.process)
