# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers behind a network that misbehaves, in a namespace: packets delayed, lost, reordered, servers that fall silent
and come back, for a process alone and for srvmeshd; link-local servers, and resolv.conf's `options use-vc`."""
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import GUEST, PROBE, Daemon, Knot, Lab, Tap, in_namespaces, need  # noqa: E402
from misbehaving import Proxy  # noqa: E402

KNOT = "127.0.0.21"
HOSTS = ["127.0.0.31", "127.0.0.32"]
# every service exists, and so does every host; one service has three targets without addresses beside them
ZONE = """t0 A 127.0.0.99
*._tcp SRV 0 1 80 t0
_many._tcp SRV 0 1 80 a.targets
_many._tcp SRV 0 1 80 b.targets
_many._tcp SRV 0 1 80 c.targets
a.targets A 127.0.0.1
b.targets A 127.0.0.2
c.targets A 127.0.0.3
*.plain A 127.0.0.98
"""
FORGETFUL = "[cache]\nmemory_entries = 0\n"


def calm(proxies):
    for proxy in proxies:
        proxy.delay_ms, proxy.jitter_ms, proxy.loss, proxy.is_silent, proxy.n_questions = 0, 0, 0, False, 0


def config(more="", servers=None, cache=FORGETFUL):
    return f"[domain mesh]\nservers = {servers or ' '.join(HOSTS)}\n{more}\n{cache}"


def timed(lab, *names):
    """Of each name: the answer, and the ms it took."""
    return [(line.rsplit(" ", 1)[0], float(line.rsplit(" ", 1)[1])) for line in lab.guest("timed", *names).splitlines()]


def names(prefix, n):
    return [f"{prefix}{i}.mesh" for i in range(n)]


