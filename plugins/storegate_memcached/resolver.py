"""From names with a DNS prefix to `host:port` of servers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from storegate import UnavailableError

SrvLookup = Callable[[str], Iterable[tuple[str, int]]]
LOOKUP_SECONDS = 5.0


def resolve(address: str, srv: SrvLookup) -> list[str]:
    """The servers that one configured address stands for. Raises UnavailableError when a lookup fails."""
    kind, plus, name = address.partition("+")
    if not plus:
        return [address]
    host, _, port = name.rpartition(":")
    if kind in ("dns", "dnsdualstack"):
        return _addresses_of(host, int(port))
    targets = [(target, int(port) if host else found) for target, found in srv(host or name)]
    if kind == "dnssrvnoa":
        return [_joined(target, target_port) for target, target_port in targets]
    return [server for target, target_port in targets for server in _addresses_of(target, target_port)]


def srv_records(name: str) -> list[tuple[str, int]]:
    """(target, port) of the SRV records of a name, by the nameservers of this machine. Raises UnavailableError."""
    import dns.resolver

    return srv_records_from(dns.resolver.Resolver(), name)


def srv_records_from(resolver: object, name: str) -> list[tuple[str, int]]:
    """As `srv_records`, by a given `dns.resolver.Resolver`."""
    import dns.exception
    import dns.resolver

    assert isinstance(resolver, dns.resolver.Resolver)
    try:
        answer = resolver.resolve(name, "SRV", search=True, lifetime=LOOKUP_SECONDS)
    except dns.exception.DNSException as error:
        raise UnavailableError(f"SRV records of {name}: {error}") from error
    return [(record.target.to_text(omit_final_dot=True), record.port) for record in answer]


def _addresses_of(host: str, port: int) -> list[str]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnavailableError(f"addresses of {host}: {error.strerror or error}") from error
    return [_joined(str(info[4][0]), port) for info in infos]


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
