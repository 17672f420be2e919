# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real forwarders between us and the server of a zone: what they make of large answers is read for what it is."""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "packaging")]
from lab import Knot, Lab, Tap, free_port, in_namespaces, need, own_etc  # noqa: E402
from machine import unpacked  # noqa: E402

SIZES = (1, 40, 400)
ZONE = "".join(f"_s{n}._tcp SRV 1 1 80 t{i}\n" for n in SIZES for i in range(n)) + \
    "".join(f"t{i} A 127.1.{i // 250}.{i % 250 + 1}\n" for i in range(max(SIZES)))


def dnsmasq(lab, knot):
    port = free_port()
    lab.start(need("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--server=127.0.0.1#{knot.port}",
              f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--conf-file=/dev/null", "--user=root", "--pid-file=",
              "--edns-packet-max=65535")
    return f"127.0.0.1:{port}"


def resolved(lab, knot):
    """Its stub, which has no TCP that a guest could count on."""
    for folder in ("/run", "/var/lib"):
        subprocess.run([need("mount"), "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    own_etc(lab)
    with open("/etc/passwd", "a", encoding="utf-8") as file:
        file.write("systemd-resolve:x:991:991::/:/usr/sbin/nologin\n")
    with open("/etc/group", "a", encoding="utf-8") as file:
        file.write("systemd-resolve:x:991:\n")
    os.makedirs("/run/systemd/resolved.conf.d")
    with open("/run/systemd/resolved.conf.d/test.conf", "w", encoding="utf-8") as file:
        file.write(f"[Resolve]\nDNS=127.0.0.1:{knot.port}\nFallbackDNS=\nDomains=~.\nDNSSEC=no\nDNSOverTLS=no\nLLMNR=no\n"
                   "MulticastDNS=no\nReadEtcHosts=no\n")
    lab.start(os.path.join(unpacked("systemd-resolved"), "lib", "systemd", "systemd-resolved"),
              env=dict(os.environ, SYSTEMD_LOG_TARGET="console"))
    return "127.0.0.53:53"


def is_up(lab, server):
    lab.file("srvmesh.conf", f"[domain mesh]\nservers = {server}\nfamily = ipv4\nanswers = one\n[cache]\nmemory_entries = 0\n")
    for _ in range(100):
        if lab.probe("gai", "inet", "s1.mesh") == "127.1.0.1":
            return True
        time.sleep(0.1)
    return False


def main():
    unpacked("systemd-resolved")  # the namespaces have no way to the archive
    in_namespaces(is_wired=True)
    tap = Tap()
    for begin in (dnsmasq, resolved):
        with Lab() as lab:
            knot = Knot(lab, ZONE)
            server = begin(lab, knot)
            tap.check(f"{begin.__name__} is there", is_up(lab, server), server)
            for n in SIZES:
                for turn in ("first", "second"):  # from its cache
                    _, output, errors = lab.run(need("getent"), "-s", "hosts:srvmesh", "ahostsv4", f"s{n}.mesh")
                    tap.check(f"a service of {n} targets behind {begin.__name__} has an address, the {turn} time",
                              output.startswith("127.1."), output, errors)
            drawn = {lab.probe("gai", "inet", f"s{SIZES[1]}.mesh") for _ in range(30)}
            tap.check("... and its targets are drawn", len(drawn) > 5, drawn)
    tap.finish()


main()