def lossy(tap, lab, proxies):
    for fault, values in (("delayed by 40 ms each way", {"delay_ms": 40}), ("lost, three of ten each way", {"loss": 0.3}),
                          ("reordered", {"jitter_ms": 60}), ("delayed, lost and reordered", {"delay_ms": 10, "loss": 0.2, "jitter_ms": 40})):
        for who in ("a process", "srvmeshd"):
            calm(proxies)
            for proxy in proxies:
                for name, value in values.items():
                    setattr(proxy, name, value)
            daemon = None
            if who == "srvmeshd":
                daemon = Daemon(lab, config("answers = all", cache=""))
            else:
                lab.file("srvmesh.conf", config("answers = all"))
            took = timed(lab, *names("l", 12), "many.mesh")
            tap.equal(f"packets {fault}: {who} finds every service", [answer for answer, _ in took[:-1]], ["127.0.0.99"] * 12)
            tap.equal("... and all targets of one", sorted(took[-1][0].split()), ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
            if daemon:
                daemon.stop()
    calm(proxies)


def silent(tap, lab, proxies):
    calm(proxies)
    proxies[0].is_silent = True
    daemon = Daemon(lab, config(cache=""))
    took = timed(lab, *names("s", 30))
    tap.equal("first of two servers silent: srvmeshd finds everything", {answer for answer, _ in took}, {"127.0.0.99"})
    before = proxies[0].n_questions
    time.sleep(0.7)
    timed(lab, *names("after", 30))
    tap.check("... and the silent server is asked by copies alone", proxies[0].n_questions - before <= 2, proxies[0].n_questions - before)
    before = proxies[0].n_questions
    for i in range(100):  # until its time has come, after four seconds at last, and it is left alone for the next eight
        timed(lab, f"wait{i}.mesh")
        time.sleep(0.1)
        if i >= 25 and proxies[0].n_questions > before:
            break
        before = proxies[0].n_questions if i < 25 else before
    time.sleep(1)
    timed(lab, "published.mesh")
    time.sleep(1)
    daemon.kill()
    before = proxies[0].n_questions
    answers = {timed(lab, name)[0][0] for name in names("later", 20)}
    tap.equal("processes that find srvmeshd dead ask by themselves", answers, {"127.0.0.99"})
    tap.check("... and begin with what srvmeshd knew: they leave the silent server alone", proxies[0].n_questions - before <= 8,
              proxies[0].n_questions - before)
    calm(proxies)


def comes_back(tap, lab, proxies):
    calm(proxies)
    proxies[0].is_silent = True
    daemon = Daemon(lab, config(cache=""), run=os.path.join(lab.path, "run-back"))
    timed(lab, *names("c", 5))
    time.sleep(0.6)
    proxies[0].is_silent = False
    until = time.monotonic() + 40
    while "answers again" not in daemon.log() and time.monotonic() < until:
        lab.probe("gai", "inet", f"w{time.monotonic_ns()}.mesh")
        time.sleep(0.1)
    tap.check("a silent server that is back is used again", "a server answers again" in daemon.log(), daemon.log())
    tap.check("... and was told apart in the log", f"server={HOSTS[0]}:53" in daemon.log(), daemon.log())
    proxies[0].n_questions = proxies[1].n_questions = 0
    timed(lab, *names("again", 5))
    tap.check("... for all lookups", proxies[0].n_questions >= 5, (proxies[0].n_questions, proxies[1].n_questions))
    daemon.stop()


def outage(tap, lab, proxies):
    calm(proxies)
    daemon = Daemon(lab, config("deadline = 1s", cache=""))
    for proxy in proxies:
        proxy.is_silent = True
    took = timed(lab, *names("o", 5))
    tap.equal("all servers silent: nothing is found", {answer for answer, _ in took}, {"EAI_AGAIN"})
    took = timed(lab, *names("n", 12))
    tap.equal("... for any name", {answer for answer, _ in took}, {"EAI_AGAIN"})
    waited = [ms for _, ms in took if ms > 100]
    tap.check("... and after three seconds only the name that asks waits", len(waited) <= 2, took)
    before = sum(proxy.n_questions for proxy in proxies)
    for i in range(30):
        timed(lab, *names(f"p{i}x", 20))
        time.sleep(0.1)
    asked = sum(proxy.n_questions for proxy in proxies) - before
    tap.check("600 names in three seconds ask each server some few times", asked <= 2 * 12, asked)
    calm(proxies)
    began = time.monotonic()
    while lab.probe("gai", "inet", "o0.mesh") != "127.0.0.99" and time.monotonic() < began + 10:
        time.sleep(0.05)
    tap.check("when they are back, a name that failed is found", time.monotonic() < began + 3, time.monotonic() - began)
    tap.equal("... and all others that failed", {answer for answer, _ in timed(lab, *names("o", 5), *names("p0x", 20))}, {"127.0.0.99"})
    daemon.stop()


def slow_renewal(tap, lab, proxies, knot):
    """A process alone: the only server needs 700 ms, which is more than stale_after. Its zone changes."""
    calm(proxies)
    proxies[0].delay_ms = 350
    lab.file("srvmesh.conf", config("max_ttl = 1s\nstale_after = 500ms\nfallback = none\nfamily = ipv4", servers=HOSTS[0], cache=""))
    process = subprocess.Popen([PROBE, "draws", "90", "slow.mesh", "100"], env=lab.environment(), stdout=subprocess.PIPE)
    time.sleep(2)
    knot.change(ZONE.replace("127.0.0.99", "127.0.0.77"))
    seen = [line.split()[0] for line in process.communicate()[0].decode().splitlines()]
    tap.equal("an answer past its TTL is renewed although the server needs longer than stale_after", sorted(seen), ["127.0.0.77", "127.0.0.99"])
    knot.change(ZONE)
    calm(proxies)


# Resolves a name, waits until it is past its TTL, and looks it up in eight threads at once.
THREADS = """
import socket, sys, threading, time
socket.getaddrinfo(sys.argv[1], None)
sys.stdin.readline()
took = []
def look_up():
    began = time.monotonic()
    socket.getaddrinfo(sys.argv[1], None)
    took.append(time.monotonic() - began)
def at_once(n):
    threads = [threading.Thread(target=look_up) for _ in range(n)]
    for thread in threads: thread.start()
    return threads
first = at_once(1)
time.sleep(0.1)
for thread in at_once(7) + first: thread.join()
print(sum(1 for s in took if s > 0.3))
"""


def one_thread_pays(tap, lab, proxies):
    calm(proxies)
    lab.file("srvmesh.conf", config("max_ttl = 1s\nstale_after = 1s", cache=""))
    lab.file("nsswitch.conf", "hosts: srvmesh\n")
    path = os.path.realpath("/etc/nsswitch.conf")
    subprocess.run(["mount", "--bind", os.path.join(lab.path, "nsswitch.conf"), path], check=True)
    process = subprocess.Popen([need("python3"), "-c", THREADS, "thread.mesh"], env=lab.environment(), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    time.sleep(1.5)
    for proxy in proxies:
        proxy.is_silent = True
    output = process.communicate("go\n")[0]
    tap.equal("of eight threads that look up an old answer one pays for the renewal", output.strip(), "1")
    subprocess.run(["umount", path], check=True)
    calm(proxies)


def paused(tap, lab, proxies):
    """srvmeshd is stopped while answers are under way: their servers were not silent."""
    calm(proxies)
    for proxy in proxies:
        proxy.delay_ms = 60
    daemon = Daemon(lab, config(cache=""), run=os.path.join(lab.path, "run-paused"))
    users = [subprocess.Popen([GUEST, "timed", name], env=lab.environment(), stdout=subprocess.PIPE, text=True)
             for name in names("stopped", 4)]
    time.sleep(0.06)
    daemon.signal(signal.SIGSTOP)
    time.sleep(1.5)
    daemon.signal(signal.SIGCONT)
    answers = {user.communicate()[0].split()[0] for user in users}
    tap.equal("lookups survive a srvmeshd that was stopped", answers, {"127.0.0.99"})
    time.sleep(1.2)
    tap.check("... and no server is blamed for it", "a server has failed" not in daemon.log().split("ready")[-1], daemon.log())
    daemon.stop()
    calm(proxies)


def sent_on(tap, lab, proxies):
    """What waits at a server is sent on when it is overtaken in another job."""
    calm(proxies)
    proxies[0].is_silent = True
    daemon = Daemon(lab, config(cache=""), run=os.path.join(lab.path, "run-on"))
    users = []
    for name in ("first.mesh", "second.mesh"):
        users.append(subprocess.Popen([GUEST, "timed", name], env=lab.environment(), stdout=subprocess.PIPE, text=True))
        time.sleep(0.09)
    first, second = (float(user.communicate()[0].split()[-1]) for user in users)
    tap.check("a lookup that waits at a silent server goes on when another one was answered elsewhere", second < 95, (first, second))
    daemon.stop()
    calm(proxies)


def link_local(tap, lab):
    """fe80::1%host0 as a server, in a configuration and in resolv.conf."""
    subprocess.run([need("ip"), *"address add fe80::1/64 dev host0 nodad".split()], check=True)
    index = socket.if_nametoindex("host0")
    proxy = Proxy("fe80::1", 53, (KNOT, 53), scope=index)
    for server in ("fe80::1%host0", "[fe80::1%host0]:53", f"[fe80::1%{index}]:53"):
        lab.file("srvmesh.conf", config("deadline = 1s", servers=server))
        tap.equal(f"servers = {server} answers", lab.probe("gai", "inet", "local.mesh"), "127.0.0.99")
    lab.file("srvmesh.conf", config("deadline = 1s", servers="[fe80::1%nothing0]:53"))
    tap.equal("a zone that this host does not have is a failure", lab.probe("gai", "inet", "local.mesh"), "EAI_AGAIN")
    lab.file("srvmesh.conf", f"[domain mesh]\ndeadline = 1s\n{FORGETFUL}")
    resolv_is(lab, "nameserver fe80::1%host0\n")
    tap.equal("nameserver fe80::1%host0 in resolv.conf answers", lab.probe("gai", "inet", "local.mesh"), "127.0.0.99")
    proxy.stop()


def resolv_is(lab, text):
    path = os.path.realpath("/etc/resolv.conf")
    subprocess.run(["umount", path], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["mount", "--bind", lab.file("resolv.conf", text), path], check=True)


def streams(tap, lab, proxies):
    calm(proxies)
    lab.file("srvmesh.conf", f"[domain mesh]\n{FORGETFUL}")
    for options, streams_wanted in (("options use-vc edns0\n", True), ("options edns0 trust-ad rotate timeout:1 attempts:9\n", False)):
        resolv_is(lab, options + "".join(f"nameserver {host}\n" for host in HOSTS))
        for proxy in proxies:
            proxy.n_questions = proxy.n_streams = 0
        tap.equal(f"resolv.conf with {options.strip()} answers", lab.probe("gai", "inet", "vc.mesh"), "127.0.0.99")
        tap.equal("... by TCP alone" if streams_wanted else "... by UDP", (proxies[0].n_streams > 0, proxies[0].n_questions > 0),
                  (streams_wanted, not streams_wanted))


def main():
    in_namespaces(is_wired=True)
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE, 53, KNOT)
        proxies = [Proxy(host, 53, (KNOT, 53), seed) for seed, host in enumerate(HOSTS)]
        for story in (lossy, silent, comes_back, paused, sent_on, outage, one_thread_pays):
            story(tap, lab, proxies)
        slow_renewal(tap, lab, proxies, knot)
        streams(tap, lab, proxies)
        link_local(tap, lab)
        for proxy in proxies:
            proxy.stop()
    tap.finish()


if __name__ == "__main__":
    main()
