# SPDX-License-Identifier: LGPL-2.1-or-later
"""srvmeshd: replies that travel in many frames, by a srvmeshd whose frames hold 232 bytes."""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from lab import BUILDDIR, Daemon, Lab  # noqa: E402
from system.daemon.stories import config, play, serve, sorted_words  # noqa: E402

# as large as one DNS message allows, so that the frames of a reply take more than a socket's buffer
TARGETS = 200
NAMES = [f"t{i}." + "a" * 60 + "." + "b" * 60 + "." + "c" * 60 + "." + "d" * 45 + ".mesh." for i in range(TARGETS)]
ZONE = "".join(f"_large._tcp.mesh. 60 SRV 0 1 80 {name}\n{name} 60 A 127.1.0.{i}\n{name} 60 AAAA fd00::{i:x}\n"
               for i, name in enumerate(NAMES))
LOOKUP = (struct.pack("<IBBBB", 0x484D5253, 2, 1, 0, 1) + struct.pack("<HII", 1, 4, 5000) + struct.pack("<HIB", 2, 1, 3) +
          struct.pack("<HI", 3, 10) + b"large.mesh")


def connect(daemon):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(daemon.socket)
    client.settimeout(10)
    client.send(LOOKUP)
    return client


def frames_of(client):
    """The (kind, part, parts) of all frames until the end."""
    frames = []
    while True:
        frame = client.recv(65536)
        if not frame:
            return frames
        frames.append(struct.unpack_from("<BBB", frame, 5))


def parts(tap):
    server = serve(ZONE)
    with Lab() as lab:
        daemon = Daemon(lab, config(server, "family = any\nmax_answers = 64"),
                        program=os.path.join(BUILDDIR, "tests", "srvmeshd_in_parts"))
        first = lab.probe("gai", "inet", "large.mesh")
        tap.check("a miss: a program puts the reply together", first.startswith("127.1.0."), first)
        frames = frames_of(connect(daemon))
        n = frames[-1][2]
        print(f"# {n} frames")
        tap.check("it came in many numbered frames", n > 100 and [frame[1] for frame in frames] == list(range(n)), frames[-3:])

        slow = [connect(daemon) for _ in range(20)]
        gone = [connect(daemon) for _ in range(20)]
        time.sleep(0.3)
        for client in gone:
            client.close()
        tap.equal("clients that have not taken their replies do not stop the daemon",
                  sorted_words(lab.probe("gai", "inet", "other.mesh")), "EAI_NONAME")
        tap.equal("they wait for the rest: it does not fit into their sockets", daemon.status()["clients_now"], 21)
        tap.equal("they get all of them in the end", {frames_of(client)[-1][1:] for client in slow}, {(n - 1, n)})
        never = connect(daemon)
        time.sleep(6)
        tap.equal("a client that never takes its reply is closed", daemon.status()["clients_now"], 1)
        never.close()
        waiting = connect(daemon)
        time.sleep(0.2)
        daemon.process.terminate()
        tap.equal("SIGTERM ends the daemon, with a reply that was not taken", daemon.process.wait(15), 0)
        waiting.close()
    server.stop()


if __name__ == "__main__":
    play(parts)
