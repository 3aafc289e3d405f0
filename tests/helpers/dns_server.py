"""A real DNS server on loopback whose answers a test chooses, and may change from one question to the next."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import DNSServer


class Names:
    """The zone, and how often each name was asked for.

    Attributes:
        answers: By name, the addresses of the first question, of the second, …; the last ones stay.
        questions: Names of the A questions so far.
    """

    def __init__(self, port: int = 0) -> None:
        self.answers: dict[str, Sequence[Sequence[str]]] = {}
        self.questions: list[str] = []
        self.broken = False
        self.port = port

    async def resolve(self, host: str, port: int) -> list[str]:
        """Asks the server over UDP. Raises socket.gaierror as the system's resolver does."""
        return await asyncio.to_thread(self._ask, host)

    def resolve_query(self, request: DNSRecord) -> DNSRecord:
        """The server's side."""
        name, kind = str(request.q.qname).rstrip(".").lower(), QTYPE[request.q.qtype]
        reply = request.reply()
        if self.broken:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        if name not in self.answers:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        turns = self.answers[name]
        # The A question comes first, and the AAAA question belongs to it.
        turn = min(self.questions.count(name) - (kind == "AAAA"), len(turns) - 1)
        if kind == "A":
            self.questions.append(name)
        for address in turns[turn]:
            if (":" in address) == (kind == "AAAA"):
                reply.add_answer(
                    RR(
                        name,
                        request.q.qtype,
                        ttl=0,
                        rdata=AAAA(ip_address(address).exploded) if kind == "AAAA" else A(address),
                    )
                )
        return reply

    def _ask(self, host: str) -> list[str]:
        found: list[str] = []
        for kind in ("A", "AAAA"):
            answer = DNSRecord.parse(DNSRecord.question(host, kind).send("127.0.0.1", self.port, timeout=5))
            if answer.header.rcode == RCODE.NXDOMAIN:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if answer.header.rcode != RCODE.NOERROR:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            found += [str(record.rdata) for record in answer.rr]
        return found


@contextmanager
def dns_server() -> Iterator[Names]:
    """On a free loopback port."""
    names = Names()

    class Zone:
        def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
            return names.resolve_query(request)

    server = DNSServer(Zone(), address="127.0.0.1", port=0, logger=_Silent())
    names.port = server.server.server_address[1]
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield names
    finally:
        server.server.shutdown()
        thread.join()
        server.server.server_close()


class _Silent:
    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None
