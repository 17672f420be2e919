# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other release of Debian: on 12 it is 13, on 13 it is 12. The release tarball is built there, and unit tests,
scenarios and the demo run; the packages of 12 are installed on 13. Its root is made by mmdebstrap and kept in
~/.cache/srvmesh; all changes go to memory and are lost at the end."""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
from lab import SRCDIR, Knot, Lab, Tap, in_namespaces  # noqa: E402
from machine import archive, cached_root, open_root, run, suite, umount  # noqa: E402
from test_packages import one, version  # noqa: E402

OTHER = {"bookworm": "trixie", "trixie": "bookworm"}
PURPOSES = ("build", "demo", "other")
ZONE = "_api._tcp SRV 0 0 8080 a\na A 127.0.0.11\n"


def packages():
    """The packages that packaging/debian-packages names for these purposes."""
    with open(os.path.join(SRCDIR, "packaging", "debian-packages"), encoding="utf-8") as file:
        lines = dict(line.split(": ", 1) for line in file if not line.startswith("#"))
    return sorted({word.split(":")[0] for purpose in PURPOSES for word in lines[purpose].split()})


def built_there(tap, other, view):
    subprocess.run(["tar", "-xf", one("srvmesh-*.tar.xz"), "-C", os.path.join(view, "srv")], check=True)
    tree = f"/srv/srvmesh-{version()}"
    code, output = run(view, f"cd {tree} && ./dev build")
    tap.check(f"Debian {other}: the release builds", code == 0, output[-3000:])
    code, output = run(view, f"cd {tree}/build && make --silent -j2 check "
                             "TESTS='$(unit_tests) $(check_scripts) $(scenario_tests) tests/system/test_knot.py tests/system/test_soak.py'")
    counts = {word: int(n) for word, n in re.findall(r"^# (\w+): +(\d+)", output, re.M)}
    tap.check(f"Debian {other}: units, scenarios, real programs and the soak of its liblmdb pass, {counts.get('PASS', 0)} checks",
              code == 0 and counts.get("PASS", 0) > 400 and not counts.get("SKIP"),
              *[line for line in output.splitlines() if line.startswith(("FAIL", "ERROR", "SKIP"))], output[-2000:] if not counts else "")
    code, output = run(view, f"cd {tree} && ./dev demo")
    tap.check(f"Debian {other}: the demo shows what it says", code == 0 and "That was srvmesh" in output, output[-3000:])


def installed_there(tap, other, lab, view):
    """Installs the packages that were built here."""
    for deb in (one("libnss-srvmesh_*.deb"), one("srvmeshd_*.deb")):
        shutil.copy(deb, os.path.join(view, "tmp"))
    code, output = run(view, "DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/*.deb")
    tap.check(f"the packages of {suite()} install on {other}", code == 0, output)
    knot = Knot(lab, ZONE)
    with open(os.path.join(view, "etc/srvmesh.conf"), "w", encoding="utf-8") as file:
        file.write(f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n")
    code, output = run(view, "getent ahosts api.mesh")
    tap.check("... and an SRV name is resolved, by nsswitch.conf as they have made it", code == 0 and "127.0.0.11 " in output, output)
    code, output = run(view, "install -d -o srvmesh -g srvmesh /run/srvmesh && cd / && setpriv --reuid=srvmesh --regid=srvmesh "
                             "--clear-groups srvmeshd >/dev/null 2>&1 && getent ahosts api.mesh && srvmesh status --json")
    tap.check("... and by srvmeshd", code == 0 and "127.0.0.11 " in output and re.search(r'"jobs": *1\b', output), output)


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP it needs root, to make a machine")
        sys.exit(0)
    other = OTHER.get(suite())
    root = cached_root(other, packages(), other, may_lack=True) if other else None
    if not root:
        print(f"1..0 # SKIP not possible here: {archive()} has no {other or 'release that goes with ' + suite()}")
        sys.exit(0)
    in_namespaces()
    tap = Tap()
    with Lab() as lab:
        view = open_root(lab, root)
        try:
            built_there(tap, other, view)
            if other == "trixie":
                installed_there(tap, other, lab, view)
        finally:
            for process in lab.processes:
                lab.stop(process)
            umount(lab, view)
    tap.finish()


main()
