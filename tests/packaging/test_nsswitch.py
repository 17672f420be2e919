# SPDX-License-Identifier: LGPL-2.1-or-later
"""packaging/nsswitch: adds the words in the right place, and removes them so that the file is as before, to the
byte."""
import itertools
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import SRCDIR, Lab, Tap, need  # noqa: E402

TOOL = os.path.join(SRCDIR, "packaging", "nsswitch")
OURS = "srvmesh [NOTFOUND=return TRYAGAIN=return]"
# A description, the hosts line before, the hosts line after. A host may have one of these:
FORMS = [
    ("the default", "hosts:          files dns", f"hosts:          files {OURS} dns"),
    ("with resolve", "hosts:          files resolve [!UNAVAIL=return] dns",
     f"hosts:          files {OURS} resolve [!UNAVAIL=return] dns"),
    ("with mymachines and myhostname", "hosts:          files mymachines dns myhostname",
     f"hosts:          files {OURS} mymachines dns myhostname"),
    ("with mdns4_minimal", "hosts:          files mdns4_minimal [NOTFOUND=return] dns",
     f"hosts:          files {OURS} mdns4_minimal [NOTFOUND=return] dns"),
    ("with srvmesh there already", f"hosts:          files {OURS} dns", f"hosts:          files {OURS} dns"),
    ("edited by hand", "\thosts:\tfiles\tmyhostname [NOTFOUND=continue]\tdns # as it has always been ",
     f"\thosts:\tfiles {OURS}\tmyhostname [NOTFOUND=continue]\tdns # as it has always been "),
]
HOSTS = FORMS + [
    ("with mymachines, resolve and myhostname", "hosts:          files mymachines resolve [!UNAVAIL=return] dns myhostname",
     f"hosts:          files {OURS} mymachines resolve [!UNAVAIL=return] dns myhostname"),
    ("with srvmesh there already, and no action", "hosts: files srvmesh dns", "hosts: files srvmesh dns"),
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
    ("without a colon", "hosts files dns", f"hosts files {OURS} dns"),
    ("with a blank before its colon", "hosts : files dns", f"hosts : files {OURS} dns"),
    ("of a name alone", "hosts", f"hosts {OURS}"),
    ("with a carriage return", "hosts: files dns\r", f"hosts: files {OURS} dns\r"),
    ("twice, where the last one counts", "hosts: files srvmesh\nhosts:files dns", f"hosts: files srvmesh\nhosts:files {OURS} dns"),
    ("twice, with srvmesh in the last one", "hosts: files dns\nhosts: srvmesh dns", "hosts: files dns\nhosts: srvmesh dns"),
]
# Lines that glibc rejects: it then ignores the whole file.
BAD_HOSTS = ["hosts: files [NOTFOUND=return dns", "hosts: [NOTFOUND=return] files", "hosts: files [X # ]"]


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

    def run(self, job, **environment):
        environment = dict(os.environ, **environment)
        return subprocess.run([TOOL, job, self.path], capture_output=True, text=True, check=False, env=environment)

    def files(self):
        return sorted(os.path.join(d, f)[len(self.path):] for d, _, files in os.walk(self.path) for f in files)


# Replaces a tool: records each call, and at call number AT does HOW.
STAND_IN = """#!/bin/sh
echo {tool} >>{directory}/calls
[ "$(/usr/bin/wc -l <{directory}/calls)" != "$AT" ] || eval "$HOW"
exec {real} "$@"
"""


class Faults:
    """Another PATH for the script, in which the `at`th tool that the script calls fails, or kills the script."""

    def __init__(self, lab):
        self.path = os.path.join(lab.path, "tools")
        os.mkdir(self.path)
        for tool in ("awk", "cmp", "cp", "mkdir", "mktemp", "mv", "sync", "tail", "tr"):
            text = STAND_IN.format(tool=tool, directory=self.path, real=need(tool))
            with open(os.path.join(self.path, tool), "w", encoding="ascii") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o755)

    def run(self, root, job, how, at):
        """Returns what the script did, and whether the fault happened."""
        with open(os.path.join(self.path, "calls"), "w", encoding="ascii"):
            pass
        done = root.run(job, PATH=f"{self.path}:{os.environ['PATH']}", AT=str(at), HOW=how)
        with open(os.path.join(self.path, "calls"), encoding="ascii") as file:
            return done, len(file.readlines()) >= at


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
    root.write(around("hosts: files dns"))
    root.run("add")
    os.unlink(root.file)
    done = root.run("remove")
    tap.check("the file has gone since: nothing is left", done.returncode == 0 and root.files() == [], done, root.files())


