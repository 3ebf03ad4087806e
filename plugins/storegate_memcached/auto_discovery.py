"""Configuration endpoints that list the servers of a cluster, as ElastiCache has them: `config get cluster`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storegate import DeadlineError, UnavailableError
from storegate_memcached.server import Server


class ClusterNodes(NamedTuple):
    """What an endpoint says."""

    version: int
    servers: list[str]  # host:port


def nodes_of(endpoint: Server) -> ClusterNodes:
    """Ask the endpoint. Raises UnavailableError and what `Server.call` raises."""
    try:
        answer = endpoint.call(lambda connection: connection.raw_command(b"config get cluster", b"\n\r\nEND\r\n"))
        head, version, nodes = answer.decode("ascii").split("\n", 2)
        if not head.startswith("CONFIG cluster"):
            raise ValueError
        return ClusterNodes(int(version), [_server(node.split("|")) for node in nodes.split()])
    except (DeadlineError, ValueError):
        raise UnavailableError(
            f"memcached {endpoint.name}: gave no list of servers to `config get cluster`: if it is no configuration "
            "endpoint, set auto_discovery to false"
        ) from None


def _server(node: Sequence[str]) -> str:
    name, ip, port = node
    return f"{ip or name}:{int(port)}"
