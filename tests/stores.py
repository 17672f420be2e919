# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stores that hosts share: a real Redis (or Valkey), a client for it, a scripted store for what a real one does not do, and a
road to it that can be cut."""
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time

from lab import BUILDDIR, IS_SANITIZED, free_port, need


def server_program():
    """valkey-server where it is installed, else redis-server."""
    return shutil.which("valkey-server", path=os.environ.get("PATH", "") + ":/usr/bin") or need("redis-server")


class Client:
    """Commands, one at a time."""

    def __init__(self, port=None, path=None, password=None, address="127.0.0.1"):
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.socket.settimeout(10)
        self.socket.connect(path or (address, port))
        self.file = self.socket.makefile("rb")
        if password:
            self("AUTH", password)

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.read()

    def read(self):
        line = self.file.readline()[:-2]
        if line[:1] == b"$":
            size = int(line[1:])
            return self.file.read(size + 2)[:-2] if size >= 0 else None
        if line[:1] == b"*":
            return [self.read() for _ in range(int(line[1:]))]
        return int(line[1:]) if line[:1] == b":" else line.decode()

    def close(self):
        self.file.close()
        self.socket.close()


class Store:
    """A real server, without files, in a directory of the lab."""

    def __init__(self, lab, *options, port=None, path=None, password=None, address="127.0.0.1", inside=()):
        """`inside`: words before the command, such as nsenter's."""
        self.lab, self.options, self.path, self.password = lab, options, path, password
        self.address, self.inside = address, inside
        self.port = port or (0 if path else free_port())
        self.start()

    def command(self):
        where = ["--unixsocket", self.path, "--port", "0"] if self.path else ["--port", str(self.port), "--bind", self.address]
        return [*self.inside, server_program(), *where, "--save", "", "--appendonly", "no", "--dir", self.lab.path, "--daemonize", "no",
                *self.options]

    def start(self):
        self.process = self.lab.start(*self.command())
        for _ in range(200):
            try:
                self.client = Client(self.port, self.path, self.password, self.address)
                if self.client("PING"):
                    return
            except (OSError, IndexError):
                time.sleep(0.05)
        raise RuntimeError("the store does not answer")

    def __call__(self, *words):
        return self.client(*words)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def values(self):
        """{key: value} of all answers."""
        keys = [key for key in self("KEYS", "*") if key.count(b":") == 1 and not key.endswith(b":flushes")]
        return {key: self("GET", key) for key in keys}

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.client.close()
        self.lab.stop(self.process)


def shut(end):
    """Both sides notice."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Road:
    """A TCP proxy to a port, which can be cut so that both ends notice nothing, or closed."""

    def __init__(self, to):
        self.to, self.is_cut, self.is_open = to, False, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.is_open:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        try:
            while bytes_ := one.recv(65536):
                while self.is_cut and self.is_open:
                    time.sleep(0.01)
                other.sendall(bytes_)
        except OSError:
            pass
        shut(one)
        shut(other)

    def close(self):
        self.is_open = False
        shut(self.listener)
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                shut(end)
                end.close()


class Scripted:
    """A store that answers as `answer(words)` says: bytes as they are; None: nothing is said; False: it closes; bytes and
    False: both."""

    def __init__(self, answer, port=0):
        self.answer, self.is_open = answer, True
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.heard, self.clients = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.is_open:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        file = client.makefile("rb")
        try:
            while line := file.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int(file.readline()[1:])
                    words.append(file.read(size + 2)[:-2])
                self.heard.append(words)
                said = self.answer(words)
                if said:
                    client.sendall(said[0] if isinstance(said, tuple) else said)
                if said is False or isinstance(said, tuple):
                    break
        except (OSError, ValueError):
            pass
        client.close()

    def stop(self):
        self.is_open = False
        self.listener.close()
        for client in self.clients:
            client.close()


def greets(words):
    """What a store of RESP 3 says before any job asks; None: something else is asked."""
    said = {b"HELLO": b"%1\r\n+proto\r\n:3\r\n", b"LRANGE": b"*0\r\n", b"PTTL": b":-2\r\n", b"GET": b"_\r\n", b"SET": b"+OK\r\n"}
    if words[0] == b"SUBSCRIBE":
        return b">3\r\n+subscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(words[1]), words[1])
    return said.get(words[0])


def make_key(lab, name="key", fill=None):
    path = os.path.join(lab.path, name)
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(fill * 32 if fill else os.urandom(32))
    return path


def clock(hours):
    """Variables for a program whose wall clock is ahead, and no other."""
    preloaded = [os.path.join(BUILDDIR, "tests", "shifted_clock.so")]
    if IS_SANITIZED:
        preloaded.insert(0, subprocess.run([need("gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True,
                                           check=True).stdout.strip())
    return {"LD_PRELOAD": " ".join(preloaded), "SHIFTED_CLOCK_S": str(hours * 3600)}
