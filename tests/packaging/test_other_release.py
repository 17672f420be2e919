# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other release of Debian: on 12 it is 13, on 13 it is 12. The release tarball is built there, units and scenarios run, and the
demo; the packages of 12 are installed on 13. Its root is made by mmdebstrap and kept in ~/.cache/srvmesh; what happens in it
is written elsewhere, and gone in the end."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
from lab import SRCDIR, Knot, Lab, Tap, in_namespaces  # noqa: E402
from machine import archive, cache, make_root, suite  # noqa: E402
from test_packages import one, version  # noqa: E402

OTHER = {"bookworm": "trixie", "trixie": "bookworm"}
PURPOSES = ("build", "demo", "other")
ZONE = "_api._tcp SRV 0 0 8080 a\na A 127.0.0.11\n"
ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"]


def packages():
    """What packaging/debian-packages names for these purposes."""
    with open(os.path.join(SRCDIR, "packaging", "debian-packages"), encoding="utf-8") as file:
        lines = dict(line.split(": ", 1) for line in file if not line.startswith("#"))
    return sorted({word.split(":")[0] for purpose in PURPOSES for word in lines[purpose].split()})


def cached_root(other):
    """The root, made where it is not there yet or holds other packages; None: the archive has no such suite."""
    mark = hashlib.sha256(" ".join(packages()).encode()).hexdigest()[:8]
    root = cache(f"{other}-{mark}")
    if os.path.exists(root):
        return root
    folder = os.path.dirname(root)
    for name in os.listdir(folder):
        if name.startswith(f"{other}-"):
            shutil.rmtree(os.path.join(folder, name))
    fresh = tempfile.mkdtemp(prefix=f"{other}-", dir=folder)
    os.chmod(fresh, 0o755)
    if not make_root(fresh, packages(), other, may_lack=True):
        shutil.rmtree(fresh)
        return None
    os.rename(fresh, root)
    return root


def open_root(lab, root):
    """A view of it that can be written: what is written lies in memory."""
    view = os.path.join(lab.path, "root")
    layer = os.path.join(lab.path, "layer")
    os.mkdir(view)
    os.mkdir(layer)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", layer], check=True)
    os.mkdir(os.path.join(layer, "upper"))
    os.mkdir(os.path.join(layer, "work"))
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={root},upperdir={layer}/upper,workdir={layer}/work", "overlay", view],
                   check=True)
    for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "tmp"), ("tmpfs", "run")):
        subprocess.run(["mount", "-t", kind, kind, os.path.join(view, place)], check=True)
    subprocess.run(["mount", "--rbind", "/dev", os.path.join(view, "dev")], check=True)
    os.chmod(os.path.join(view, "tmp"), 0o1777)
    os.chmod(os.path.join(view, "run"), 0o755)
    return view


def run(view, script, timeout=600):
    done = subprocess.run(["chroot", view, *ENVIRONMENT, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout)
    return done.returncode, done.stdout


def built_there(tap, other, view):
    subprocess.run(["tar", "-xf", one("srvmesh-*.tar.xz"), "-C", os.path.join(view, "srv")], check=True)
    tree = f"/srv/srvmesh-{version()}"
    code, output = run(view, f"cd {tree} && ./dev build")
    tap.check(f"Debian {other}: the release builds", code == 0, output[-3000:])
    code, output = run(view, f"cd {tree}/build && make --silent -j2 check "
                             "TESTS='$(unit_tests) $(check_scripts) $(scenario_tests) tests/system/test_knot.py'")
    counts = {word: int(n) for word, n in re.findall(r"^# (\w+): +(\d+)", output, re.M)}
    tap.check(f"Debian {other}: units, scenarios and real programs pass, {counts.get('PASS', 0)} checks",
              code == 0 and counts.get("PASS", 0) > 400 and not counts.get("SKIP"),
              *[line for line in output.splitlines() if line.startswith(("FAIL", "ERROR", "SKIP"))], output[-2000:] if not counts else "")
    code, output = run(view, f"cd {tree} && ./dev demo")
    tap.check(f"Debian {other}: the demo shows what it says", code == 0 and "That was srvmesh" in output, output[-3000:])


def installed_there(tap, other, lab, view):
    """The packages that were built here."""
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
                             "--clear-groups srvmeshd >/dev/null 2>&1 && getent ahosts api.mesh && srvmesh status")
    tap.check("... and by srvmeshd", code == 0 and "127.0.0.11 " in output and "\njobs=1\n" in output, output)


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP it needs root, to make a machine")
        sys.exit(0)
    other = OTHER.get(suite())
    root = cached_root(other) if other else None
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
            subprocess.run(["umount", "--recursive", "--lazy", view], check=False)
            subprocess.run(["umount", "--lazy", os.path.join(lab.path, "layer")], check=False)
    tap.finish()


main()
