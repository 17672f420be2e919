# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs whose calls of libc fail: what tests/failing_libc.c, preloaded, reads from its file."""
import os
import struct

from lab import BUILDDIR

# as in tests/failing_libc.h, with the error that each gives
ERRORS = {"MEMORY": 12, "MAP": 12, "OPEN": 24, "READ": 5, "LOOK": 5, "SOCKET": 24, "CONNECT": 11, "SEND": 105, "RECEIVE": 104, "WAIT": 12,
          "OPTION": 105, "CHANCE": 38, "THREAD": 12}
KINDS = tuple(ERRORS)


class Faults:
    """Of the processes that have this file."""

    HEAD = struct.Struct("<BBBBIQ")

    def __init__(self, path):
        self.path = path
        self.none()

    def write(self, *fields):
        with open(self.path, "wb") as file:
            file.write(self.HEAD.pack(*fields))

    def none(self):
        self.write(0, 0, 0, 0, 0, 0)

    def by_chance(self, one_in):
        """At once, also in processes that run; 0: no longer."""
        with open(self.path, "r+b") as file:
            file.write(bytes([one_in]))

    def at(self, kind, n, goes_on):
        """In processes that begin: the n-th call of that kind, and those after it."""
        self.write(0, KINDS.index(kind) + 1, goes_on, ERRORS[kind], n, 0)

    def failed(self):
        """How many calls have failed so far."""
        with open(self.path, "rb") as file:
            return self.HEAD.unpack(file.read(16))[5]

    def environment(self):
        return {"FAILING_LIBC": self.path, "LD_PRELOAD": os.path.join(BUILDDIR, "tests", "failing_libc.so")}
