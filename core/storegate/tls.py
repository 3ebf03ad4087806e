"""TLS of servers: cipher suites by name, certificates with their keys, and files that are read again."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from storegate.errors import ConfigurationError, StoregateError

T = TypeVar("T")

TLS13_SUITES = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""The suites of TLS 1.3. They are always on: no library lets them be chosen."""

CIPHER_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}
"""Suites up to TLS 1.2: the names that Go and IANA use, and what OpenSSL calls them. RC4 and 3DES are not offered."""

RETRY_SECONDS = 10.0


def openssl_ciphers(names: Iterable[str]) -> str:
    """The list for OpenSSL or BoringSSL; empty when only suites of TLS 1.3 are named. Raises ValueError for others."""
    known = []
    for name in names:
        if name in TLS13_SUITES:
            continue
        if name not in CIPHER_SUITES:
            raise ValueError(
                f"unknown cipher suite {name!r} (known: {', '.join(sorted({*CIPHER_SUITES, *TLS13_SUITES}))})"
            )
        known.append(CIPHER_SUITES[name])
    return ":".join(dict.fromkeys(known))


def read_pem(path: Path, where: str) -> bytes:
    """The content of a PEM file. Raises ConfigurationError, which `where` (the path of the setting) opens."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{where}: cannot read {path}: {error.strerror}") from error
    if b"-----BEGIN " not in data:
        raise ConfigurationError(f"{where}: {path} is not a PEM file")
    return data


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes, where: str) -> None:
    """Give a context its certificate chain and key, both PEM. Raises ConfigurationError when they do not fit."""
    with _as_file(certificate) as certificate_path, _as_file(key) as key_path:
        try:
            context.load_cert_chain(certificate_path, key_path, password=no_passphrase)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise ConfigurationError(f"{where}: certificate and key cannot be used: {reason_of(error)}") from None


def check_pair(certificate: bytes, key: bytes, where: str) -> None:
    """Raise ConfigurationError unless certificate chain and key, both PEM, belong together."""
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key, where)


def load_client_ca(context: ssl.SSLContext, certificates: bytes, where: str) -> None:
    """Let a context trust the CA certificates of a PEM text. Raises ConfigurationError."""
    try:
        context.load_verify_locations(cadata=certificates.decode("ascii", "replace"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{where}: no CA certificates: {reason_of(error)}") from None


def no_passphrase() -> str:
    """For `load_cert_chain`, which would otherwise ask on the terminal."""
    raise ValueError("the key needs a passphrase: give one without")


def reason_of(error: Exception) -> str:
    """What OpenSSL or the operating system says, without its codes."""
    reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return str(reason).lower().replace("_", " ") if isinstance(error, ssl.SSLError) else str(reason)


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """A path under which OpenSSL, which takes nothing else, finds `data`: never on a disk."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class Reloaded(Generic[T]):
    """A value made from files, and made again once one of them has changed. Thread-safe.

    `read` gives the value and the files that it came from. While it fails (a file is being replaced, its text is wrong)
    the last good value stays; the failure is logged once, and reading is tried again when a file changes, and after
    `RETRY_SECONDS`. The first failure is raised.
    """

    def __init__(self, what: str, read: Callable[[], tuple[T, Collection[Path]]], log: Any) -> None:
        self._what = what
        self._read = read
        self._log = log
        self._lock = threading.Lock()
        self._paths: tuple[Path, ...] = ()
        self._failure = ""
        self._retry_at = 0.0
        self._value, self._seen = self._load()

    def current(self) -> T:
        """The value; looks at the files' times, which costs some microseconds, and reads them when these differ."""
        with self._lock:
            if look(self._paths) != self._seen or (self._failure and time.monotonic() >= self._retry_at):
                self._reload()
            return self._value

    def _reload(self) -> None:
        try:
            self._value, self._seen = self._load()
        except StoregateError as error:
            self._seen = look(self._paths)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if str(error) != self._failure:
                self._failure = str(error)
                self._log.error(
                    "files cannot be read again; the last good state stays", what=self._what, err=str(error)
                )
        else:
            self._failure = ""
            self._log.info("files were read again", what=self._what)

    def _load(self) -> tuple[T, tuple[Any, ...]]:
        """The value, and how its files looked just before they were read."""
        while True:
            seen = look(self._paths)
            value, paths = self._read()
            if tuple(paths) == self._paths:
                return value, seen
            self._paths = tuple(paths)


def look(paths: Iterable[Path]) -> tuple[Any, ...]:
    """What tells versions of files apart: time, size and inode (a mounted secret is swapped whole)."""
    return tuple(_look(path) for path in paths)


def _look(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
