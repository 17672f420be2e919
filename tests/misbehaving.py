# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network that misbehaves: a proxy in front of a real DNS server that delays, loses and reorders datagrams, or is silent.

What it does can be changed at any time by its attributes; times are milliseconds, and each way counts. TCP passes through,
unless the proxy is silent."""
import heapq
import itertools
import random
import selectors
import socket
import threading
import time


class Proxy:
    def __init__(self, address, port, upstream, seed=1, scope=0):
        self.delay_ms, self.jitter_ms, self.loss, self.is_silent = 0.0, 0.0, 0.0, False
        self.n_questions = 0
        self.upstream = upstream
        self.random = random.Random(seed)
        self.udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port, 0, scope) if scope else (address, port))
        self.tcp = socket.socket(self.udp.family)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(self.udp.getsockname())
        self.tcp.listen(64)
        self.n_streams = 0
        self.back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.back.connect(upstream)
        self.asked = {}  # our id: (client, its id)
        self.ids = itertools.count(1)
        self.waiting, self.order = [], itertools.count()
        self.is_open = True
        self.threads = [threading.Thread(target=loop, daemon=True) for loop in (self.pass_datagrams, self.pass_streams)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_open = False
        self.tcp.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for one in (self.udp, self.tcp, self.back):
            one.close()

    def send_later(self, send, message):
        """What is under way is lost, too, when the proxy falls silent before it arrives."""
        if self.is_silent or self.random.random() < self.loss:
            return
        due = time.monotonic() + (self.delay_ms + self.random.uniform(0, self.jitter_ms)) / 1000
        heapq.heappush(self.waiting, (due, next(self.order), send, message))

    def take_question(self):
        message, client = self.udp.recvfrom(65535)
        if len(message) < 12:
            return
        self.n_questions += 1
        own = next(self.ids) % 65536
        self.asked[own] = (client, message[:2])
        self.send_later(self.back.send, own.to_bytes(2, "big") + message[2:])

    def take_answer(self):
        message = self.back.recv(65535)
        client, its_id = self.asked.pop(int.from_bytes(message[:2], "big"), (None, None))
        if client:
            self.send_later(lambda m: self.udp.sendto(m, client), its_id + message[2:])

    def pass_datagrams(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.udp, selectors.EVENT_READ, self.take_question)
            selector.register(self.back, selectors.EVENT_READ, self.take_answer)
            while self.is_open:
                left = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
                for key, _ in selector.select(max(0, min(left, 0.1))):
                    try:
                        key.data()
                    except OSError:
                        pass  # the other end is gone
                while self.waiting and self.waiting[0][0] <= time.monotonic():
                    _, _, send, message = heapq.heappop(self.waiting)
                    try:
                        if not self.is_silent:
                            send(message)
                    except OSError:
                        pass

    def pass_streams(self):
        while self.is_open:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            self.n_streams += 1
            threading.Thread(target=self.pass_stream, args=(client,), daemon=True).start()

    def pass_stream(self, client):
        with client, socket.create_connection(self.upstream) as back:
            ends = {client: back, back: client}
            with selectors.DefaultSelector() as selector:
                for end in ends:
                    selector.register(end, selectors.EVENT_READ)
                while self.is_open:
                    for key, _ in selector.select(0.1):
                        message = key.fileobj.recv(65535)
                        if not message:
                            return
                        if not self.is_silent:
                            ends[key.fileobj].sendall(message)
