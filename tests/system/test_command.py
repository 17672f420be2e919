# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command against a running srvmeshd: events, metrics, who may what, and programs that it runs."""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import (BUILDDIR, NO_OTHERS, PROBE, PROGRAMS, SRCDIR, Daemon, Knot, Lab, Tap, as_user, can_be_others, free_port,  # noqa: E402
                 need)
import jsonschema  # noqa: E402
import yaml  # noqa: E402
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as prometheus  # noqa: E402

SRVMESH = os.path.join(BUILDDIR, "srvmesh")
ZONE = """_api._tcp SRV 10 60 8080 a
_api._tcp SRV 20 20 8081 b
a A 127.0.0.11
b A 127.0.0.12
plain A 127.0.0.50
_short._tcp 1 SRV 0 0 80 a
"""


def wait_for(condition, seconds=10):
    """Whatever the machine's load: until it holds, or long past the time at which it should."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Events:
    """A `srvmesh monitor --json` that runs, and what it has written."""

    def __init__(self, lab, *words, prefix=()):
        self.lines = []
        command = [*prefix, SRVMESH if not prefix else os.path.join(lab.public(), "srvmesh"), "monitor", "--json=short", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=lab.environment())
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def has(self, **what):
        return any(all(event.get(key) == value for key, value in what.items()) for event in list(self.lines))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


def followers(lab, tap, daemon, knot):
    events = Events(lab, "--last", "5")
    tap.check("monitor begins with what was kept", wait_for(lambda: events.has(event="ready", kind="daemon")), events.lines)
    named, other = Events(lab, "plain.mesh"), (Events(lab, prefix=as_user()) if can_be_others() else None)
    if other:
        wait_for(lambda: daemon.status().get("clients_now", 0) >= 4)
    process = subprocess.run([SRVMESH, "lookup", "api.mesh"], env=lab.environment(), stdout=subprocess.DEVNULL, check=False)
    lab.run(SRVMESH, "lookup", "plain.mesh")
    tap.check("a job is an event", wait_for(lambda: events.has(kind="job", name="api.mesh", answer="addresses")), events.lines)
    job = next(event for event in events.lines if event.get("name") == "api.mesh" and event["kind"] == "job")
    tap.check("... with the server that answered, the time it took, and who asked",
              job["server"] == f"127.0.0.1:{knot.port}" and job["took_ms"] > 0 and job["uid"] == os.geteuid() and job["pid"] > 1,
              job, process.returncode)
    tap.check("a pattern of names leaves others out", wait_for(lambda: named.has(kind="job", name="plain.mesh")) and
              not named.has(name="api.mesh"), named.lines)
    if other:
        tap.check("another user follows, too, and does not see who asked",
                  wait_for(lambda: other.has(kind="job", name="api.mesh")) and
                  not any("uid" in event or "pid" in event for event in other.lines), other.lines)
        other.stop()
    else:
        tap.skip("another user follows, too, and does not see who asked", NO_OTHERS)
    knot.change(ZONE.replace("127.0.0.11", "127.0.0.21"))
    lab.run(SRVMESH, "cache", "flush", "--all")
    tap.check("an answer that changed is an event", wait_for(lambda: events.has(kind="change", name="api.mesh")), events.lines)
    change = next((event for event in events.lines if event["kind"] == "change"), {})
    tap.equal("... with what has come and gone", (change.get("added"), change.get("removed")),
              (["127.0.0.21:8080"], ["127.0.0.11:8080"]))
    tap.check("... and a line of the log", 'event="answer changed" name=api.mesh added=127.0.0.21:8080 removed=127.0.0.11:8080' in
              daemon.log(), daemon.log())
    daemon.signal(signal.SIGHUP)
    tap.check("a reload is an event", wait_for(lambda: events.has(kind="reload", event="reloaded")), events.lines)
    with open(os.path.join(SRCDIR, "docs", "srvmesh.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    faults = []
    for event in events.lines + named.lines:
        try:
            jsonschema.validate(event, {**schema, "$ref": "#/definitions/monitor"})
        except jsonschema.ValidationError as error:
            faults.append((event, error.message))
    tap.equal("all events are as the schema says", faults, [])
    many = [Events(lab) for _ in range(15)]
    wait_for(lambda: daemon.status().get("clients_now", 0) >= 17 or any(one.process.poll() for one in many))
    tap.check("the seventeenth follower is turned away", wait_for(lambda: any(one.process.poll() == 3 for one in many)))
    for one in (events, named, *many):
        one.stop()
    tap.check("those that end are forgotten", wait_for(lambda: daemon.status().get("clients_now") == 1), daemon.status())


HEAD = struct.Struct("<IBBBB")
MAGIC, FORMAT, MONITOR, EVENT = 0x484D5253, 2, 8, 21


def slow_reader(lab, tap, daemon):
    """A follower that takes nothing: 64 KiB are kept for it, and everybody else is served as before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as follower:
        follower.connect(daemon.socket)
        follower.send(HEAD.pack(MAGIC, FORMAT, MONITOR, 0, 1))
        wait_for(lambda: daemon.status().get("clients_now") == 2)
        before = daemon.status()["jobs"]
        lab.probe("series", 3000, "n", ".mesh")
        tap.check("3,000 names are resolved beside a follower that takes nothing", daemon.status()["jobs"] - before >= 3000,
                  daemon.status())
        follower.settimeout(2)
        lost, count = None, 0
        try:
            while lost is None:
                frame = follower.recv(65536)
                kind, text = HEAD.unpack_from(frame)[2], frame[HEAD.size + 6:].decode()
                count += 1
                if kind == EVENT and text.split("\t")[1] == "lost":
                    lost = text
        except TimeoutError:
            pass
        tap.check("it hears how many events it has lost", lost is not None and int(lost.split("\t")[-1]) > 1000, lost, count)


