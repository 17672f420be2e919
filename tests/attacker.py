# SPDX-License-Identifier: LGPL-2.1-or-later
"""A local user who asks srvmeshd for more than is decent, at its sockets themselves.

    attacker.py SOCKET abandon SECONDS SUFFIX     connects, asks for a name that nobody has asked for, and closes, time and again
    attacker.py SOCKET crowd CLIENTS COUNT SUFFIX so many clients at a time ask for so many such names
    attacker.py SOCKET hints SECONDS NAME         hints of one name
    attacker.py SOCKET compute                    asks for nothing, and keeps a processor busy until it is killed
    attacker.py SOCKET quiet COUNT SUFFIX ADDRESS one lookup after the other; prints the median of their milliseconds, and counts as
                                                  found what has the address

Prints how many it sent, and how often which reply came.
"""
import contextlib
import os
import selectors
import socket
import statistics
import struct
import sys
import time
from collections import Counter

MAGIC = 0x484D5253
LOOKUP, HINT, RECORD, WORKING, BUSY = 1, 2, 16, 17, 19
WORDS = {RECORD: "record", BUSY: "busy"}


def frame(kind, name, wait_ms=3000):
    def field(tag, data):
        return struct.pack("<HI", tag, len(data)) + data
    head = struct.pack("<IBBBB", MAGIC, 2, kind, 0, 1)
    return head + field(1, struct.pack("<I", wait_ms)) + field(2, b"\x03") + field(3, name.encode())


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(path)
    return client


def kind_of(client, address=None):
    """Of the final reply."""
    while True:
        reply = client.recv(262144)
        if len(reply) < 8:
            return "closed"
        if address and reply[5] == RECORD and socket.inet_aton(address) in reply:
            return "found"
        if reply[5] != WORKING:
            return WORDS.get(reply[5], str(reply[5]))


def abandon(path, seconds, suffix):
    end, n = time.monotonic() + float(seconds), 0
    while time.monotonic() < end:
        try:
            with connect(path) as client:
                client.send(frame(LOOKUP, f"x{os.getpid()}-{n}.{suffix}"))
            n += 1
        except OSError:
            time.sleep(0.001)
    return n, {}


def crowd(path, clients, count, suffix):
    waiting, replies, sent = selectors.DefaultSelector(), Counter(), 0
    while sent < int(count) or waiting.get_map():
        while sent < int(count) and len(waiting.get_map()) < int(clients):
            client = connect(path)
            with contextlib.suppress(BrokenPipeError):
                client.send(frame(LOOKUP, f"c{os.getpid()}-{sent}.{suffix}", wait_ms=25000))
            waiting.register(client, selectors.EVENT_READ)
            sent += 1
        for key, _ in waiting.select(10):
            try:
                reply = key.fileobj.recv(262144)
            except ConnectionResetError:
                reply = b""
            if len(reply) >= 8 and reply[5] == WORKING:
                continue
            replies[WORDS.get(reply[5], str(reply[5])) if len(reply) >= 8 else "closed"] += 1
            waiting.unregister(key.fileobj)
            key.fileobj.close()
    return sent, replies


def hints(path, seconds, name):
    end, n = time.monotonic() + float(seconds), 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        while time.monotonic() < end:
            sender.sendto(frame(HINT, name), path + ".hint")
            n += 1
    return n, {}


def compute(path):
    while path:
        pass
    return 0, {}


def quiet(path, count, suffix, address):
    replies, times = Counter(), []
    for i in range(int(count)):
        began = time.monotonic()
        with connect(path) as client:
            client.send(frame(LOOKUP, f"q{os.getpid()}-{i}.{suffix}"))
            replies[kind_of(client, address)] += 1
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.005)
    print(f"median {statistics.median(times):.3f} ms, longest {max(times):.0f} ms")
    return int(count), replies


def main():
    sent, replies = {"abandon": abandon, "crowd": crowd, "hints": hints, "compute": compute, "quiet": quiet}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
    print(f"sent {sent}", *(f"{word} {n}" for word, n in sorted(dict(replies).items())))


if __name__ == "__main__":
    main()
