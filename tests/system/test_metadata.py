# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metadata: filters and preferences by TXT records of a real server; what they cost in questions."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, PROBE, Daemon, Knot, Lab, Tap, follows, in_namespaces  # noqa: E402
from misbehaving import Proxy  # noqa: E402

ZONE = "\n".join(
    [f"_api._tcp SRV 0 {weight} 8080 {host}" for host, weight in (("a", 30), ("b", 10), ("c", 20), ("d", 40))] + [
        'a A 127.0.0.1', 'a TXT "version=2" "zone=eu"',
        'b A 127.0.0.2', 'b TXT "Version=2"', 'b TXT "zone=us"',
        'c A 127.0.0.3', 'c TXT "version=1" "zone=us"',
        'd A 127.0.0.4',
        '_owned._tcp SRV 0 1 8080 a', '_owned._tcp SRV 0 1 8080 d', '_owned._tcp TXT "role=main"',
        '_api._tcp.v2 SRV 0 1 8080 b',
        'plain A 127.0.0.9', 'plain TXT "version=2"',
        '_big._tcp SRV 0 1 8080 big', '_big._tcp SRV 0 1 8080 d', 'big A 127.0.0.5',
        'big TXT ' + " ".join(f'"{chr(97 + i)}={"x" * 250}"' for i in range(16)),
    ]) + "\n"


class Counted:
    """The server behind a proxy that counts questions."""

    def __init__(self, knot):
        self.proxy = Proxy("127.0.0.1", 0, (knot.address, knot.port))
        self.port = self.proxy.udp.getsockname()[1]

    def questions(self):
        n, self.proxy.n_questions = self.proxy.n_questions, 0
        return n


def config(server, more):
    return f"[domain mesh]\nservers = 127.0.0.1:{server.port}\nfamily = ipv4\nanswers = one\ntimeout = 5s\ndeadline = 20s\n{more}\n"


def shares_are(tap, lab, sentence, shares, name="api.mesh"):
    good, counts = follows({f"127.0.0.{last}": share for last, share in shares.items()}, lambda: lab.draws(2000, name))
    tap.check(sentence, good, counts)


def choices(tap, lab, server, daemon):
    """With `daemon` through srvmeshd and the host map, else in each process."""
    def use(more):
        if daemon:
            daemon.config(config(server, more))
            daemon.signal(1)
            time.sleep(0.3)
        else:
            lab.file("srvmesh.conf", config(server, more))

    how = "srvmeshd" if daemon else "embedded"
    use("filter = version=2")
    shares_are(tap, lab, f"{how}: a filter by version, 2,000 draws by weight", {1: 0.75, 2: 0.25})
    use("filter = version=2 zone=eu")
    shares_are(tap, lab, f"{how}: two pairs", {1: 1})
    use("prefer = zone=us")
    shares_are(tap, lab, f"{how}: a preference by zone, 2,000 draws by weight", {2: 1 / 3, 3: 2 / 3})
    use("filter = version=2\nprefer = zone=us")
    shares_are(tap, lab, f"{how}: filter and preference", {2: 1})
    use("filter = version=3")
    tap.equal(f"{how}: a filter that leaves nothing does not count", set(lab.draws(300, "api.mesh")),
              {f"127.0.0.{last}" for last in (1, 2, 3, 4)})
    use("filter = version=3\nfilter_fallback = none")
    tap.equal(f"{how}: unless filter_fallback = none", lab.probe("gai", "unspec", "api.mesh"), "EAI_NODATA")
    use("filter = role=main\nmetadata = owner\nfilter_fallback = none")
    shares_are(tap, lab, f"{how}: metadata of the owner are those of all its targets", {1: 0.5, 4: 0.5}, "owned.mesh")
    use("filter = version=2\nfilter_fallback = none")
    tap.equal(f"{how}: a plain host has its own", lab.probe("gai", "unspec", "plain.mesh"), "127.0.0.9")
    zone = lab.file("zone", "us\n")
    use(f"prefer = zone=@{zone}")
    shares_are(tap, lab, f"{how}: the host's own zone, from a file", {2: 1 / 3, 3: 2 / 3})
    use("srv = _{first}._tcp.v2.{domain} _{first}._tcp.{domain}")
    tap.equal(f"{how}: a tag by a template", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.2")


def costs(tap, lab, server):
    for sentence, keys, name, n in (
            ("no filter, no question for metadata", "", "api.mesh", 1),
            ("a filter: one for each target, which knot does not send along", "filter = version=2", "api.mesh", 1 + 4),
            ("of the owner: one", "filter = role=main\nmetadata = owner", "owned.mesh", 1 + 1)):
        lab.file("srvmesh.conf", config(server, keys))
        server.questions()
        lab.probe("gai", "unspec", name)
        tap.equal(sentence, server.questions(), n)


def followed_file(tap, lab, server):
    """A process follows the file as it follows its configuration."""
    zone = lab.file("zone", "us\n")
    lab.file("srvmesh.conf", config(server, f"prefer = zone=@{zone}\nmax_answers = 1"))
    code, output, _ = lab.run("sh", "-c", '"$0" repeat 4 api.mesh & sleep 1.5; echo eu >"$1.new"; mv "$1.new" "$1"; wait',
                              PROBE, zone)
    lines = output.split()
    tap.check("a program follows the file of its zone", code == 0 and lines and lines[-1] == "127.0.0.1" and
              set(lines[:-1]) <= {"127.0.0.2", "127.0.0.3"}, output)
    os.unlink(zone)
    _, output, errors = lab.run(os.path.join(BUILDDIR, "srvmesh"), "check-config", lab.path + "/srvmesh.conf")
    tap.check("check-config names a file that is not there", f"prefer: {zone} has no value" in errors, errors)
    tap.check("and says what is preferred", f", prefer zone=@{zone}" in output, output)
    tap.check("whose names are ours all the same", lab.probe("gai", "unspec", "api.mesh").startswith("127.0.0."))


def too_large(tap, lab, server):
    daemon = Daemon(lab, config(server, "filter = d=" + "x" * 250))
    shares_are(tap, lab, "of 16 strings of 252 bytes the fourth is kept", {5: 1}, "big.mesh")
    for _ in range(3):
        lab.probe("gai", "unspec", "big.mesh")
    tap.equal("what does not fit is told once", daemon.log().count("a target has too much metadata"), 1)
    daemon.config(config(server, "filter_fallback = none\nfilter = e=" + "x" * 250))
    daemon.signal(1)
    time.sleep(0.3)
    tap.equal("what was cut is not denied", lab.probe("gai", "unspec", "big.mesh"), "EAI_AGAIN")
    daemon.stop()


def main():
    in_namespaces()
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        server = Counted(knot)
        costs(tap, lab, server)
        choices(tap, lab, server, None)
        followed_file(tap, lab, server)
        daemon = Daemon(lab, config(server, ""))
        choices(tap, lab, server, daemon)
        daemon.stop()
        too_large(tap, lab, server)
        server.proxy.stop()
    tap.finish()


if __name__ == "__main__":
    main()