def stopping(tap, daemon):
    """One who asks to follow when srvmeshd is ending does not keep it, and no user takes all places of followers."""
    def follow():
        follower = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        follower.settimeout(10)
        follower.connect(daemon.socket)
        return follower
    followers_of_us = [follow() for _ in range(16)]
    for follower in followers_of_us:
        follower.send(HEAD.pack(MAGIC, FORMAT, MONITOR, 0, 1))
    late = follow()
    wait_for(lambda: daemon.status().get("clients_now") >= 5)
    daemon.signal(signal.SIGHUP)  # which is an event
    replies = [HEAD.unpack_from(follower.recv(65536))[2] for follower in followers_of_us]
    tap.check("a user has a share of the followers", 0 < replies.count(EVENT) < 16, replies)
    daemon.signal(signal.SIGTERM)
    wait_for(lambda: not os.path.exists(daemon.socket))
    with contextlib.suppress(OSError):
        late.send(HEAD.pack(MAGIC, FORMAT, MONITOR, 0, 1))
    tap.equal("... and one who comes when srvmeshd ends does not keep it", daemon.process.wait(8), 0)
    for follower in (*followers_of_us, late):
        follower.close()
    daemon.stop()
    daemon.start()


def who_may(lab, tap, daemon):
    if not can_be_others():
        for sentence in ("another user may not flush", "... nor set the log's level, nor have it reload", "... and may read all else"):
            tap.skip(sentence, NO_OTHERS)
        return
    other = [*as_user(), os.path.join(lab.public(), "srvmesh")]
    code, _, errors = lab.run(*other, "cache", "flush", "--all")
    tap.equal("another user may not flush", (code, errors), (1, "srvmesh: only root and the user of srvmeshd may flush"))
    codes = [lab.run(*other, "log-level", "debug")[0], lab.run(*other, "reload")[0], lab.run(*other, "log-level")[0]]
    tap.equal("... nor set the log's level, nor have it reload", codes, [1, 1, 0])
    codes = [lab.run(*other, *words)[0] for words in (["status"], ["servers"], ["health"], ["metrics"], ["cache"])]
    tap.equal("... and may read all else", codes, [0, 0, 0, 0, 0])
    tap.check("the log has not changed", "level=debug" not in daemon.log())


