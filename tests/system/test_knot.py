# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real programs, through glibc and the plugin, against a real DNS server (Knot)."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, NO_NAMESPACES, Knot, Lab, Tap, follows, in_namespaces, need  # noqa: E402

ZONE = """
_api._tcp SRV 10 60 8080 a
_api._tcp SRV 10 30 8080 b
_api._tcp SRV 10 10 8081 c
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
_two._tcp SRV 0 0 1 both
both A 127.0.0.21
both AAAA ::1
_w1._tcp SRV 0 60 1 a
_w1._tcp SRV 0 30 1 b
_w1._tcp SRV 0 10 1 c
_w2._tcp SRV 0 1 1 a
_w2._tcp SRV 0 1 1 b
_w3._tcp SRV 0 0 1 a
_w3._tcp SRV 0 5 1 b
_w4._tcp SRV 0 0 1 a
_w4._tcp SRV 0 0 1 b
plain A 127.0.0.9
alias CNAME plain
_gone._tcp SRV 0 0 0 .
"""
CONFIG = """
[domain mesh]
servers = 127.0.0.1:{port}
"""
ONE = "".join(f"[service w{i}.mesh]\nanswers = one\n" for i in range(1, 5))
API = {"127.0.0.11", "127.0.0.12", "127.0.0.13"}


def addresses(output):
    return {line.split()[0] for line in output.splitlines() if line}


def getent(tap, lab):
    for database in ("ahosts", "ahostsv4"):
        _, output, _ = lab.run("getent", "-s", "hosts:srvmesh", database, "api.mesh")
        tap.equal(f"getent {database} shows all targets", addresses(output), API)
    _, output, _ = lab.run("getent", "-s", "hosts:srvmesh", "hosts", "api.mesh")
    tap.equal("getent hosts shows all targets", addresses(output), API)
    _, output, _ = lab.run("getent", "-s", "hosts:srvmesh", "ahostsv6", "two.mesh")
    tap.equal("getent ahostsv6 shows the IPv6 address", addresses(output), {"::1"})
    code, _, _ = lab.run("getent", "-s", "hosts:srvmesh", "ahosts", "gone.mesh")
    tap.equal("getent exits with 2 for a service that is not available", code, 2)


def hints(tap, lab):
    """Every combination: each one calls another function of the plugin."""
    both, four, six = "127.0.0.21 ::1", "127.0.0.21", "::1"
    expected = {
        ("unspec",): both, ("inet",): four, ("inet6",): six,
        ("unspec", "canonname"): both, ("inet", "canonname"): four, ("inet6", "canonname"): six,
        ("unspec", "addrconfig"): both, ("inet", "addrconfig"): four,
        ("inet6", "v4mapped"): six, ("inet6", "v4mapped", "all"): "::1 ::ffff:127.0.0.21",
        ("unspec", "canonname", "addrconfig"): both,
    }
    for (family, *flags), answer in expected.items():
        answer = answer + (" canonname=two.mesh" if "canonname" in flags else "")
        got = lab.probe("gai", family, "two.mesh", *flags)
        tap.equal(f"getaddrinfo {family} {' '.join(flags)} answers", sorted(got.split()), sorted(answer.split()))
    tap.equal("IPv4 is mapped where there is no IPv6", lab.probe("gai", "inet6", "plain.mesh", "v4mapped"),
              "::ffff:127.0.0.9")
    tap.equal("the canonical name of a plain host is that of nss_dns: where its CNAMEs lead",
              lab.probe("gai", "inet", "ALIAS.mesh.", "canonname"), "127.0.0.9 canonname=plain.mesh")
    tap.equal("gethostbyname says it, too, and the name that was asked as its alias", lab.probe("host", "inet", "alias.mesh"),
              "name=plain.mesh alias=alias.mesh errno=0 127.0.0.9")
    tap.equal("gethostbyname2 answers and leaves errno alone", lab.probe("host", "inet", "two.mesh"),
              "name=two.mesh errno=0 127.0.0.21")
    tap.equal("gethostbyname2 answers for IPv6", lab.probe("host", "inet6", "two.mesh"), "name=two.mesh errno=0 ::1")


def weights(tap, lab):
    """10,000 draws for each case, in one process; p > 0.001."""
    cases = [("w1", "60/30/10", {"127.0.0.11": .6, "127.0.0.12": .3, "127.0.0.13": .1}),
             ("w2", "1/1", {"127.0.0.11": .5, "127.0.0.12": .5}),
             ("w3", "0/5", {"127.0.0.11": 1 / 1281, "127.0.0.12": 1280 / 1281}),
             ("w4", "0/0", {"127.0.0.11": .5, "127.0.0.12": .5})]
    for name, weight, shares in cases:
        good, counts = follows(shares, lambda name=name: lab.draws(10000, f"{name}.mesh"))
        tap.check(f"10,000 draws of one follow the weights {weight}", good, counts)


