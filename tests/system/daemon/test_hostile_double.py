# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: another program at the socket that answers with anything."""
import os
import shutil
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import Daemon, Lab  # noqa: E402
from system.daemon.stories import API, serve, config, sorted_words, Double, working_for_ever, play  # noqa: E402


def working_without_pause(double, client):
    def go_on():
        try:
            while double.is_open:
                client.send(double.frame(17))
        except OSError:
            pass

    threading.Thread(target=go_on, daemon=True).start()


def closed_at_once(_, client):
    client.close()


def replies(*frames):
    def behaviour(double, client):
        client.recv(1024)
        for frame in frames:
            client.send(frame(double))

    return behaviour


def hostile_double(tap):
    server = serve()
    with Lab() as lab:
        record_of_two = []
        daemon = Daemon(lab, config(server))
        lab.probe("gai", "unspec", "two.mesh")
        asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asker.connect(daemon.socket)
        asker.send(struct.pack("<IBBHIBB", Double.MAGIC, 1, 1, 0, 1000, 3, 8) + b"two.mesh")
        record_of_two.append(asker.recv(1 << 18)[8:])
        asker.close()
        daemon.stop()
        shutil.rmtree(daemon.directory)
        another = [lambda d: d.frame(16, record_of_two[0])]
        cases = [
            ("never answers", lambda double, client: None, True),
            ("closes at once", closed_at_once, False),
            ("sends garbage", replies(lambda d: os.urandom(64)), False),
            ("sends a byte", replies(lambda d: b"x"), False),
            ("sends an empty record", replies(lambda d: d.frame(16)), False),
            ("sends 200 KB", replies(lambda d: d.frame(16, os.urandom(200000))), False),
            ("sends another name's record", replies(*another), False),
            ("sends a frame of the future", replies(lambda d: d.frame(99)), False),
            ("says that it is busy", replies(lambda d: d.frame(19)), False),
            ("says that the name is not ours", replies(lambda d: d.frame(18)), False),
        ]
        for words, behaviour, is_slow in cases:
            double = Double(daemon.socket, behaviour)
            answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
            tap.equal(f"a daemon that {words}: the process finds it by itself", sorted_words(answer), API)
            tap.check("... within the deadline" if is_slow else "... at once", float(ms) < (1500 if is_slow else 200), ms)
            double.stop()
            shutil.rmtree(daemon.directory)
        for words, behaviour in (("that it works, for ever", working_for_ever),
                                 ("nothing else but that it works", working_without_pause)):
            double = Double(daemon.socket, behaviour)
            answer, ms = lab.guest("timed", "api.mesh").rsplit(" ", 1)
            tap.check(f"a daemon that says {words}, is believed until the deadline and no longer",
                      answer == "EAI_AGAIN" and 2900 < float(ms) < 3200, answer, ms)
            double.stop()
            shutil.rmtree(daemon.directory)
    server.stop()


if __name__ == "__main__":
    play(hostile_double)
