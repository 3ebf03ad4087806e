"""Servers that are found by name: over a real DNS server, the system's resolver, and a configuration endpoint."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from servers.dns import DnsServer
from servers.memcached import StartMemcached
from servers.process import ServerProcess, wait_for
from structlog.testing import capture_logs

from storegate import ConfigurationError
from storegate.cache.guard import GuardedCache
from storegate_memcached.resolver import srv_records_from

Open = Callable[..., GuardedCache]
Count = Callable[..., float]

LONG = 600.0
PATIENCE = 20.0
SRV = "_memcached._tcp.cache.example"
KEYS = [f"key-{i}" for i in range(40)]


@pytest.fixture
def dns(dns_server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> DnsServer:
    """A DNS server that the plugin asks instead of those of the machine."""
    lookup = partial(srv_records_from, dns_server.resolver())
    monkeypatch.setattr("storegate_memcached.cache.srv_records", lookup)
    return dns_server


def refill(cache: GuardedCache) -> int:
    """How many of the keys are found; all are stored then."""
    found = len(cache.get_many(KEYS))
    cache.set_many(dict.fromkeys(KEYS, b"1"), LONG)
    assert cache.flush(PATIENCE)
    return found


@pytest.mark.parametrize("kind", ["dnssrv", "dnssrvnoa"])
def test_srv_records_name_the_servers(open_guarded: Open, dns: DnsServer, memcached: ServerProcess, kind: str) -> None:
    dns.records[SRV] = [("localhost", memcached.port)]
    cache = open_guarded("MEMCACHED", addresses=[f"{kind}+{SRV}"])
    refill(cache)
    assert refill(cache) == len(KEYS)


def test_a_port_after_the_name_goes_before_that_of_the_records(
    open_guarded: Open, dns: DnsServer, memcached: ServerProcess
) -> None:
    dns.records[SRV] = [("localhost", 1)]
    cache = open_guarded("MEMCACHED", addresses=[f"dnssrvnoa+{SRV}:{memcached.port}"])
    refill(cache)
    assert refill(cache) == len(KEYS)


@pytest.mark.parametrize("kind", ["dns", "dnsdualstack"])
def test_addresses_of_a_name_are_servers(open_guarded: Open, memcached: ServerProcess, kind: str, count: Count) -> None:
    address = f"{kind}+127.0.0.1:{memcached.port}"
    cache = open_guarded("MEMCACHED", addresses=[address])
    refill(cache)
    assert refill(cache) == len(KEYS)
    assert count("thanos_memcached_dns_provider_results", addr=address) == 1


def test_new_records_are_followed(open_guarded: Open, dns: DnsServer, start_memcached: StartMemcached) -> None:
    first, second = start_memcached(), start_memcached()
    dns.records[SRV] = [("127.0.0.1", first.port)]
    cache = open_guarded("MEMCACHED", addresses=[f"dnssrvnoa+{SRV}"], dns_provider_update_interval="20ms")
    refill(cache)
    dns.records[SRV].append(("127.0.0.1", second.port))
    wait_for(lambda: 0 < len(cache.get_many(KEYS)) < len(KEYS), PATIENCE, "the second server is not used")
    assert refill(cache) < len(KEYS) == refill(cache)
    first.kill()
    dns.records[SRV] = [("127.0.0.1", second.port)]
    wait_for(lambda: refill(cache) == len(KEYS), PATIENCE, "the server that is left is not used alone")


def test_servers_stay_while_names_cannot_be_looked_up(
    open_guarded: Open, dns: DnsServer, memcached: ServerProcess, count: Count
) -> None:
    dns.records[SRV] = [("127.0.0.1", memcached.port)]
    with capture_logs() as lines:
        cache = open_guarded("MEMCACHED", addresses=[f"dnssrvnoa+{SRV}"], dns_provider_update_interval="20ms")
        refill(cache)
        del dns.records[SRV]
        wait_for(lambda: count("thanos_memcached_dns_failures_total") > 2, PATIENCE, "no lookup failed")
        assert refill(cache) == len(KEYS)
    assert [line["address"] for line in lines if "no memcached servers" in line["event"]] == [f"dnssrvnoa+{SRV}"]


def test_a_name_without_servers_stops_the_start(open_guarded: Open, dns: DnsServer) -> None:
    with pytest.raises(ConfigurationError, match=f"index-cache: MEMCACHED: no memcached server was found .*{SRV}"):
        open_guarded("MEMCACHED", addresses=[f"dnssrv+{SRV}"])


def test_records_without_servers_stop_the_start(open_guarded: Open, dns: DnsServer) -> None:
    dns.records[SRV] = []
    with pytest.raises(ConfigurationError, match="no memcached server was found"):
        open_guarded("MEMCACHED", addresses=[f"dnssrvnoa+{SRV}"])


def test_one_name_that_is_found_is_enough(open_guarded: Open, dns: DnsServer, memcached: ServerProcess) -> None:
    dns.records[SRV] = [("127.0.0.1", memcached.port)]
    cache = open_guarded("MEMCACHED", addresses=[f"dnssrvnoa+{SRV}", "dnssrvnoa+_absent._tcp.example"])
    refill(cache)
    assert refill(cache) == len(KEYS)


# --- configuration endpoints ---


class Endpoint(socketserver.ThreadingTCPServer):
    """Answers `config get cluster` as ElastiCache does, with `nodes` and a version that counts changes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EndpointHandler)
        self.nodes: list[str] = []
        self.version = 1
        self.address = f"127.0.0.1:{self.server_address[1]}"


class EndpointHandler(socketserver.StreamRequestHandler):
    server: Endpoint

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"config get cluster\r\n":
                body = f"{self.server.version}\n{' '.join(self.server.nodes)}\n".encode()
                self.wfile.write(b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(body), body))
            else:
                self.wfile.write(b"ERROR\r\n")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_lists_the_servers(
    open_guarded: Open, endpoint: Endpoint, memcached: ServerProcess, second_memcached: ServerProcess, count: Count
) -> None:
    endpoint.nodes = [f"a.example|127.0.0.1|{memcached.port}", f"localhost||{second_memcached.port}"]
    cache = open_guarded("MEMCACHED", addresses=[endpoint.address], auto_discovery=True)
    refill(cache)
    assert refill(cache) == len(KEYS)
    assert count("thanos_memcached_auto_discovery_resolved_addresses", addr=endpoint.address) == 2
    assert count("thanos_memcached_auto_discovery_config_version", addr=endpoint.address) == 1


def test_what_an_endpoint_lists_is_followed(open_guarded: Open, endpoint: Endpoint, memcached: ServerProcess) -> None:
    endpoint.nodes = ["gone.invalid||11211"]
    cache = open_guarded(
        "MEMCACHED", addresses=[endpoint.address], auto_discovery=True, dns_provider_update_interval="20ms"
    )
    endpoint.nodes, endpoint.version = [f"a|127.0.0.1|{memcached.port}"], 2
    wait_for(lambda: refill(cache) == len(KEYS), PATIENCE, "the new server is not used")


def test_a_server_that_is_no_endpoint_stops_the_start(open_guarded: Open, memcached: ServerProcess) -> None:
    with pytest.raises(ConfigurationError, match="set auto_discovery to false"):
        open_guarded("MEMCACHED", addresses=[memcached.address], auto_discovery=True, timeout="100ms")