def guests(tap, lab):
    for family in ("inet", "inet6"):
        tap.equal(f"every buffer length from 0 to 4096 is respected for {family}",
                  lab.probe("buffers", family, "two.mesh"), "fits from some size on")
    anywhere = lab.file("any.conf", CONFIG.replace("127.0.0.1", "0.0.0.0").format(port=lab.port))
    tap.equal("a server at 0.0.0.0 is this host's", lab.probe("gai", "inet", "plain.mesh", SRVMESH_CONF=anywhere),
              "127.0.0.9")
    tap.equal("64 threads find it", lab.probe("threads", 64, "api.mesh"), "0 failures")
    # not a scenario, because under ASan a fork while threads run leaves ASan's allocator locked in the child
    tap.equal("both sides of forks find it", lab.probe("forks", 50, "api.mesh"), "0 failures")
    tap.equal("closed standard descriptors stay closed", lab.probe("closed", "api.mesh"),
              "found, descriptors 0 to 2 still closed")
    tap.equal("a stack of 64 KiB suffices", lab.probe("stack", "api.mesh"), "found")
    code, output, errors = lab.run(os.path.join(BUILDDIR, "tests", "hostile_host"), "api.mesh")
    tap.equal("a host that exports ares_*, ini_* and sm_* captures no call", (code, output, errors), (0, "found", ""))
    tap.equal("without a free descriptor the verdict is EAI_AGAIN", lab.probe("starved", "api.mesh"), "EAI_AGAIN")
    started = time.monotonic()
    output = lab.probe("gai", "inet", "api.mesh", RES_OPTIONS="timeout:30 attempts:9", LOCALDOMAIN="example",
                       HOSTALIASES="/nonexistent")
    tap.check("the resolver's environment is not ours", set(output.split()) == API and time.monotonic() - started < 2,
              output)


