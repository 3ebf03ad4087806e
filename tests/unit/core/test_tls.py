"""Cipher names, pairs of certificate and key, and files that are read again."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import structlog
import trustme

from storegate import tls
from storegate.errors import ConfigurationError
from storegate.tls import CIPHER_SUITES, TLS13_SUITES, Reloaded, check_pair, load_client_ca, openssl_ciphers, read_pem


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def pair(ca: trustme.CA) -> tuple[bytes, bytes]:
    issued = ca.issue_cert("localhost")
    return issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()


class TestCiphers:
    @pytest.mark.parametrize("name", sorted(CIPHER_SUITES))
    def test_openssl_knows_every_suite_by_the_name_given_here(self, name: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(openssl_ciphers([name]) + ":@SECLEVEL=0")
        assert CIPHER_SUITES[name] in {cipher["name"] for cipher in context.get_ciphers()}

    def test_the_order_stays_and_doubles_go(self) -> None:
        names = [
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
        ]
        assert openssl_ciphers(names) == "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256"

    def test_suites_of_tls_1_3_need_no_entry(self) -> None:
        assert openssl_ciphers(TLS13_SUITES) == ""

    def test_an_unknown_name_is_an_error_that_lists_the_known(self) -> None:
        with pytest.raises(ValueError, match=r"unknown cipher suite 'RC4'.*TLS_AES_128_GCM_SHA256"):
            openssl_ciphers(["RC4"])


class TestPair:
    def test_a_certificate_and_its_key_fit(self, pair: tuple[bytes, bytes]) -> None:
        check_pair(*pair, "here")

    def test_another_key_does_not(self, ca: trustme.CA, pair: tuple[bytes, bytes]) -> None:
        with pytest.raises(ConfigurationError, match=r"^here: certificate and key .*: key values mismatch$"):
            check_pair(pair[0], ca.issue_cert("other").private_key_pem.bytes(), "here")

    def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(self, pair: tuple[bytes, bytes]) -> None:
        from cryptography.hazmat.primitives import serialization as s

        key = s.load_pem_private_key(pair[1], None)
        locked = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"hunter2"))
        with pytest.raises(ConfigurationError, match="needs a passphrase: give one without"):
            check_pair(pair[0], locked, "here")

    def test_the_error_shows_nothing_of_the_key(self, pair: tuple[bytes, bytes]) -> None:
        with pytest.raises(ConfigurationError) as caught:
            check_pair(pair[0], pair[1][:-60], "here")
        assert pair[1].splitlines()[1].decode() not in str(caught.value)

    def test_no_file_is_left_open(self, pair: tuple[bytes, bytes]) -> None:
        check_pair(*pair, "here")
        before = len(os.listdir("/proc/self/fd"))
        check_pair(*pair, "here")
        assert len(os.listdir("/proc/self/fd")) == before


class TestFiles:
    def test_a_pem_file_is_read(self, tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
        (tmp_path / "cert.pem").write_bytes(pair[0])
        assert read_pem(tmp_path / "cert.pem", "here") == pair[0]

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"^here: cannot read .*/cert\.pem: No such file"):
            read_pem(tmp_path / "cert.pem", "here")

    def test_another_kind_of_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "cert.der").write_bytes(b"\x30\x82")
        with pytest.raises(ConfigurationError, match=r"^here: .*/cert\.der is not a PEM file$"):
            read_pem(tmp_path / "cert.der", "here")

    @pytest.mark.parametrize("text", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_a_ca_file_without_certificates_is_refused(self, text: bytes) -> None:
        with pytest.raises(ConfigurationError, match=r"^here: no CA certificates: "):
            load_client_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), text, "here")


class Source:
    """Files that are read as text; the first names the second."""

    def __init__(self, folder: Path) -> None:
        self.main, self.other = folder / "main", folder / "other"
        self.reads = 0
        self.log: list[dict[str, object]] = []
        self.write(self.main, "a")
        self.write(self.other, "b")
        logger = structlog.wrap_logger(None, processors=[self._keep])
        self.reloaded = Reloaded("the pair of files", self.read, logger)

    def write(self, path: Path, text: str) -> None:
        """As an operator's tool does: a new file in the old one's place."""
        new = path.with_suffix(".new")
        new.write_text(text)
        new.replace(path)

    def read(self) -> tuple[str, list[Path]]:
        self.reads += 1
        try:
            return self.main.read_text() + self.other.read_text(), [self.main, self.other]
        except OSError as error:
            raise ConfigurationError(f"cannot read {error.filename}") from error

    def _keep(self, logger: object, method: str, event: dict[str, object]) -> dict[str, object]:
        self.log.append(event | {"level": method})
        raise structlog.DropEvent


class TestReloaded:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return Source(tmp_path)

    def test_files_that_stay_are_not_read_again(self, source: Source) -> None:
        reads = source.reads
        assert [source.reloaded.current() for _ in range(3)] == ["ab"] * 3
        assert source.reads == reads

    @pytest.mark.parametrize("name", ["main", "other"])
    def test_a_change_of_any_file_is_noticed(self, source: Source, name: str) -> None:
        source.write(getattr(source, name), "X")
        assert "X" in source.reloaded.current()
        assert [entry["event"] for entry in source.log] == ["files were read again"]

    def test_a_file_of_the_same_size_and_time_is_noticed(self, source: Source) -> None:
        before = source.main.stat()
        source.write(source.main, "X")
        os.utime(source.main, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert source.reloaded.current() == "Xb"

    def test_a_failure_keeps_the_last_good_value_and_is_logged_once(self, source: Source) -> None:
        source.other.unlink()
        assert [source.reloaded.current() for _ in range(3)] == ["ab"] * 3
        assert [entry["level"] for entry in source.log] == ["error"]
        assert "other" in str(source.log[0]["err"])

    def test_the_next_change_ends_a_failure(self, source: Source) -> None:
        source.other.unlink()
        source.reloaded.current()
        source.write(source.other, "c")
        assert source.reloaded.current() == "ac"

    def test_a_failure_that_leaves_no_trace_in_the_files_is_tried_again(
        self, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source.write(source.other, "c")
        read = source.reloaded._read
        monkeypatch.setattr(source.reloaded, "_read", lambda: (_ for _ in ()).throw(ConfigurationError("no memory")))
        assert source.reloaded.current() == "ab"
        monkeypatch.setattr(source.reloaded, "_read", read)
        assert source.reloaded.current() == "ab"
        now = tls.time.monotonic()
        monkeypatch.setattr(tls.time, "monotonic", lambda: now + tls.RETRY_SECONDS)
        assert source.reloaded.current() == "ac"

    def test_the_first_failure_is_raised(self, tmp_path: Path) -> None:
        def read() -> tuple[str, list[Path]]:
            raise ConfigurationError("no such file")

        with pytest.raises(ConfigurationError, match="no such file"):
            Reloaded("it", read, structlog.get_logger())
