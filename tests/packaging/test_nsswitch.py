# SPDX-License-Identifier: LGPL-2.1-or-later
"""packaging/nsswitch: the words go in where they belong, and come out so that the file is as it was, byte for byte."""
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import SRCDIR, Lab, Tap  # noqa: E402

TOOL = os.path.join(SRCDIR, "packaging", "nsswitch")
OURS = "srvmesh [NOTFOUND=return TRYAGAIN=return]"
# what it is, the hosts line before, the hosts line after
HOSTS = [
    ("Debian's default", "hosts:          files dns", f"hosts:          files {OURS} dns"),
    ("with resolve", "hosts:          files resolve [!UNAVAIL=return] dns",
     f"hosts:          files {OURS} resolve [!UNAVAIL=return] dns"),
    ("with mymachines and myhostname", "hosts:          files mymachines resolve [!UNAVAIL=return] dns myhostname",
     f"hosts:          files {OURS} mymachines resolve [!UNAVAIL=return] dns myhostname"),
    ("with mdns4_minimal", "hosts:          files mdns4_minimal [NOTFOUND=return] dns",
     f"hosts:          files {OURS} mdns4_minimal [NOTFOUND=return] dns"),
    ("with srvmesh there already", "hosts: files srvmesh dns", "hosts: files srvmesh dns"),
    ("with srvmesh and an action there already", f"hosts: {OURS} files dns", f"hosts: {OURS} files dns"),
    ("with srvmesh in a comment only", "hosts: files dns # srvmesh", f"hosts: files {OURS} dns # srvmesh"),
    ("of tabs, odd blanks and a comment", "\thosts:\tfiles  \tdns  # by hand: dns files\t ",
     f"\thosts:\tfiles {OURS}  \tdns  # by hand: dns files\t "),
    ("with an action behind files", "hosts: files [NOTFOUND=continue  SUCCESS=return] dns",
     f"hosts: files [NOTFOUND=continue  SUCCESS=return] {OURS} dns"),
    ("with an action that touches", "hosts: files[!UNAVAIL=return]dns", f"hosts: files[!UNAVAIL=return] {OURS}dns"),
    ("with resolve first", "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
     f"hosts: mymachines {OURS} resolve [!UNAVAIL=return] files myhostname dns"),
    ("with dns the very first", "hosts:\tdns\tfiles", f"hosts:\t{OURS} dns\tfiles"),
    ("without files, resolve and dns", "hosts: db nis", f"hosts: db nis {OURS}"),
    ("with no module at all", "hosts:", f"hosts: {OURS}"),
    ("with nothing but a comment", "hosts:  # none", f"hosts: {OURS}  # none"),
    ("with modules of similar names", "hosts: files dnsmasq resolved srvmeshx dns",
     f"hosts: files {OURS} dnsmasq resolved srvmeshx dns"),
]


class Root:
    def __init__(self, lab, text):
        self.path = os.path.join(lab.path, "root")
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(os.path.join(self.path, "etc"))
        self.file = os.path.join(self.path, "etc", "nsswitch.conf")
        self.write(text)

    def write(self, text):
        with open(self.file, "wb") as file:
            file.write(text.encode())

    def read(self):
        with open(self.file, "rb") as file:
            return file.read().decode()

    def run(self, job):
        return subprocess.run([TOOL, job, self.path], capture_output=True, text=True, check=False)

    def files(self):
        return sorted(os.path.join(d, f)[len(self.path):] for d, _, files in os.walk(self.path) for f in files)


def around(hosts, services="services:       db files"):
    return f"# /etc/nsswitch.conf\n\npasswd:         files\n{hosts}\n{services}\nnetgroup:       nis \n"


