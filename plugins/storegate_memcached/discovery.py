"""Which servers there are: asked for at the start, and again and again in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from storegate import ConfigurationError, StoregateError
from storegate_memcached.keys import natural_order
from storegate_memcached.metrics import DiscoveryMetrics

Lookup = Callable[[str], Sequence[str]]


class Discovery:
    """The servers behind configured addresses, in natural order. An address that fails keeps what it gave before.

    `lookup` gives the servers of one address and may raise StoregateError. Not thread-safe but for `close`.
    """

    def __init__(self, addresses: Sequence[str], lookup: Lookup, metrics: DiscoveryMetrics, log: Any) -> None:
        self._lookup = lookup
        self._metrics = metrics
        self._log = log
        self._found: dict[str, Sequence[str]] = dict.fromkeys(addresses, ())
        self._errors: dict[str, str] = {}
        self._stopped = threading.Event()

    def first(self, where: str) -> list[str]:
        """The servers; raises ConfigurationError, which `where` opens, when there is none."""
        servers = self.refresh()
        if not servers:
            causes = "; ".join(f"{address}: {error}" for address, error in self._errors.items()) or "no records"
            raise ConfigurationError(f"{where}: no memcached server was found ({causes}): check the addresses")
        return servers

    def refresh(self) -> list[str]:
        """Ask again."""
        for address in self._found:
            try:
                servers = self._lookup(address)
            except StoregateError as error:
                self._metrics.failed(address)
                self._complain(address, str(error))
                continue
            self._metrics.found(address, len(servers))
            if servers:
                self._found[address] = servers
                self._errors.pop(address, None)
            else:
                self._complain(address, "no records")
        return sorted({server for servers in self._found.values() for server in servers}, key=natural_order)

    def watch(self, interval: float, changed: Callable[[list[str]], None]) -> None:
        """From now on ask every `interval` seconds, and hand over each answer."""

        def run() -> None:
            while not self._stopped.wait(interval):
                changed(self.refresh())

        threading.Thread(target=run, name="memcached-discovery", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _complain(self, address: str, error: str) -> None:
        if address not in self._errors:
            self._log.warning("no memcached servers were found; those known are kept", address=address, err=error)
        self._errors[address] = error