def samples_of(families):
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def http(lab, *words):
    return lab.run(need("curl"), "-sS", "--max-time", "10", *words)


def metrics(lab, tap, daemon, knot, port, path):
    lab.run(SRVMESH, "lookup", "api.mesh")
    code, text, _ = lab.run(SRVMESH, "metrics")
    first = samples_of(prometheus(text))
    tap.check("the metrics are the text format of Prometheus", code == 0 and len(first) > 100, text)
    code, text, _ = lab.run(SRVMESH, "metrics", "--openmetrics")
    second = samples_of(openmetrics(text + "\n"))
    tap.check("... or OpenMetrics, with the same samples", set(first) == set(second), set(first) ^ set(second))
    server = (("server", f"127.0.0.1:{knot.port}"),)
    tap.check("the server is there, with what it was asked", first[("srvmesh_server_up", server)] == 1 and
              first[("srvmesh_server_questions_total", server)] > 0 and
              first[("srvmesh_server_seconds_count", server)] ==
              first[("srvmesh_server_outcomes_total", (("outcome", "good"), *server))], first)
    tap.check("no label is of what is looked up", "api" not in text.replace("srvmesh_", ""))
    lab.run(SRVMESH, "lookup", "another.mesh")
    third = samples_of(prometheus(lab.run(SRVMESH, "metrics")[1]))
    counters = {key for key in first if key[0].endswith(("_total", "_count", "_bucket", "_sum"))}
    tap.check("no counter goes back, and jobs are counted", all(third[key] >= first[key] for key in counters) and
              third[("srvmesh_jobs_total", ())] > first[("srvmesh_jobs_total", ())])
    code, page, _ = http(lab, f"http://127.0.0.1:{port}/metrics")
    tap.check("the same is served over HTTP", code == 0 and set(samples_of(prometheus(page + "\n"))) == set(first), page)
    code, page, _ = http(lab, "-H", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "-i",
                         f"http://127.0.0.1:{port}/metrics")
    tap.check("... as OpenMetrics to a scraper that asks for it", "application/openmetrics-text; version=1.0.0" in page and
              page.endswith("# EOF"), page[:300])
    codes = [http(lab, "-o", "/dev/null", "-w", "%{http_code}", *words)[1] for words in (
        [f"http://127.0.0.1:{port}/"], ["-X", "POST", f"http://127.0.0.1:{port}/metrics"], ["-I", f"http://127.0.0.1:{port}/metrics"],
        ["-H", "X: " + "x" * 9000, f"http://127.0.0.1:{port}/metrics"], [f"http://127.0.0.1:{port}/metrics?x=1"])]
    tap.equal("other pages, other methods and huge requests are refused", codes, ["404", "405", "200", "431", "200"])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    idle[0].send(b"GET /met")
    time.sleep(0.1)
    tap.equal("eight that ask nothing keep no scraper out", http(lab, f"http://127.0.0.1:{port}/metrics")[0], 0)
    idle[1].settimeout(20)
    tap.equal("one that says nothing is left after five seconds", idle[1].recv(1), b"")
    for one in idle:
        one.close()
    tap.check("... and others are served again", wait_for(lambda: http(lab, f"http://127.0.0.1:{port}/metrics")[0] == 0))
    daemon.stop()
    daemon.config(f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n", f"daemon metrics = unix:{path}")
    daemon.start()
    code, page, _ = http(lab, "--unix-socket", path, "http://localhost/metrics")
    tap.check("a local socket serves, too", code == 0 and "srvmesh_build_info" in page, page)
    tap.equal("... for every user", oct(os.stat(path).st_mode & 0o777), "0o666")
    far = lab.file("far.conf", "[domain mesh]\n[daemon]\nmetrics = 0.0.0.0:9853\n")
    code, _, errors = lab.run(SRVMESH, "check-config", far)
    tap.check("an address that is not loopback's is refused", code == 1 and "expected an address of loopback" in errors, errors)
    return text


def rules_and_dashboard(tap, text):
    names = set(re.findall(r"^(srvmesh_\w+)", text, re.M))
    folder = os.path.join(SRCDIR, "packaging", "monitoring")
    with open(os.path.join(folder, "srvmesh-alerts.yml"), encoding="utf-8") as file:
        rules = yaml.safe_load(file)["groups"][0]["rules"]
    used = set(re.findall(r"srvmesh_\w+", " ".join(rule["expr"] for rule in rules)))
    tap.check("the four alerts are of metrics that are there", len(rules) == 4 and used <= names, used - names)
    with open(os.path.join(folder, "srvmesh-dashboard.json"), encoding="utf-8") as file:
        board = json.load(file)
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    used = set(re.findall(r"srvmesh_\w+", " ".join(expressions)))
    tap.check("the dashboard's panels are of metrics that are there", len(expressions) > 10 and used <= names, used - names)
    ids = [panel["id"] for panel in board["panels"]]
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in board["panels"]]
    tap.check("... each in a place of its own, with what Grafana needs", len(set(ids)) == len(ids) and
              not any(a != b and a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
                      for a in places for b in places) and
              {"title", "uid", "schemaVersion", "templating", "panels", "time"} <= set(board))
    if os.environ.get("SRVMESH_LONG") == "yes":
        done = subprocess.run([need("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        tap.equal("promtool accepts the metrics", (done.returncode, done.stdout + done.stderr), (0, ""))
        done = subprocess.run([need("promtool"), "check", "rules", os.path.join(folder, "srvmesh-alerts.yml")], capture_output=True,
                              text=True, check=False)
        tap.check("promtool accepts the rules", done.returncode == 0 and "4 rules found" in done.stdout, done.stdout, done.stderr)


def real_prometheus(lab, tap, daemon, knot):
    """Prometheus itself scrapes, loads the rules, and sees an alert come."""
    web, port = free_port(), free_port()
    daemon.config(f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n", f"daemon metrics = 127.0.0.1:{port}")
    daemon.stop()
    daemon.start()
    rules = os.path.join(SRCDIR, "packaging", "monitoring", "srvmesh-alerts.yml")
    config = lab.file("prometheus.yml", "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                      f"rule_files: ['{rules}']\nscrape_configs: [{{job_name: srvmesh, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n")
    lab.start(need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={lab.path}/tsdb", f"--web.listen-address=127.0.0.1:{web}")

    def ask(path):
        code, text, _ = http(lab, f"http://127.0.0.1:{web}/api/v1/{path}")
        return json.loads(text)["data"] if code == 0 and text.startswith("{") else {}
    tap.check("Prometheus scrapes srvmeshd", wait_for(lambda: ask("query?query=srvmesh_build_info").get("result"), 60))
    tap.equal("... and loads the rules", [rule["health"] for group in ask("rules")["groups"] for rule in group["rules"]], ["ok"] * 4)
    daemon.config("[domain mesh]\nbogus = 1\n", f"daemon metrics = 127.0.0.1:{port}")
    daemon.signal(signal.SIGHUP)
    tap.check("an error in the configuration is an alert", wait_for(
        lambda: any(alert["labels"]["alertname"] == "SrvmeshConfigErrors" for alert in ask("alerts").get("alerts", [])), 60))
    daemon.config(f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n")
    daemon.stop()
    daemon.start()


def passed_over(lab, tap, daemon, knot):
    """Processes that pass over the map or srvmeshd say why, with the next request that reaches it."""
    def count(reason):
        text = lab.run(SRVMESH, "metrics")[1]
        return int(re.search(rf'bypass_total{{reason="{reason}"}} (\d+)', text).group(1))
    keys = f"[cache]\ndirectory = {daemon.directory}\n[daemon]\nsocket = {daemon.socket}\n"
    other = lab.file("other.conf", f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n[domain other]\nservers = 127.0.0.1:{knot.port}\n{keys}")
    lab.guest("timed", "x.other", "y.mesh", SRVMESH_CONF=other)
    tap.equal("a name that srvmeshd does not have", count("config_differs"), 1)
    open_to_all = os.path.join(lab.path, "open")
    os.mkdir(open_to_all)
    os.chmod(open_to_all, 0o777)
    elsewhere = lab.file("elsewhere.conf", f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\n[cache]\ndirectory = {open_to_all}\n"
                                           f"[daemon]\nsocket = {daemon.socket}\n")
    lab.probe("gai", "unspec", "z.mesh", SRVMESH_CONF=elsewhere)
    tap.equal("a map that others can write", count("map_untrusted"), 1)
    daemon.stop()
    process = subprocess.Popen([PROBE, "repeat", "60", "short.mesh"], stdout=subprocess.PIPE, text=True, env=lab.environment())
    process.stdout.readline()
    daemon.start()
    tap.check("a socket at which nobody listens", wait_for(lambda: count("socket_refused") == 1))
    process.terminate()
    process.wait()
    process.stdout.close()


def outage(lab, tap, daemon, knot):
    knot.process.send_signal(signal.SIGSTOP)
    for name in ("s1.mesh", "s2.mesh", "s3.mesh"):
        lab.run(SRVMESH, "lookup", name)
    time.sleep(1.1)
    code, _, errors = lab.run(SRVMESH, "lookup", "s4.mesh")
    tap.check("a lookup that fails names the server that is silent, and how long",
              code == 4 and re.search(rf"no server could tell: 127\.0\.0\.1:{knot.port} has been silent for \d+ s", errors), code, errors)
    rows = json.loads(lab.run(SRVMESH, "servers", "--json")[1])
    row = next(one for one in rows if one["server"] == f"127.0.0.1:{knot.port}")
    tap.check("servers says that it is down", row["state"] == "down" and row["silent"] >= 2 and row["silent_since_ms"] > 0, row)
    knot.process.send_signal(signal.SIGCONT)


def programs(lab, tap):
    def run(*words):
        done = subprocess.run([SRVMESH, "run", *words], env=lab.environment(), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.split()
    tap.equal("run gives address, port and target", run("api.mesh", "--", "echo", "%h", "%p", "%t"),
              (0, ["127.0.0.21", "8080", "a.mesh"]))
    tap.equal("the program's exit status is ours", [run("api.mesh", *retry, "--", "sh", "-c", "exit 9")[0] for retry in ([], ["--retry"])],
              [9, 9])
    tap.equal("the signal that ends it ends us", [run("api.mesh", *retry, "--", "sh", "-c", "kill -USR1 $$")[0]
                                                  for retry in ([], ["--retry"])], [-signal.SIGUSR1, -signal.SIGUSR1])
    tap.equal("where the first target will not do, the next one is tried",
              run("api.mesh", "--retry", "--", "sh", "-c", "echo %h; [ %h = 127.0.0.12 ] || exit 75"),
              (0, ["127.0.0.21", "127.0.0.12"]))
    tap.equal("where none will do, the last status counts", run("api.mesh", "--retry", "--", "sh", "-c", "exit 75")[0], 75)
    code, _, errors = lab.run(SRVMESH, "run", "api.mesh", "--retry", "--", "/nonexistent")
    tap.check("what is no program is 127, and tried everywhere", code == 127 and errors.count("could not be started") > 1, code, errors)
    code, _, errors = lab.run(SRVMESH, "run", "api.mesh", "--retry", "--", "sh", "-c", "exit 127")
    tap.equal("... but a program that itself ends with it is not", (code, errors), (127, ""))
    code, _, errors = lab.run(SRVMESH, "run", "api.mesh", "--retry", "--", "sh", "-c",
                              "trap 'exit 75' TERM; kill -TERM $PPID; while :; do sleep 0.05; done")
    tap.equal("a signal to end is one: no further target is tried", (code, errors), (75, ""))
    ignored = subprocess.run(["sh", "-c", f"trap '' HUP INT; exec {SRVMESH} run api.mesh --retry -- grep SigIgn /proc/self/status"],
                             env=lab.environment(), capture_output=True, text=True, check=False, timeout=30).stdout
    tap.check("what was ignored stays ignored", ignored and int(ignored.split()[1], 16) & 3 == 3, ignored)
    process = subprocess.Popen([SRVMESH, "run", "api.mesh", "--retry", "--", "sh", "-c", "trap 'exit 5' TERM; echo ready; "
                                "while :; do sleep 0.1; done"], env=lab.environment(), stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.terminate()
    tap.equal("a signal to us reaches the program", process.wait(10), 5)
    process.stdout.close()


SOCKETS = """import socket, sys
address = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)[0][4][0]
with socket.create_connection((address, 80), 5) as one:  # the port is the program's own
    one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print("".join(iter(lambda: one.recv(4096).decode(), "")).split("\\r\\n\\r\\n")[1].strip())
"""

# What a program may call besides: each line is what came of it.
ODD_CALLS = """import ctypes, os, socket, sys
six, plain, port, path = sys.argv[1:]
with socket.create_connection(socket.getaddrinfo(six, 80, type=socket.SOCK_STREAM)[0][4][:2], 5) as one:
    print(one.getpeername()[1] == int(port))
print(socket.getaddrinfo("127.0.0.1", 80, flags=socket.AI_NUMERICHOST)[0][4][1],
      socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE, family=socket.AF_INET)[0][4][1], socket.getaddrinfo("localhost", 7)[0][4][1],
      socket.getaddrinfo(plain, 80, family=socket.AF_INET)[0][4][1])
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
    udp.connect(("::1", 80))
    print(udp.getpeername()[1])
listening, one = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
one.connect(path)
print(one.getpeername() == path)
libc = ctypes.CDLL(None, use_errno=True)
found = ctypes.c_void_p()
print(libc.getaddrinfo(six.encode(), None, None, ctypes.byref(found)), libc.getaddrinfo(six.encode(), b"http", None, ctypes.byref(found)))
with socket.socket() as one:
    print(libc.connect(one.fileno(), None, 16), libc.connect(one.fileno(), b"\\2\\0\\0\\120", 4))
"""


def ports(lab, tap, knot):
    """run --ports: unchanged programs that know one port come to those of SRV records."""
    if not lab.can_be_a_host():
        tap.skip("run --ports brings unchanged programs to the ports of SRV records", "it needs root, or user namespaces")
        return
    folder, port = os.path.join(lab.path, "web"), free_port()
    os.makedirs(folder)
    lab.file("web/index.html", "here\n")
    lab.start(sys.executable, "-m", "http.server", "--bind", "127.0.0.21", "--directory", folder, str(port))
    six = free_port()
    lab.start(sys.executable, "-m", "http.server", "--bind", "::1", "--directory", folder, str(six))
    knot.change(ZONE.replace("127.0.0.11", "127.0.0.21") + f"_web._tcp SRV 0 0 {port} a\n_six._tcp SRV 0 0 {six} six-host\n"
                "six-host AAAA ::1\n")
    lab.run(SRVMESH, "cache", "flush", "--all")
    wait_for(lambda: http(lab, f"http://127.0.0.21:{port}/")[0] == 0)
    own = os.path.join(PROGRAMS, "libsrvmesh_ports.so")

    def run(*words, **more):
        return lab.host(SRVMESH, "run", "--ports", "--", *words, SRVMESH_PORTS=own, **more)[:2]
    tap.equal("run --ports: curl comes to the port of the SRV record", run(need("curl"), "-sS", "http://web.mesh/"), (0, "here"))
    tap.equal("... and from any other port that it is told", run(need("curl"), "-sS", "http://web.mesh:7/"), (0, "here"))
    script = 'exec 3<>/dev/tcp/web.mesh/80; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3 | tail -1'
    tap.equal("... and bash", run(need("bash"), "-c", script), (0, "here"))
    tap.equal("... and python, which sets the port by itself", run(sys.executable, "-c", SOCKETS, "web.mesh"), (0, "here"))
    tap.equal("... and node", run(need("node"), "-e", 'require("http").get("http://web.mesh/", r => r.on("data", d => '
                                  'process.stdout.write(d)))'), (0, "here"))
    wait_for(lambda: http(lab, f"http://[::1]:{six}/")[0] == 0)
    tap.equal("... over IPv6, too; whatever else a program connects to, and asks for, is as it was",
              run(sys.executable, "-c", ODD_CALLS, "six.mesh", "plain.mesh", str(six), os.path.join(lab.path, "odd")),
              (0, "True\n80 80 7 80\n80\nTrue\n0 0\n-1 -1"))
    tap.equal("an address is left as it is, and so is a name without SRV",
              [run(need("curl"), "-s", "-o", "/dev/null", f"http://127.0.0.21:{port}/")[0],
               run(need("curl"), "-s", "http://plain.mesh:9/")[0]], [0, 7])
    code, _, errors = lab.run(SRVMESH, "run", "--ports", "--", "true", SRVMESH_PORTS=own)
    tap.check("without the services line it says what is missing", code == 1 and "services line" in errors or
              "srvmesh" in open("/etc/nsswitch.conf", encoding="utf-8").read(), code, errors)
    tap.equal("without the object, too", lab.host(SRVMESH, "run", "--ports", "--", "true", SRVMESH_PORTS="/nonexistent")[0], 1)


def on_a_terminal(lab, *words, **more):
    """What a command writes to a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([SRVMESH, *words], stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.DEVNULL,
                               env=lab.environment(TERM="xterm", **more))
    os.close(follower)
    text = b""
    try:
        while piece := os.read(leader, 65536):
            text += piece
    except OSError:
        pass
    process.wait()
    os.close(leader)
    return text.decode()


def terminals(lab, tap):
    tap.check("a terminal has colours", "\033[" in on_a_terminal(lab, "servers"))
    tap.check("... not with NO_COLOR, nor where it is told not to", "\033[" not in on_a_terminal(lab, "servers", NO_COLOR="1") and
              "\033[" not in on_a_terminal(lab, "servers", "--color=never"))
    tap.check("-j is pretty on a terminal", on_a_terminal(lab, "servers", "-j").startswith("[\r\n  {"))
    watch = subprocess.Popen([SRVMESH, "status", "--watch"], stdout=subprocess.PIPE, text=True, env=lab.environment())
    lines = [watch.stdout.readline() for _ in range(30)]
    watch.terminate()
    watch.wait()
    watch.stdout.close()
    tap.check("status --watch goes on", sum("srvmeshd" in line for line in lines) >= 2, lines)


def completion(lab, tap):
    folder = os.path.join(SRCDIR, "packaging", "completions")
    path = BUILDDIR + ":" + os.environ["PATH"]
    script = (f'. {folder}/srvmesh.bash; COMP_WORDS=(srvmesh "$@"); COMP_CWORD=$#; compopt() {{ :; }}; _srvmesh; '
              'printf "%s\\n" "${COMPREPLY[@]}"')

    def bash(*words):
        return lab.run(need("bash"), "-c", script, "bash", *words, PATH=path)[1].split()
    tap.equal("bash completes commands", bash("che"), ["check-config"])
    tap.equal("... their second words", bash("cache", ""), ["list", "show", "flush"])
    tap.equal("... names", bash("lookup", "ap"), ["api.mesh"])
    tap.equal("... options", bash("cache", "flush", "--a"), ["--all"])
    tap.equal("... sections", bash("disable", "m"), ["mesh"])
    tap.check("... files", "conf/" in str(lab.run(need("bash"), "-c", f"cd {SRCDIR}; " + script, "bash", "check-config", "conf", PATH=path))
              or bash("check-config", SRCDIR + "/con"), bash("check-config", SRCDIR + "/con"))
    code, output, errors = lab.run(need("fish"), "--no-config", "-c", f"source {folder}/srvmesh.fish; complete -C 'srvmesh che'", PATH=path,
                                   HOME=lab.path, XDG_CONFIG_HOME=lab.path, XDG_DATA_HOME=lab.path)
    tap.equal("fish completes them, too", (code, output.split("\t")[0].split()), (0, ["check-config"]))
    script = ('autoload -Uz compinit; compinit -u -D; compadd() { [[ $1 == -S ]] && shift 2; shift; print -rl -- "$@" }; '
              f'words=(srvmesh che); CURRENT=2; . {folder}/_srvmesh')
    code, output, errors = lab.run(need("zsh"), "-f", "-c", script, PATH=path, HOME=lab.path)
    tap.equal("... and zsh", (output.split(), errors), (["check-config"], ""))


def traces(lab, tap):
    output = lab.probe("gai", "unspec", "api.mesh", SRVMESH="trace")
    tap.check("SRVMESH=trace tells of each lookup", re.search(
        r"srvmesh: name=api\.mesh families=both from=map state=fresh verdict=found got=127\.0\.0\.21 ns=\d+", output), output)
    output = lab.probe("gai", "unspec", "www.example", SRVMESH="trace", PROBE_HOSTS="srvmesh files")
    tap.check("... not of names that are not ours", "srvmesh:" not in output, output)
    for what in ("whose reader is gone", "that is full"):
        reader, writer = os.pipe()
        if what == "that is full":
            os.set_blocking(writer, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, b"x" * 4096)
            os.set_blocking(writer, True)
        else:
            os.close(reader)
        done = subprocess.run([PROBE, "gai", "unspec", "api.mesh"], env=lab.environment(SRVMESH="trace"), stdout=subprocess.PIPE,
                              stderr=writer, text=True, check=False, timeout=20)
        tap.check(f"a trace into a pipe {what} does the program no harm", done.returncode == 0 and "127.0.0.21" in done.stdout,
                  done.returncode, done.stdout)
        os.close(writer)
        if what == "that is full":
            os.close(reader)
    notes = subprocess.run([need("readelf"), "-nW", os.path.join(PROGRAMS, "libnss_srvmesh.so.2")], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    tap.equal("the plugin has its static probes", sorted(set(re.findall(r"Provider: srvmesh\s+Name: (\w+)", notes))),
              ["lookup_end", "lookup_start", "map_retry"])
    notes = subprocess.run([need("readelf"), "-nW", os.path.join(BUILDDIR, "srvmeshd")], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    tap.equal("... and srvmeshd", sorted(set(re.findall(r"Provider: srvmesh\s+Name: (\w+)", notes)) - {"map_retry"}),
              ["commit", "health", "job_end", "job_start", "server"])


def main():
    tap = Tap()
    with Lab() as lab:
        knot = Knot(lab, ZONE)
        port, path = free_port(), os.path.join(lab.path, "run", "metrics")
        daemon = Daemon(lab, f"[domain mesh]\nservers = 127.0.0.1:{knot.port}\nfamily = ipv4\n", f"daemon metrics = 127.0.0.1:{port}")
        followers(lab, tap, daemon, knot)
        slow_reader(lab, tap, daemon)
        who_may(lab, tap, daemon)
        text = metrics(lab, tap, daemon, knot, port, path)
        rules_and_dashboard(tap, lab.run(SRVMESH, "metrics")[1] + "\n")
        if os.environ.get("SRVMESH_LONG") == "yes":
            real_prometheus(lab, tap, daemon, knot)
        passed_over(lab, tap, daemon, knot)
        programs(lab, tap)
        ports(lab, tap, knot)
        terminals(lab, tap)
        completion(lab, tap)
        traces(lab, tap)
        outage(lab, tap, daemon, knot)
        stopping(tap, daemon)
        tap.check("srvmeshd ends while it is followed", text and ends_followed(lab, daemon))
    tap.finish()


def ends_followed(lab, daemon):
    events = Events(lab)
    wait_for(lambda: daemon.status().get("clients_now", 0) >= 2)
    code = daemon.stop()
    events.process.wait(10)
    return code == 0 and events.process.returncode == 3


main()
