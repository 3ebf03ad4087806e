"""Certificates for tests, good ones and bad ones, as PEM files."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, NamedTuple

import trustme


class Pair(NamedTuple):
    """Paths of a certificate chain and of its key."""

    cert: Path
    key: Path


class Authority:
    """A CA that puts its certificate and those that it issues into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self._replace(self.ca, self._ca.cert_pem.bytes())

    def issue(self, *names: str, file: str = "server", expired: bool = False, **options: Any) -> Pair:
        """A new certificate for names or addresses, in place of an older one of the same file name."""
        if expired:
            options["not_after"] = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        issued = self._ca.issue_cert(*(names or ("localhost", "127.0.0.1")), **options)
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        self._replace(pair.key, issued.private_key_pem.bytes())
        self._replace(pair.cert, b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return pair

    def _replace(self, path: Path, data: bytes) -> None:
        """As tools do that renew certificates: a reader sees the old file or the new one."""
        new = path.with_suffix(".new")
        new.write_bytes(data)
        new.replace(path)
