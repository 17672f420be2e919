# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the stories of srvmeshd share: a zone, and how a story is played."""
import ctypes
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import has_user_namespaces, in_namespaces, Tap  # noqa: E402
from scripted_server import Server  # noqa: E402

ZONE = """
_api._tcp.mesh. 60 SRV 10 60 8080 a.mesh.
_api._tcp.mesh. 60 SRV 10 30 8080 b.mesh.
a.mesh. 60 A 127.0.0.11
b.mesh. 60 A 127.0.0.12
_two._tcp.mesh. 60 SRV 0 0 1 a.mesh.
_short._tcp.mesh. 2 SRV 0 0 1 a.mesh.
_zero._tcp.mesh. 0 SRV 0 0 1 a.mesh.
"""
API = "127.0.0.11 127.0.0.12"


def serve(zone=ZONE):
    server = Server()
    for line in zone.split("\n"):
        if line.strip():
            server.add(line)
    server.start()
    return server


def config(server, more=""):
    """For IPv4, unless `more` says otherwise: so no story depends on what is asked behind an answer, and when."""
    family = "" if "family" in more else "family = ipv4\n"
    return f"[domain mesh]\nservers = 127.0.0.1:{server.port}\n{family}{more}\n"


def sorted_words(text):
    return " ".join(sorted(text.split()))


class Double:
    """Another server on the daemon's socket."""

    HEAD = struct.Struct("<IBBH")
    MAGIC = 0x484D5253

    def __init__(self, path, behaviour):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        self.socket.listen(64)
        self.behaviour = behaviour
        self.is_open = True
        self.clients = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def frame(self, kind, body=b""):
        return self.HEAD.pack(self.MAGIC, 1, kind, 0) + body

    def serve(self):
        while self.is_open:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.clients.append(client)
            try:
                self.behaviour(self, client)
            except OSError:
                pass

    def stop(self):
        self.is_open = False
        self.socket.close()
        for client in self.clients:
            client.close()


def working_for_ever(double, client):
    def go_on():
        try:
            while double.is_open:
                client.send(double.frame(17))
                time.sleep(0.05)
        except OSError:
            pass

    threading.Thread(target=go_on, daemon=True).start()

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def unshare(flags):
    """Gives this process its own mounts, or its own network, from here on."""
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def play(story):
    """Plays a story as this user can: as the root of a user namespace, where there are no others."""
    if os.environ.get("SRVMESH_NAMESPACES") == "inside" or (os.geteuid() != 0 and has_user_namespaces()):
        in_namespaces()
    tap = Tap()
    story(tap)
    tap.finish()
