# SPDX-License-Identifier: LGPL-2.1-or-later
"""A 32-bit plugin on a 64-bit host: unit tests, and a lookup from the host map that a 64-bit srvmeshd has written. The
i386 packages needed to build it are fetched and unpacked in ~/.cache/srvmesh, and not installed."""
import os
import re
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
from lab import SRCDIR, Daemon, Knot, Lab, Tap, need  # noqa: E402
from machine import cache, fetch, suite  # noqa: E402

PACKAGES = ["libc-ares-dev", "libcmocka-dev", "libcmocka0", "liblmdb-dev", "liblmdb0", "libseccomp-dev", "libseccomp2", "libsmartcols-dev", "libsmartcols1",
            "systemtap-sdt-dev",
            "libssl-dev", "libssl3" if suite() == "bookworm" else "libssl3t64",
            "libuv1-dev", "libuv1" if suite() == "bookworm" else "libuv1t64"]
LIBRARIES = "usr/lib/i386-linux-gnu"


def sysroot():
    place = cache(f"i386-{suite()}-{zlib.crc32(str(PACKAGES).encode()):08x}")
    if not os.path.exists(place):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as fresh:
            said = fetch(fresh, [name + ":i386" for name in PACKAGES], suite(), "i386")
            if said:
                print("1..0 # SKIP not possible here: the archive's packages for i386 cannot be had: " + said.replace("\n", " "))
                sys.exit(0)
            os.rename(os.path.join(fresh, "root"), place)
    return place


def build(lab, root):
    place = os.path.join(lab.path, "build")
    os.mkdir(place)
    libraries = os.path.join(root, LIBRARIES)
    script = ('"$0/configure" --quiet CC="gcc -m32" CPPFLAGS="-I$1 -I$1/i386-linux-gnu" LDFLAGS="-L$2 -Wl,-rpath-link,$2" CARES_ARCHIVE="$2/libcares.a" && '
              "make --silent -j2 all tests/probe")
    done = subprocess.run(["sh", "-c", script, SRCDIR, os.path.join(root, "usr/include"), libraries], cwd=place,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return place, libraries, done


def can_run():
    """Can the kernel run 32-bit programs? Some are built without."""
    with tempfile.TemporaryDirectory() as place:
        program = os.path.join(place, "program")
        subprocess.run(["gcc", "-m32", "-xc", "-", "-o", program], input="int main(void) { return 0; }", text=True, check=True)
        try:
            return subprocess.run([program], check=False).returncode == 0
        except OSError:
            return False


def main():
    if subprocess.run(["dpkg", "--print-architecture"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip() != "amd64":
        print("1..0 # SKIP not possible here: gcc -m32 is for amd64")
        sys.exit(0)
    if not can_run():
        print("1..0 # SKIP not possible here: the kernel runs no 32-bit programs")
        sys.exit(0)
    tap = Tap()
    root = sysroot()
    with Lab() as lab:
        place, libraries, done = build(lab, root)
        tap.check("a 32-bit plugin is built", done.returncode == 0, done.stdout[-3000:])
        # a 32-bit liblmdb does not write the host map's layout, so the owner, and tests that read its files, are 64-bit
        done = subprocess.run(["make", "--silent", "-j2", "check",
                               "TESTS=$(filter-out %/test_owner %/test_reader,$(unit_tests)) $(check_scripts)",
                               "check_PROGRAMS=$(unit_tests)"], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              env=dict(os.environ, LD_LIBRARY_PATH=libraries, MAKEFLAGS=""))
        counts = {word: int(n) for word, n in re.findall(r"^# (\w+): +(\d+)", done.stdout, re.M)}
        tap.check(f"its units pass, {counts.get('PASS', 0)} checks", done.returncode == 0 and counts.get("PASS", 0) > 200,
                  *[line for line in done.stdout.splitlines() if line.startswith(("FAIL", "ERROR"))], done.stdout[-1500:])
        knot = Knot(lab, "_api._tcp SRV 0 0 8080 a\na A 127.0.0.11\n")
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n")
        tap.equal("a 64-bit program resolves a name through srvmeshd", lab.probe("gai", "unspec", "api.mesh"), "127.0.0.11")
        daemon.stop()
        knot.stop()
        code, output, errors = lab.run(os.path.join(place, "tests/probe"), "gai", "unspec", "api.mesh", LD_LIBRARY_PATH=place)
        tap.equal("a 32-bit program reads it from the host map", (code, output, errors), (0, "127.0.0.11", ""))
        with open(os.path.join(place, "tests/probe"), "rb") as file:
            tap.equal("... and is one (ELF class)", file.read(5)[4], 1)
    tap.finish()


main()
