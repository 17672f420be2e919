# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benches stand on: namespaces with a /run in memory and an /etc of their own, where loopback has its own port 53."""
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), HERE]
from lab import BUILDDIR, Daemon, need, own_etc  # noqa: E402

PROGRAMS = os.path.join(BUILDDIR, "bench")
LOOKUPS = os.path.join(PROGRAMS, "lookups")
UNBOUND, KNOT = "127.0.0.1", "127.0.0.3"
OF_ETC = "-"  # the configuration that a program reads without SRVMESH_CONF
KEYS = "daemon quota = 100%\ncache size = 128M\ncache persist = no"


def prepare(lab):
    own_etc(lab)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    os.makedirs("/etc/srvmesh.conf.d", exist_ok=True)
    for name in os.listdir("/etc/srvmesh.conf.d"):
        os.remove(os.path.join("/etc/srvmesh.conf.d", name))


def write_etc(name, text):
    """Through no link: /etc/resolv.conf is often one."""
    with open("/etc/new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace("/etc/new", os.path.join("/etc", name))


def resolv_is(address):
    write_etc("resolv.conf", f"nameserver {address}\n")


def listening(process, *where):
    """The process, as soon as somebody listens there, in words of ss."""
    while process.poll() is None and not subprocess.run(["ss", "-lH", *where], capture_output=True, check=True).stdout:
        time.sleep(0.01)
    return process


def unbound(lab):
    """With one thread, forwarding to nobody: it asks the server of the zone `mesh` itself."""
    lab.file("unbound.conf", f"""
server:
    interface: {UNBOUND}
    do-daemonize: no
    num-threads: 1
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
    return listening(lab.start(need("unbound"), "-d", "-c", os.path.join(lab.path, "unbound.conf")), "-u", "src", UNBOUND)


def bared(lab):
    """Where libnss_bare.so.2 asks."""
    if os.path.exists("/run/bare"):
        os.remove("/run/bare")
    return listening(lab.start(os.path.join(PROGRAMS, "bared"), "/run/bare", KNOT), "-x", "src", "/run/bare")


def zone(n):
    """Services whose targets are soon known, and `n` whose target nobody else has."""
    return ("$TTL 3600\n*.host A 127.0.0.11\n*.host AAAA ::1\n*.known._tcp SRV 0 1 80 t0\n" +
            "".join(f"t{i} A 127.0.0.{11 + i}\n" for i in range(4)) +
            "".join(f"*.three._tcp SRV 0 1 80 t{i}\n" for i in range(3)) +
            "".join(f"_x{i}._tcp SRV 0 1 80 y{i}\ny{i} A 127.0.0.11\n" for i in range(n)))


def srvmeshd(lab, config, name, keys=KEYS):
    """One with a directory and a configuration of its own, NAME.conf."""
    return Daemon(lab, config, keys, run=os.path.join("/run", name), conf=name + ".conf")


def environment(lab, conf):
    """`conf`: the name of a file of the lab, or OF_ETC."""
    variables = lab.environment(LD_LIBRARY_PATH=BUILDDIR + ":" + PROGRAMS)
    if conf == OF_ETC:
        del variables["SRVMESH_CONF"]
    else:
        variables["SRVMESH_CONF"] = os.path.join(lab.path, conf)
    return variables


def output(lab, conf, *command):
    """The numbers that a program prints, of each line."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, check=False, env=environment(lab, conf))
    lines = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    if done.returncode != 0 or not lines:
        sys.exit(f"bench: {' '.join(str(word) for word in command)}: {done.stdout}{done.stderr}")
    return lines


def lookups(lab, conf, hosts, calls, threads, pattern, first=0, last=0):
    """Median and 99th percentile of a call in ns, calls a second, failures."""
    return output(lab, conf, LOOKUPS, hosts, calls, threads, pattern, first, last)[0]


def median_ratio(some, others):
    """Of two results of the same rounds."""
    return statistics.median(one / other for one, other in zip(some, others))


def cpu_ns(process):
    """What all its threads have used."""
    total = 0
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total