def forms(tap, lab):
    for what, before, after in HOSTS:
        for end in ("", "\n"):
            text = around(before).rstrip("\n") + end
            root = Root(lab, text)
            done = root.run("add")
            tap.equal(f"hosts {what}: the words are where they belong{'' if end else ', without a last newline'}",
                      (done.returncode, root.read()),
                      (0, around(after, "services:       db files srvmesh").rstrip("\n") + end))
            root.run("remove")
            tap.equal(f"hosts {what}: it is as it was", root.read(), text)
            tap.equal(f"hosts {what}: nothing else is left", root.files(), ["/etc/nsswitch.conf"])


def lines_that_are_not_there(tap, lab):
    for text in ("", "\n", "passwd: files", "passwd: files\n"):
        root = Root(lab, text)
        root.run("add")
        lines = [line for line in root.read().splitlines() if line and not line.startswith("passwd")]
        tap.equal(f"after {text!r} whole lines are added", lines, [f"hosts: files {OURS} dns", "services: files srvmesh"])
        root.run("remove")
        tap.equal(f"... and {text!r} is as it was", root.read(), text)
    root = Root(lab, "")
    os.unlink(root.file)
    done = root.run("add")
    tap.check("no file: nothing is done, and it says so", done.returncode == 0 and "nothing is changed" in done.stderr and
              root.files() == [], done)


def what_an_administrator_does(tap, lab):
    text = around("hosts: files dns")
    root = Root(lab, text)
    root.run("add")
    root.write(text)
    root.run("add")
    tap.equal("what he takes out stays out when the package is upgraded", root.read(), text)
    root.run("remove")
    tap.equal("... and when it is removed", root.read(), text)

    root.run("add")
    root.write(root.read().replace(f" {OURS}", "").replace("files dns", "srvmesh [!UNAVAIL=return] files mdns dns"))
    root.run("remove")
    tap.equal("what he moves and changes comes out, and his own words stay", root.read(), around("hosts: files mdns dns"))

    mixed = around(f"hosts: {OURS} files dns")
    root = Root(lab, mixed)
    root.run("add")
    tap.equal("his own words are not doubled", root.read(), around(f"hosts: {OURS} files dns", "services:       db files srvmesh"))
    root.run("remove")
    tap.equal("... and stay when the package is removed", root.read(), mixed)


def file_itself(tap, lab):
    root = Root(lab, around("hosts: files dns"))
    os.chmod(root.file, 0o640)
    os.chown(root.file, os.getuid(), os.getgid())
    root.run("add")
    tap.equal("its mode stays", stat.S_IMODE(os.stat(root.file).st_mode), 0o640)
    inode = os.stat(root.file).st_ino
    root.run("add")
    tap.equal("what need not be written is not", os.stat(root.file).st_ino, inode)

    # interrupted between the file and the record of what was done
    state = os.path.join(root.path, "var/lib/srvmesh/nsswitch")
    os.rename(state, state + ".new")
    root.run("add")
    root.run("remove")
    tap.equal("interrupted, tried again, removed: it is as it was", root.read(), around("hosts: files dns"))

    root.run("add")
    os.rename(state, state + ".new")
    root.run("remove")
    tap.equal("interrupted, then removed: it is as it was", root.read(), around("hosts: files dns"))
    tap.equal("... and nothing else is left", root.files(), ["/etc/nsswitch.conf"])

    os.makedirs(os.path.join(root.path, "etc", "authselect"))
    os.rename(root.file, os.path.join(root.path, "etc/authselect/nsswitch.conf"))
    os.symlink("authselect/nsswitch.conf", root.file)
    done = root.run("add")
    tap.check("authselect's file is left to authselect, and it says what to do", done.returncode == 0 and
              "authselect apply-changes" in done.stderr and "srvmesh" not in root.read(), done, root.read())
    tap.check("an unknown job is an error", root.run("frobnicate").returncode == 1)


def main():
    tap = Tap()
    with Lab() as lab:
        forms(tap, lab)
        lines_that_are_not_there(tap, lab)
        what_an_administrator_does(tap, lab)
        file_itself(tap, lab)
    tap.finish()


main()
