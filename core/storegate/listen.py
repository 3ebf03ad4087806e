"""Listen addresses, as every front end writes them: `host:port`, `:port` for all interfaces, `[::1]:port` for IPv6."""

from __future__ import annotations

import errno
import os
import socket

from storegate.errors import ConfigurationError

BACKLOG = 2048
ALL_INTERFACES = ("", "0.0.0.0", "::")


def parse_address(address: str, setting: str) -> tuple[str, int]:
    """Host (without brackets, empty for all interfaces) and port. Raises ConfigurationError that names `setting`."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not bracketed):
        raise ConfigurationError(
            f"{setting}: {address!r} is not a listen address: write host:port, such as 0.0.0.0:10901"
        )
    return (host[1:-1] if bracketed else host), int(port)


def join_address(host: str, port: int) -> str:
    """The opposite of `parse_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_listener(address: str, setting: str) -> socket.socket:
    """A listening TCP socket. Raises ConfigurationError that names `setting` when the address cannot be used.

    `0.0.0.0` means IPv4 only, `[::]` and no host at all mean IPv6 and IPv4 where the machine has both. The socket
    never shares its port: a second gateway on the same address is an error, not a silent split of the clients. Its
    connections send at once: an answer of several writes would wait 40 ms for the client's acknowledgement.
    """
    host, port = parse_address(address, setting)
    try:
        listener = _listen(host, port)
    except OSError as error:
        raise ConfigurationError(f"{setting}: cannot listen on {address}: {_cause(error)}") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    return listener


def _listen(host: str, port: int) -> socket.socket:
    if host in ("", "::"):
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        return socket.create_server(("", port), backlog=BACKLOG)
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=BACKLOG)


def _cause(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host name does not resolve ({error.strerror}); write an IP address or fix the name"
    reason = os.strerror(error.errno) if error.errno else str(error)
    advice = {
        errno.EADDRINUSE: "stop the process that holds the port, or choose another",
        errno.EACCES: "choose a port above 1023, or allow this user to bind it",
        errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    }.get(error.errno or 0)
    return f"{reason}; {advice}" if advice else reason