def lines_that_glibc_does_not_take(tap, lab):
    for text in [around(hosts) for hosts in BAD_HOSTS] + ["hosts: files dns\n\0"]:
        root = Root(lab, text)
        done = root.run("add")
        tap.check(f"{text!r}: it says what to do by hand", done.returncode == 1 and 'put "srvmesh' in done.stderr, done)
        tap.equal("... and leaves it, and nothing else", (root.read(), root.files()), (text, ["/etc/nsswitch.conf"]))


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
    if os.geteuid() == 0:
        os.chown(root.file, 1, 2)
    before = os.stat(root.file)
    root.run("add")
    after = os.stat(root.file)
    tap.equal("its mode and owner stay", (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid),
              (0o640, before.st_uid, before.st_gid))
    tap.check("it is replaced at once, never half written", after.st_ino != before.st_ino)
    inode = after.st_ino
    root.run("add")
    tap.equal("what need not be written is not", os.stat(root.file).st_ino, inode)

    root.run("remove")
    os.makedirs(os.path.join(root.path, "etc", "authselect"))
    os.rename(root.file, os.path.join(root.path, "etc/authselect/nsswitch.conf"))
    os.symlink("authselect/nsswitch.conf", root.file)
    done = root.run("add")
    tap.check("authselect's file is left to authselect, and it says what to do", done.returncode == 0 and
              "authselect apply-changes" in done.stderr and "srvmesh" not in root.read(), done, root.read())
    tap.check("an unknown job is an error", root.run("frobnicate").returncode == 1)


def broken_off(tools, lab, text, job, how, afters):
    """For each call of `job` and each of `afters`: a root after `job` with a fault at that call, and the next job."""
    for at in itertools.count(1):
        for after in afters:
            root = Root(lab, text)
            if job == "remove":
                root.run("add")
            done, has_come = tools.run(root, job, how, at)
            if not has_come:
                return
            yield root, after, (at, job, after, done)


def faults(tap, lab):
    """Every call of a tool fails once, and kills the script once, while it adds and while it removes."""
    tools = Faults(lab)
    text = around("hosts: files dns")
    added = around(f"hosts: files {OURS} dns", "services:       db files srvmesh")
    alone = ["/etc/nsswitch.conf"]
    for what, how in (("fails", "exit 1"), ("kills it", "kill -9 $PPID")):
        wrong, count = [], 0
        for root, after, case in broken_off(tools, lab, text, "add", how, (["add", "remove"], ["remove"])):
            count += 1
            if root.read() not in (text, added) or (what == "fails" and root.read() == text and root.files() != alone):
                wrong.append((case, root.read(), root.files()))
            for job in after:
                root.run(job)
            if (root.read(), root.files()) != (text, alone):
                wrong.append((case, root.read(), root.files()))
        tap.equal(f"a tool {what} while it adds, at each call: removed, it is as it was", wrong, [])
        tap.check("... at many", count >= 16, count)

        wrong = []
        for root, after, case in broken_off(tools, lab, text, "remove", how,
                                            (["add", "remove"], ["remove"], ["by hand", "add", "remove"])):
            if root.read() not in (text, added):
                wrong.append((case, root.read(), root.files()))
            if "/var/lib/srvmesh/nsswitch" in root.files():
                continue  # not even begun
            for job in after:
                if job == "by hand":
                    root.write(text)
                else:
                    root.run(job)
                if job == "add" and root.read() != added:
                    wrong.append((case, root.read(), root.files()))
            if (root.read(), root.files()) != (text, alone):
                wrong.append((case, root.read(), root.files()))
        tap.equal(f"a tool {what} while it removes, at each call: it can be added and removed again", wrong, [])


def main():
    tap = Tap()
    with Lab() as lab:
        forms(tap, lab)
        lines_that_are_not_there(tap, lab)
        what_an_administrator_does(tap, lab)
        lines_that_glibc_does_not_take(tap, lab)
        file_itself(tap, lab)
        faults(tap, lab)
    tap.finish()


if __name__ == "__main__":
    main()
