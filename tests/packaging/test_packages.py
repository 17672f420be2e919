# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results of `./dev package`, before any installation: the release, the packages, and their contents."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import BUILDDIR, SRCDIR, Lab, Tap, need  # noqa: E402

PACKAGES = os.path.join(BUILDDIR, "packages")
EXPORTED = ["_nss_srvmesh_gethostbyname2_r", "_nss_srvmesh_gethostbyname3_r", "_nss_srvmesh_gethostbyname4_r",
            "_nss_srvmesh_gethostbyname_r", "_nss_srvmesh_getservbyname_r"]
EXPOSURE_MAX = 1.5


def run(*command, **more):
    return subprocess.run([need(command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **more)


def one(pattern):
    found = glob.glob(os.path.join(PACKAGES, pattern))
    if len(found) != 1:
        print(f"Bail out! expected one {pattern} in {PACKAGES}: run ./dev package")
        sys.exit(99)
    return found[0]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def version():
    return re.search(r"^AC_INIT\(\[srvmesh\], \[(.*)\]\)$", read(os.path.join(SRCDIR, "configure.ac")).decode(), re.M).group(1)


def versions(tap):
    said = {"configure.ac": version(),
            "NEWS": read(os.path.join(SRCDIR, "NEWS")).decode().split()[1],
            "srvmeshd --version": run(os.path.join(BUILDDIR, "srvmeshd"), "--version").stdout.split()[-1],
            "srvmesh --version": run(os.path.join(BUILDDIR, "srvmesh"), "--version").stdout.split()[-1],
            "deb": run("dpkg-deb", "-f", one("srvmeshd_*.deb"), "Version").stdout.strip().removesuffix("-1"),
            "rpm": run("rpm", "-qp", "--qf", "%{VERSION}", one("srvmeshd-*.rpm")).stdout}
    tap.check("one version everywhere", len(set(said.values())) == 1, said)
    with open(os.path.join(SRCDIR, "NEWS"), encoding="utf-8") as news:
        done = run(os.path.join(SRCDIR, "packaging", "changelog"), "deb", version() + "9", stdin=news)
    tap.check("a version that NEWS does not begin with makes no changelog", done.returncode != 0 and "expected" in done.stdout,
              done.stdout)


def release(tap, lab):
    """Unpacked elsewhere and packed again with another umask, time zone and language, the release is the same."""
    tarball = one("srvmesh-*.tar.xz")
    there = os.path.join(lab.path, "elsewhere")
    os.mkdir(there)
    subprocess.run(["tar", "-xf", tarball, "-C", there], check=True)
    source = glob.glob(os.path.join(there, "srvmesh-*"))[0]
    if os.path.exists(os.path.join(SRCDIR, ".git")):
        tracked = run("git", "-C", SRCDIR, "ls-files").stdout
        missing = [name for name in tracked.splitlines() if name != ".gitignore" and not os.path.exists(os.path.join(source, name))]
        tap.equal("the release holds every file of the tree", missing, [])
    environment = dict(os.environ, TZ="Pacific/Auckland", LC_ALL="C.UTF-8", LANGUAGE="de", MAKEFLAGS="")
    done = subprocess.run(["sh", "-c", "umask 077; ./configure --quiet && make --silent dist"], cwd=source, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    again = os.path.join(source, os.path.basename(tarball))
    tap.check("the release can be made from the release", done.returncode == 0, done.stdout)
    tap.check("... and is the same, byte for byte", os.path.exists(again) and read(again) == read(tarball))
    made = subprocess.run(["make", "--silent", "-C", BUILDDIR, "dist"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    again = os.path.join(BUILDDIR, os.path.basename(tarball))
    tap.check("... and from the same tree a second time", made.returncode == 0 and read(again) == read(tarball), made.stdout)
    if os.path.exists(again):
        os.unlink(again)


def deb(tap, lab):
    done = run("lintian", "--allow-root", "-I", "--profile", "debian", "--fail-on", "error", one("*.changes"),
               env=dict(os.environ, TMPDIR=lab.path))  # it leaves files there
    # Debian 12's lintian does not know this field of its own dpkg; that of 13 wants a policy version unknown to 12
    said = [line for line in done.stdout.splitlines() if not line.endswith("unknown-field Static-Built-Using")
            and " out-of-date-standards-version 4.6.2 " not in line]
    tap.check("lintian finds nothing", done.returncode == 0 and not said, done.stdout)
    done = run("blhc", "--all", "--debian", os.path.join(PACKAGES, "deb.log"))
    tap.check("blhc: every compiler call has all hardening flags", done.returncode == 0, done.stdout)
    root = os.path.join(lab.path, "deb")
    os.mkdir(root)
    for pattern in ("libnss-srvmesh_*.deb", "srvmeshd_*.deb"):
        subprocess.run(["dpkg-deb", "-x", one(pattern), root], check=True)
    plugin = glob.glob(os.path.join(root, "usr/lib/*/libnss_srvmesh.so.2"))[0]
    # Debian's compiler flags have no -fcf-protection
    for program in (plugin, os.path.join(root, "usr/sbin/srvmeshd"), os.path.join(root, "usr/bin/srvmesh")):
        done = run("hardening-check", "--nocfprotection", program)
        # branch protection exists only on arm64
        weak = [line for line in done.stdout.splitlines() if re.search(r": no\b", line) and "(ignored)" not in line
                and "Branch Protection" not in line]
        tap.check(f"hardening-check: {os.path.basename(program)}", "Immediate binding: yes" in done.stdout and not weak, done.stdout)
    exported = [line.split()[-1] for line in run("nm", "-D", "--defined-only", plugin).stdout.splitlines()]
    tap.equal("the packaged module exports its entry points alone", exported, EXPORTED)
    tap.equal("... which are those of the symbols file", re.findall(r"^ (\S+)@", read(os.path.join(
        SRCDIR, "packaging/debian/libnss-srvmesh.symbols")).decode(), re.M), EXPORTED)
    needed = re.findall(r"NEEDED +(\S+)", run("objdump", "-p", plugin).stdout)
    tap.equal("... and needs libc alone", needed, ["libc.so.6"])
    for pattern in ("libnss-srvmesh-dbgsym_*.deb", "srvmeshd-dbgsym_*.deb"):
        files = run("dpkg-deb", "-c", one(pattern)).stdout
        tap.check(f"{pattern} has debugging symbols", "/usr/lib/debug/.build-id/" in files, files)
    fields = {field: run("dpkg-deb", "-f", one("libnss-srvmesh_*.deb"), field).stdout.strip()
              for field in ("Multi-Arch", "Recommends", "Depends")}
    tap.check("libnss-srvmesh: Multi-Arch: same, recommends srvmeshd, depends on libc alone",
              fields["Multi-Arch"] == "same" and fields["Recommends"] == "srvmeshd" and
              re.fullmatch(r"libc6 \(>= [\d.]+\)", fields["Depends"]) is not None, fields)
    conffiles = run("dpkg-deb", "-I", one("libnss-srvmesh_*.deb"), "conffiles").stdout.split()
    tap.check("/etc/srvmesh.conf is a conffile", "/etc/srvmesh.conf" in conffiles, conffiles)
    tap.check("... the sample itself", read(os.path.join(root, "etc/srvmesh.conf")) ==
              read(os.path.join(SRCDIR, "conf/srvmesh.conf")))
    return root


def rpm(tap):
    done = run("rpmlint", "-c", os.path.join(SRCDIR, "packaging/rpm/rpmlint.toml"), *glob.glob(os.path.join(PACKAGES, "*.rpm")),
               os.path.join(PACKAGES, "srvmesh.spec"))
    tap.check("rpmlint finds nothing", done.returncode == 0 and " 0 errors, 0 warnings" in done.stdout, done.stdout)
    listed = run("rpm", "-qpl", one("nss_srvmesh-*.rpm")).stdout.split() + run("rpm", "-qpl", one("srvmeshd-*.rpm")).stdout.split()
    wanted = ["/etc/srvmesh.conf", "/usr/lib64/libnss_srvmesh.so.2", "/usr/libexec/srvmesh/nsswitch", "/usr/bin/srvmesh",
              "/usr/sbin/srvmeshd", "/usr/lib/systemd/system/srvmeshd.service", "/usr/lib/systemd/system/srvmeshd.socket",
              "/usr/lib/sysusers.d/srvmesh.conf", "/usr/lib/tmpfiles.d/srvmesh.conf", "/usr/share/man/man8/nss_srvmesh.8.gz",
              "/usr/share/man/man8/srvmeshd.8.gz", "/usr/share/man/man5/srvmesh.conf.5.gz",
              "/usr/share/man/man7/srvmesh-recipes.7.gz", "/usr/share/man/man1/srvmesh.1.gz"]
    tap.equal("the rpms have it all", [file for file in wanted if file not in listed], [])
    configs = run("rpm", "-qpc", one("nss_srvmesh-*.rpm")).stdout.split()
    tap.check("/etc/srvmesh.conf is a configuration file", "/etc/srvmesh.conf" in configs, configs)


def units(tap, root):
    # Debian 12's debhelper puts them into /lib
    directory = next(path for path in (os.path.join(root, part, "lib/systemd/system") for part in ("", "usr")) if os.path.exists(path))
    service = os.path.join(directory, "srvmeshd.service")
    done = run("systemd-analyze", "security", "--offline=true", service)
    exposure = re.search(r"Overall exposure level for srvmeshd.service: ([\d.]+)", done.stdout)
    tap.check(f"systemd-analyze: exposure of {EXPOSURE_MAX} or better", exposure and float(exposure.group(1)) <= EXPOSURE_MAX,
              done.stdout)
    text = read(service).decode()
    for line in ("Type=notify", "User=srvmesh", "RuntimeDirectory=srvmesh", "RuntimeDirectoryPreserve=yes", "ProtectSystem=strict",
                 "CapabilityBoundingSet=", "ExecStart=/usr/sbin/srvmeshd --foreground"):
        tap.check(f"srvmeshd.service: {line}", f"\n{line}\n" in text)


def confinement(tap, lab, root):
    """AppArmor's own parser reads a profile that includes nameservice, and finds our rules in it."""
    base = os.path.join(lab.path, "apparmor.d")
    shutil.copytree("/etc/apparmor.d", base, symlinks=True)
    shutil.copytree(os.path.join(root, "etc/apparmor.d"), base, dirs_exist_ok=True)
    with open(os.path.join(base, "confined"), "w", encoding="utf-8") as file:
        file.write("abi <abi/3.0>,\ninclude <tunables/global>\nprofile confined /usr/bin/confined {\n"
                   "  include <abstractions/base>\n  include <abstractions/nameservice>\n}\n")
    options = ["--base", base, "--skip-kernel-load", "--skip-cache", "--config-file", "/dev/null"]
    done = run("apparmor_parser", *options, os.path.join(base, "confined"))
    tap.check("AppArmor takes the abstraction", done.returncode == 0, done.stdout)
    done = run("apparmor_parser", *options, "--preprocess", os.path.join(base, "confined"))
    for path in ("/etc/srvmesh.conf r,", "run/srvmesh/cache.v2.mdb r,", "run/srvmesh/socket rw,"):
        tap.check(f"... and a profile with nameservice in it has {path}", path in done.stdout, done.stdout)

    policy = os.path.join(lab.path, "selinux")
    shutil.copytree(os.path.join(SRCDIR, "packaging/selinux"), policy)
    done = run("make", "-C", policy, "-f", "/usr/share/selinux/devel/Makefile", "srvmesh.pp")
    tap.check("the SELinux policy compiles", done.returncode == 0 and os.path.exists(os.path.join(policy, "srvmesh.pp")),
              done.stdout)


def main():
    tap = Tap()
    with Lab() as lab:
        versions(tap)
        release(tap, lab)
        root = deb(tap, lab)
        rpm(tap)
        units(tap, root)
        confinement(tap, lab, root)
    tap.finish()


if __name__ == "__main__":
    main()
