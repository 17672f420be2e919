# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DNS server that behaves as told, right or wrong, for behaviour that real servers do not show.

It answers from a list of records as an authoritative server would (glue included): a name of whose top label it has no
record, and that is not under mesh, is refused. Unless a behaviour is set:

    drop [COUNT] [TYPE]     no answer: always, or to the first COUNT questions, or to those of one type
    drop-name NAME          no answer to questions for this name, or names below it
    drop-edns               no answer to questions with OPT
    lose PERCENT            that many of the questions get no answer, drawn from a fixed seed
    silent FROM [TO]        no answer from then on, or until then: milliseconds since the server started
    flap MS                 answers for so long, then is silent for so long, and so on
    reorder MS              each answer up to so much later, drawn from a fixed seed
    delay MS [TYPE]         a late answer
    after TYPE              SRV is answered when a question of that type has come, or after ten seconds
    rcode NAME [TYPE]       SERVFAIL, REFUSED, NOTIMP, FORMERR, NXDOMAIN, BADVERS instead of an answer
    no-soa                  no SOA beside a denial
    no-glue                 no additional section
    no-edns                 FORMERR without OPT to every question with OPT
    truncate [TYPE]         TC over UDP, the whole answer over TCP
    tcp-silent, tcp-refuse, tcp-once
                            TCP accepted and then nothing, or closed at once, or closed after one answer
    tcp-pieces SIZE...      each answer over TCP, after its length, in pieces of these sizes and the rest
    tcp-together            two questions over one connection are answered by one write
    shorten COUNT [TYPE]    TC over UDP with only that many records of the answer, the whole over TCP
    cut SIZE [TYPE]         the answer over UDP ends after so many bytes, without TC
    tcp-closed              nothing listens at TCP
    stray                   an answer section with records of another name alone, and no SOA
    misplaced               what was asked for is in the additional section
    vacant                  NOERROR with nothing at all, from a server that neither owns nor recurses
    pad SIZE                the answer has that many bytes, also over UDP, whatever size the question allows
    bare RCODE [TYPE]       an error of twelve bytes, without the question
    bare-edns               the same, a FORMERR, to every question with OPT
    wrong-id, wrong-question, wrong-source
    garbage                 noise instead of a message
    lying-rdlength, lying-count, pointer-loop
    referral                an empty answer that names other servers
    referral-ra             the same, from a server that says that it recurses
    cname-loop              every name is an alias of the next
    closed                  nothing listens