def clocks(tap, lab):
    """A program that replaces the system's clock by one that stands still."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    config = lab.file("frozen.conf", f"[domain mesh]\nservers = 127.0.0.1:{silent.getsockname()[1]}\ndeadline = 1s\n")
    started = time.monotonic()
    output = lab.probe("gai", "inet", "api.mesh", SRVMESH_CONF=config, timeout=20,
                       LD_PRELOAD=os.path.join(BUILDDIR, "tests", "frozen_clock.so"))
    tap.check("a clock that stands still does not stop the deadline",
              output == "EAI_AGAIN" and time.monotonic() - started < 2, output)
    silent.close()


def sandboxes(tap, lab):
    """System calls are refused, as by a seccomp filter: there is a verdict, never a crash."""
    probe = os.path.join(BUILDDIR, "tests", "probe")
    forbidden = "rc=ENOENT errno=ENOENT h_errno=3"  # UNAVAIL: the next module may have a way
    failure = "rc=EAGAIN errno=EAGAIN h_errno=2"
    for call, error, expected in [
            ("socket", "EPERM", forbidden), ("socket", "EACCES", forbidden), ("socket", "ENOSYS", forbidden),
            ("socket", "EAFNOSUPPORT", forbidden), ("ppoll", "EPERM", forbidden), ("ppoll", "ENOSYS", forbidden),
            ("socket", "EMFILE", failure), ("connect", "ENETUNREACH", failure), ("connect", "EPERM", failure),
            ("sendmsg", "EPERM", failure), ("sendmsg", "EACCES", failure), ("recvfrom", "EPERM", failure)]:
        started = time.monotonic()
        _, output, _ = lab.run(need("strace"), "-o", os.path.join(lab.path, "trace"), "-f", "-e",
                               f"inject={call}:error={error}", probe, "host", "inet", "plain.mesh")
        verdict = "UNAVAIL" if expected == forbidden else "TRYAGAIN"
        tap.equal(f"{call} refused with {error} is {verdict}", output, expected)
        tap.check(f"{call} refused with {error} costs no more than the deadline", time.monotonic() - started < 3.5)
    for call, error in [("getrandom", "ENOSYS"), ("getrandom", "EPERM"), ("madvise", "ENOSYS"), ("clock_gettime", "ENOSYS")]:
        code, output, _ = lab.run(need("strace"), "-o", os.path.join(lab.path, "trace"), "-f", "-e",
                                  f"inject={call}:error={error}", probe, "gai", "inet", "plain.mesh")
        tap.equal(f"{call} refused with {error} changes nothing", (code, output), (0, "127.0.0.9"))


def programs(tap, lab):
    """Unchanged programs on a host whose nsswitch.conf names us."""
    code, output, errors = lab.host("getent", "ahosts", "api.mesh")
    tap.equal("getent finds it through nsswitch.conf", addresses(output), API)
    code, output, errors = lab.host(need("python3"), "-c", "import socket; print(socket.getaddrinfo("
                                    "'plain.mesh', 80, type=socket.SOCK_STREAM)[0][4][0])")
    tap.equal("python3 finds it", (code, output), (0, "127.0.0.9"))
    code, output, errors = lab.host(need("node"), "-e", "require('dns').lookup('plain.mesh', (error, address) => "
                                    "console.log(error ? error.code : address))")
    tap.check("node finds it", (code, output) == (0, "127.0.0.9"), code, output, errors)
    code, output, errors = lab.host(need("node"), "-e", "require('dns').lookup('nope.mesh', (error, address) => "
                                    "console.log(error ? error.code : address))")
    tap.check("node is told that there is no such name", (code, output) == (0, "ENOTFOUND"), code, output, errors)
    code, output, errors = lab.host("getent", "ahosts", "localhost")
    tap.equal("foreign names go on as before", code, 0)


def web(tap, lab):
    for last in (11, 12, 13):
        directory = os.path.join(lab.path, f"web{last}")
        os.mkdir(directory)
        with open(os.path.join(directory, "index.html"), "w", encoding="utf-8") as page:
            page.write(f"page of 127.0.0.{last}\n")
        server = lab.start(need("python3"), "-u", "-m", "http.server", "--bind", f"127.0.0.{last}", "--directory",
                           directory, "0" if last == 11 else str(web.port))
        if last == 11:
            web.port = port_of(lab)
        web.servers.append(server)
    url = f"http://api.mesh:{web.port}/"
    time.sleep(0.5)
    _, output, errors = lab.host(need("curl"), "-s", "--max-time", "5", url)
    tap.check("curl gets a page of one of the targets", output.startswith("page of 127.0.0.1"), output, errors)


web.servers = []
web.port = 0


def port_of(lab):
    for _ in range(100):
        with open(os.path.join(lab.path, "python3.log"), encoding="utf-8") as log:
            words = log.read().split()
        if "port" in words:
            return int(words[words.index("port") + 1])
        time.sleep(0.05)
    sys.exit("the web server does not say its port")


def valgrind(tap, lab):
    for family, name in (("ahosts", "api.mesh"), ("ahostsv6", "two.mesh"), ("hosts", "nope.mesh")):
        code, _, errors = lab.run(need("valgrind"), "-q", "--error-exitcode=99", "--leak-check=full",
                                  "--errors-for-leak-kinds=definite,indirect", "getent", "-s", "hosts:srvmesh", family, name)
        tap.check(f"valgrind finds nothing in getent {family} {name}", code in (0, 2) and not errors, code, errors)


def changes(tap, lab, knot):
    """A running process follows its configuration, and keeps a good one when the new one is bad."""
    watcher = lab.start(os.path.join(BUILDDIR, "tests", "probe"), "repeat", "8", "plain.mesh", env=lab.environment())
    log = os.path.join(lab.path, "probe.log")

    def wait_for(text):
        for _ in range(60):
            with open(log, encoding="utf-8") as file:
                if file.read() == text:
                    return True
            time.sleep(0.05)
        return False

    tap.check("a process has the first configuration", wait_for("127.0.0.9\n"))
    lab.file("srvmesh.conf", "[domain mesh]\nnonsense\n")
    time.sleep(1.5)
    tap.check("a bad configuration changes nothing for it", wait_for("127.0.0.9\n"))
    code, _, errors = lab.run(os.path.join(BUILDDIR, "srvmesh"), "check-config")
    tap.equal("check-config names file and line", (code, errors), (
        1, f'srvmesh: {lab.path}/srvmesh.conf:2: "nonsense": expected a [section] or key = value'))
    lab.file("srvmesh.conf", "[domain elsewhere]\n" + CONFIG.format(port=knot.port).replace("mesh", "other"))
    tap.check("a good one is followed within two seconds", wait_for("127.0.0.9\nEAI_NONAME\n"))
    lab.stop(watcher)


def main():
    if Lab.can_be_a_host():
        in_namespaces(is_wired=True)
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        lab.port = knot.port
        lab.file("srvmesh.conf", CONFIG.format(port=knot.port) + ONE)
        getent(tap, lab)
        hints(tap, lab)
        weights(tap, lab)
        guests(tap, lab)
        clocks(tap, lab)
        sandboxes(tap, lab)
        if lab.can_be_a_host():
            programs(tap, lab)
            web(tap, lab)
        else:
            tap.skip("unchanged programs by nsswitch.conf", NO_NAMESPACES)
        valgrind(tap, lab)
        changes(tap, lab, knot)
    tap.finish()


main()
