# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests every cell of the table of programs in nss_srvmesh(8): unchanged programs in their own Debian, with a real DNS
server.

usage: test_programs.py [short|long] [--write] [PROGRAM...]

`short` (which ./dev check runs) runs twelve of them, checks their cells, and checks that no other cell is empty; `long`
runs all. With --write the results are written into the table in the manual."""
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "packaging"), HERE]
from lab import BUILDDIR, SRCDIR, Knot, Lab, Tap, in_namespaces  # noqa: E402
from machine import cached_root, open_root, run, start, suite, umount  # noqa: E402
from programs import FILES, MADE, PROGRAMS, SERVICES  # noqa: E402
from scripted_server import Server  # noqa: E402

ZONE = "_api._tcp SRV 10 0 8080 live\n_two._tcp SRV 10 65535 8080 dead\n_two._tcp SRV 10 0 8080 live\nlive A 127.0.0.11\ndead A 127.0.0.3\n"
MANUAL = os.path.join(SRCDIR, "man", "nss_srvmesh.8")
BEGIN, END = '.\\" the table of tests/programs: begin\n', '.\\" the table of tests/programs: end\n'
COLUMNS = ("alone", "srvmeshd", "refused", "DNS dead")
ALWAYS = ["mount", "liblmdb0", "libseccomp2",  # what srvmeshd needs
          *(["libssl3", "libuv1"] if suite() == "bookworm" else ["libssl3t64", "libuv1t64"])]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from 127.0.0.11\n")

    def log_message(self, *words):
        pass


class Host:
    """The machine with the programs, its services, DNS, and a server at port 53 that knows no name and logs
    questions."""

    def __init__(self, lab, view, programs):
        self.lab, self.view = lab, view
        self.packages = {name for program in programs for name in program.packages.split()}
        self.foreign = Server(port=53)
        self.foreign.behaviours = [["rcode", "NXDOMAIN"]]
        self.foreign.start()
        threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.11", 8080), Page).serve_forever, daemon=True).start()
        self.knot = Knot(lab, ZONE)
        self.daemon = None

    def prepare(self):
        library = run(self.view, "echo /usr/lib/*-linux-gnu")[1].strip()
        for source, target in (("libnss_srvmesh.so.2", library), ("srvmeshd", "/usr/sbin"), ("srvmesh", "/usr/bin")):
            shutil.copy(os.path.join(BUILDDIR, source), self.view + target)
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"
                   "hosts: files srvmesh [NOTFOUND=return TRYAGAIN=return] dns\nservices: files srvmesh\n")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {socket.gethostname()}\n")
        self.write("/etc/srvmesh.conf", f"[domain mesh]\nservers = 127.0.0.1:{self.knot.port}\nfamily = ipv4\n"
                                        "[service two.mesh]\nanswers = all\n")
        for path, text in FILES.items():
            self.write(path, text)
        os.chmod(self.view + "/opt/mail", 0o755)
        subprocess.run(["gcc", "-static", "-w", "-Wl,--no-warnings", "-o", self.view + "/opt/static", self.view + "/opt/connect.c"], check=True)
        for package, command in MADE:
            if package in self.packages:
                code, output = run(self.view, command)
                if code != 0:
                    print(f"Bail out! {command}: {output}".replace("\n", " "))
                    sys.exit(99)
        for package, port, command in SERVICES:
            if package in self.packages:
                start(self.lab, self.view, command)
                if port and not listens("127.0.0.11", port):
                    print(f"Bail out! nothing listens at {port}: {command}")
                    sys.exit(99)

    def write(self, path, text):
        if os.path.lexists(self.view + path):
            os.unlink(self.view + path)
        with open(self.view + path, "w", encoding="utf-8") as file:
            file.write(text)

    def start_daemon(self):
        self.daemon = start(self.lab, self.view, "install -d /run/srvmesh && exec srvmeshd --foreground")
        for _ in range(200):
            if run(self.view, "srvmesh status")[0] == 0:
                break
            time.sleep(0.05)
        else:
            print("Bail out! srvmeshd does not start in the machine")
            sys.exit(99)
        for name in ("api.mesh", "two.mesh"):
            run(self.view, f"getent ahosts {name}")

    def stop_daemon(self):
        self.lab.stop(self.daemon)
        shutil.rmtree(self.view + "/run/srvmesh")

    def play(self, program, name):
        """Returns (whether it reached the live target, its exit status or None if it was still trying)."""
        self.foreign.questions.clear()
        command = re.sub(r"\bN\b", name, program.command)
        if not program.port:
            try:
                code, output = run(self.view, f"exec 2>&1; {command}", timeout=program.seconds)
            except subprocess.TimeoutExpired as late:
                return False, None, (late.output or b"").decode(errors="replace")
            return program.shows in output, code, output
        return self.serve(program, command, name)

    def serve(self, program, command, name):
        process = start(self.lab, self.view, command)
        try:
            if not listens("127.0.0.1", program.port, process):
                with open(os.path.join(self.lab.path, "chroot.log"), encoding="utf-8", errors="replace") as log:
                    print("# " + log.read()[-300:].replace("\n", " | "))
                return False, process.wait(), "it does not start"
            client = re.sub(r"\bN\b", name, program.client) or f"curl -sS -m 10 http://127.0.0.1:{program.port}/"
            inside = [] if client.startswith("curl ") else ["chroot", self.view]
            done = subprocess.run([*inside, "sh", "-c", client], check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            return program.shows in done.stdout, 0, done.stdout
        finally:
            self.lab.stop(process)


def listens(address, port, process=None):
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex((address, port)) == 0:
                return True
        if process and process.poll() is not None:
            return False
        time.sleep(0.05)
    return False


# ---- cells

def alone(host, program):
    reached, code, output = host.play(program, "api.mesh")
    asked = bool(host.foreign.questions)
    if program.has_own_resolver:
        return ("own resolver" if asked and not reached else "?"), output
    return ("yes" if reached and not asked else "?"), output


def through_srvmeshd(host, program):
    """Looks up when the DNS server is already dead."""
    reached, code, output = host.play(program, "api.mesh")
    return ("yes" if reached else "?"), output


def second(host, program):
    if program.takes_names_only:
        return "-", ""
    reached, code, output = host.play(program, "two.mesh")
    return ("next" if reached else "first only"), output


def dead(host, program):
    reached, code, output = host.play(program, "api.mesh")
    if program.port:
        return ("starts" if output != "it does not start" else "no start"), output
    if code is None or "Timeout reached" in output:
        return "goes on", output
    return (f"exit {code}" if not reached else "?"), output


def played(host, programs):
    """Returns {name: cells} as observed, and the output."""
    cells = {program.name: {} for program in programs}
    said = {}
    ours = [program for program in programs if not program.has_own_resolver]

    def note(column, player, some):
        for program in some:
            cells[program.name][column], said[program.name, column] = player(host, program)

    note("alone", alone, programs)
    note("refused", second, ours)
    host.start_daemon()
    host.knot.stop()
    note("srvmeshd", through_srvmeshd, ours)
    host.stop_daemon()
    note("DNS dead", dead, ours)
    for program in programs:
        if program.has_own_resolver:
            cells[program.name].update({column: "-" for column in COLUMNS[1:]})
    return cells, said


# ---- the manual

def read_manual():
    with open(MANUAL, encoding="utf-8") as file:
        return file.read()


def rows_of(text):
    table = text[text.index(BEGIN):text.index(END)]
    rows = {}
    for line in table.splitlines():
        if line.startswith(".It ") and not line.startswith(".It Sy "):
            name, *cells = (cell.strip().strip('"') for cell in line[4:].split(" Ta "))
            rows[name.replace("\\-", "-")] = dict(zip(COLUMNS, (cell.replace("\\-", "-") for cell in cells)))
    return rows


def write_manual(cells):
    text = read_manual()
    lines = [".Bl -column \"mariadb, \\-\\-connect-timeout=2\" \"own resolver\" \"srvmeshd\" \"first only\" \"DNS dead\"\n",
             ".It Sy program Ta Sy alone Ta Sy srvmeshd Ta Sy refused Ta Sy DNS dead\n"]
    for program in PROGRAMS:
        row = cells[program.name]
        shown = [program.name.replace("-", "\\-"), *(row[column].replace("-", "\\-") for column in COLUMNS)]
        lines.append(".It " + " Ta ".join(f'"{word}"' if " " in word else word for word in shown) + "\n")
    with open(MANUAL, "w", encoding="utf-8") as file:
        file.write(text[:text.index(BEGIN)] + BEGIN + "".join(lines) + ".El\n" + text[text.index(END):])


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    is_long = words[:1] == ["long"]
    wanted = words[1:]
    if os.geteuid() != 0:
        print("1..0 # SKIP it needs root, to make a machine")
        sys.exit(0)
    programs = [program for program in PROGRAMS if (is_long or program.is_short) and (not wanted or program.name in wanted)]
    packages = sorted(set(ALWAYS + [name for program in PROGRAMS if is_long or program.is_short for name in program.packages.split()]))
    root = cached_root(f"programs-{'long' if is_long else 'short'}-{suite()}", packages, suite())
    in_namespaces()
    tap = Tap()
    with Lab() as lab:
        view = open_root(lab, root)
        try:
            host = Host(lab, view, programs)
            host.prepare()
            cells, said = played(host, programs)
        finally:
            for process in reversed(lab.processes):
                lab.stop(process)
            umount(lab, view)
    if "--write" in sys.argv:
        write_manual({**rows_of(read_manual()), **cells})
    rows = rows_of(read_manual())
    for program in programs:
        seen = cells[program.name]
        tap.check(f"{program.name}: what the manual says of it", seen == rows.get(program.name), f"seen   {seen}",
                  f"manual {rows.get(program.name)}", *(f"{column}: {said.get((program.name, column), '')[-400:]}" for column in COLUMNS
                                                        if seen[column] != rows.get(program.name, {}).get(column)))
    tap.equal("the manual's table has a row for every program", list(rows), [program.name for program in PROGRAMS])
    tap.equal("... and no cell that nobody saw", [name for name, row in rows.items() if "?" in row.values() or len(row) != 4], [])
    tap.finish()


main()