"""
import random
import socket
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class Server:
    def __init__(self, address="127.0.0.1", port=0):
        self.address = address
        self.records = []
        self.behaviours = []
        self.questions = []
        self.dropped = 0
        self.random = random.Random(1)
        self.began = time.monotonic()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        while True:
            self.udp = socket.socket(family, socket.SOCK_DGRAM)
            self.tcp = socket.socket(family)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.udp.bind((address, port))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp.bind((address, self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.is_open = True
        self.threads = []

    def start(self):
        if self.has("closed"):
            self.udp.close()
            self.tcp.close()
            return
        if not self.has("tcp-closed"):
            self.tcp.listen(16)
        for loop in (self.serve_udp,) if self.has("tcp-closed") else (self.serve_udp, self.serve_tcp):
            thread = threading.Thread(target=loop, daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop(self):
        self.is_open = False
        if self.has("closed"):
            return
        if not self.has("tcp-closed"):
            self.tcp.shutdown(socket.SHUT_RDWR)
        with socket.socket(self.udp.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, self.port))
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def add(self, line):
        """Adds `owner ttl TYPE data`; `many COUNT` means that many targets of _api._tcp.mesh, ten of each priority, and
        `equal COUNT [PRIORITY]` as many of one priority."""
        words = line.split()
        if words[0] in ("many", "equal"):
            for i in range(int(words[1])):
                priority = i // 10 if words[0] == "many" else int((words + ["0"])[2])
                self.add(f"_api._tcp.mesh. 60 SRV {priority} 1 8080 t{i}.mesh.")
                self.add(f"t{i}.mesh. 60 A 127.1.{i // 250}.{i % 250 + 1}")
            return
        name = dns.name.from_text(words[0])
        self.records.append(dns.rrset.from_text(name, int(words[1]), "IN", words[2], " ".join(words[3:])))

    def has(self, word):
        return any(behaviour[0] == word for behaviour in self.behaviours)

    def matching(self, word, qtype):
        """The other words of the behaviour that starts with that word, for questions of that type."""
        for behaviour in self.behaviours:
            if behaviour[0] == word:
                types = [w for w in behaviour[1:] if w in ("A", "AAAA", "SRV", "TXT")]
                if not types or qtype in types:
                    return [w for w in behaviour[1:] if w not in types]
        return None

    def serve_udp(self):
        while self.is_open:
            wire, client = self.udp.recvfrom(65535)
            if wire:
                threading.Thread(target=self.answer_udp, args=(wire, client), daemon=True).start()

    def answer_udp(self, wire, client):
        reply = self.reply_to(wire, is_tcp=False)
        if reply is None or not self.is_open:
            return
        if self.has("wrong-source"):
            with socket.socket(self.udp.family, socket.SOCK_DGRAM) as other:
                other.sendto(reply, client)
            return
        try:
            self.udp.sendto(reply, client)
        except OSError:
            pass

    def serve_tcp(self):
        while self.is_open:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.answer_tcp, args=(connection,), daemon=True).start()

    def answer_tcp(self, connection):
        waiting, is_second = b"", False
        with connection:
            if self.has("tcp-refuse"):
                return
            while True:
                head = connection.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                wire = connection.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
                if self.has("tcp-silent"):
                    time.sleep(10)
                    return
                reply = self.reply_to(wire, is_tcp=True)
                if reply is not None:
                    waiting += len(reply).to_bytes(2, "big") + reply
                if self.has("tcp-together") and not is_second:
                    is_second = True
                    continue
                self.send_pieces(connection, waiting)
                waiting, is_second = b"", False
                if self.has("tcp-once"):
                    return

    def send_pieces(self, connection, wire):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in self.matching("tcp-pieces", "") or []:
            connection.sendall(wire[:int(size)])
            wire = wire[int(size):]
            time.sleep(0.002)
        connection.sendall(wire)

    def is_silent(self, query):
        now_ms = (time.monotonic() - self.began) * 1000
        for behaviour in self.behaviours:
            word, values = behaviour[0], behaviour[1:]
            if word == "lose" and self.random.uniform(0, 100) < float(values[0]):
                return True
            if word == "silent" and int(values[0]) <= now_ms < (int(values[1]) if len(values) > 1 else 1e9):
                return True
            if word == "flap" and now_ms // int(values[0]) % 2 == 1:
                return True
            if word == "drop-edns" and query.edns >= 0:
                return True
            if word == "drop-name" and query.question[0].name.is_subdomain(dns.name.from_text(values[0])):
                return True
        return False

    def is_foreign(self, name):
        tops = {r.name.labels[-2:] for r in self.records} | {dns.name.from_text("mesh.").labels}
        return name.labels[-2:] not in tops

    def find(self, name, qtype):
        found = [r for r in self.records if r.name == name and r.rdtype == qtype]
        if not found and not any(r.name.is_subdomain(name) for r in self.records):
            found = [dns.rrset.from_rdata_list(name, r.ttl, r) for r in self.wild(name) if r.rdtype == qtype]
        return found

    def wild(self, name):
        """The records of wildcards that cover the name."""
        return [r for r in self.records if r.name.is_wild() and name.is_subdomain(r.name.parent())]

    def exists(self, name):
        return any(r.name.is_subdomain(name) for r in self.records) or bool(self.wild(name))

    def fill(self, query, reply):
        """Fills the reply as a plain authoritative server does."""
        question = query.question[0]
        name, qtype = question.name, question.rdtype
        for _ in range(10):
            found = self.find(name, qtype)
            for rrset in found:
                self.merge(reply.answer, rrset)
            alias = self.find(name, dns.rdatatype.CNAME)
            above = [r for r in self.records if r.rdtype == dns.rdatatype.DNAME and r.name != name and name.is_subdomain(r.name)]
            if found or not (alias or above):
                break
            reply.answer.append((alias or above)[0])
            # a DNAME comes alone: a right server would add its CNAME
            name = alias[0][0].target if alias else name.relativize(above[0].name).concatenate(above[0][0].target)
        if (not reply.answer or (not found and self.exists(name))) and not self.has("no-soa"):
            reply.authority.append(dns.rrset.from_text("mesh.", 7, "IN", "SOA", "ns.mesh. host.mesh. 1 60 60 60 7"))
        if not found and not self.exists(name) and name.is_subdomain(dns.name.from_text("mesh.")):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if self.has("no-glue"):
            return
        targets = {rdata.target for rrset in reply.answer if rrset.rdtype == dns.rdatatype.SRV for rdata in rrset}
        for rrset in self.records:
            if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and rrset.name in targets:
                self.merge(reply.additional, rrset)

    @staticmethod
    def merge(section, rrset):
        for other in reversed(section[-8:]):  # the records of a name stay together
            if other.name == rrset.name and other.rdtype == rrset.rdtype:
                other.update(rrset)
                return
        section.append(rrset.copy())

    def wait_for(self, qtype):
        until = time.monotonic() + 10
        while self.is_open and time.monotonic() < until and not any(q.endswith(" " + qtype) for q in self.questions):
            time.sleep(0.002)

    def reply_to(self, wire, is_tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        qtype = dns.rdatatype.to_text(question.rdtype)
        if not is_tcp:
            self.questions.append(f"{question.name.to_text(True)} {qtype}")
        drop = self.matching("drop", qtype)
        if drop is not None and (not drop or self.dropped < int(drop[0])):
            self.dropped += 1
            return None
        if self.is_silent(query):
            return None
        delay = self.matching("delay", qtype)
        if delay:
            time.sleep(int(delay[0]) / 1000)
        for behaviour in self.behaviours:
            if behaviour[0] == "after" and qtype == "SRV":
                self.wait_for(behaviour[1])
        reorder = self.matching("reorder", qtype)
        if reorder:
            time.sleep(self.random.uniform(0, int(reorder[0])) / 1000)
        if self.has("garbage"):
            return wire[:2] + random.Random(1).randbytes(200)
        bare = self.matching("bare", qtype)
        if bare or (self.has("bare-edns") and query.edns >= 0):
            rcode = dns.rcode.from_text(bare[0] if bare else "FORMERR")
            return wire[:2] + bytes([0x80, rcode]) + bytes(8)
        reply = dns.message.make_response(query, our_payload=4096)
        reply.flags |= dns.flags.AA
        if self.has("no-edns") and query.edns >= 0:
            bare = dns.message.make_response(query)
            bare.use_edns(False)
            bare.set_rcode(dns.rcode.FORMERR)
            return bare.to_wire()
        rcode = self.matching("rcode", qtype)
        if rcode:
            reply.set_rcode(dns.rcode.from_text(rcode[0]))
            return reply.to_wire()
        if self.is_foreign(question.name):
            reply.set_rcode(dns.rcode.REFUSED)
            return reply.to_wire()
        if self.has("referral") or self.has("referral-ra"):
            reply.flags &= ~dns.flags.AA
            reply.flags |= dns.flags.RA if self.has("referral-ra") else 0
            reply.authority.append(dns.rrset.from_text("mesh.", 60, "IN", "NS", "ns.elsewhere."))
            return reply.to_wire()
        if self.has("vacant"):
            reply.flags &= ~dns.flags.AA
            return reply.to_wire()
        if self.has("cname-loop"):
            label = question.name.labels[0]
            target = dns.name.Name((label[:50] + b"x",) + question.name.labels[1:])
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", target.to_text()))
            return reply.to_wire()
        self.fill(query, reply)
        return self.mangle(reply, qtype, is_tcp)

    @staticmethod
    def pad(reply, size):
        """Fills up to `size` with one extra record, before the additional section."""
        rdata = bytes(size - len(reply.to_wire(max_size=65535)) - 11)  # 11: its owner, type, class, TTL and length
        generic = dns.rdata.GenericRdata(dns.rdataclass.IN, 65280, rdata)
        reply.additional.insert(0, dns.rrset.from_rdata(dns.name.root, 60, generic))

    def mangle(self, reply, qtype, is_tcp):
        if self.matching("truncate", qtype) is not None and not is_tcp:
            reply.answer, reply.authority, reply.additional = [], [], []
            reply.flags |= dns.flags.TC
        shorten = self.matching("shorten", qtype)
        if shorten and not is_tcp:
            few = reply.answer[0].to_rdataset()[:int(shorten[0])]
            reply.answer = [dns.rrset.from_rdata_list(reply.answer[0].name, reply.answer[0].ttl, few)]
            reply.authority, reply.additional = [], []
            reply.flags |= dns.flags.TC
        if self.has("stray") and reply.answer:
            reply.answer = [dns.rrset.from_text("stray.mesh.", 60, "IN", "TXT", "stray")]
        if self.has("misplaced"):
            reply.answer, reply.additional = [], reply.answer
        if self.has("wrong-question"):
            reply.question[0].name = dns.name.from_text("other.mesh.")
        pad = self.matching("pad", qtype)
        if pad:
            self.pad(reply, int(pad[0]))
        try:
            wire = bytearray(reply.to_wire(max_size=65535 if is_tcp or pad else 1232))
        except dns.exception.TooBig:
            reply.answer, reply.authority, reply.additional = [], [], []
            reply.flags |= dns.flags.TC
            wire = bytearray(reply.to_wire())
        cut = self.matching("cut", qtype)
        if cut and not is_tcp:
            wire = wire[:int(cut[0])]
        if self.has("wrong-id"):
            wire[0] ^= 0xff
        if self.has("lying-count"):
            wire[6:8] = b"\xff\xff"
        if self.has("lying-rdlength") or self.has("pointer-loop"):
            at = 12
            while wire[at]:
                at += wire[at] + 1
            at += 5  # here the question ends, and the first answer's owner starts
            if at + 12 <= len(wire) and reply.answer:
                if self.has("pointer-loop"):
                    wire[at:at + 2] = (0xc000 | at).to_bytes(2, "big")
                else:
                    wire[at + 10:at + 12] = b"\xff\xf0"
        return bytes(wire)


def serve(*lines):
    """A server with these records, which answers already."""
    server = Server()
    for line in lines:
        server.add(line)
    server.start()
    return server
