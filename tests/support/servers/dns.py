"""A small DNS server on loopback for tests: SRV records that they set, over UDP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest


class DnsServer:
    """Answers SRV questions from `records`: name -> (target, port). A name that is not there does not exist."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[str, int]]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def resolver(self) -> dns.resolver.Resolver:
        """One that asks this server alone."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self._socket.getsockname()[1]
        return resolver

    def close(self) -> None:
        """Answer nothing any more."""
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        question = query.question[0]
        records = self.records.get(question.name.to_text(omit_final_dot=True))
        if records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records:
            texts = [f"0 0 {port} {target}." for target, port in records]
            answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", "SRV", *texts))
        return answer


@pytest.fixture
def dns_server() -> Iterator[DnsServer]:
    """A server of this test's own."""
    server = DnsServer()
    yield server
    server.close()
