"""`http_config` and `tls_config` of back ends."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from storegate.config.http_client import HttpClientConfig, TlsClientConfig
from storegate.config.validation import check
from storegate.errors import ConfigurationError

REFERENCE = {  # operations 12: the keys of files that Thanos users have
    "idle_conn_timeout": "90s",
    "response_header_timeout": "2m",
    "insecure_skip_verify": False,
    "tls_handshake_timeout": "10s",
    "expect_continue_timeout": "1s",
    "max_idle_conns": 100,
    "max_idle_conns_per_host": 100,
    "max_conns_per_host": 0,
    "tls_config": {"ca_file": "", "cert_file": "", "key_file": "", "server_name": "", "insecure_skip_verify": False},
    "disable_compression": False,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of a CA, a client certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("client.example")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    return {f"{name}_file": str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}


def tls(**settings: object) -> TlsClientConfig:
    return check(TlsClientConfig, settings)


def test_the_keys_and_defaults_are_those_of_the_reference() -> None:
    assert check(HttpClientConfig, REFERENCE) == HttpClientConfig()


def test_an_unknown_key_is_named_with_its_likely_meaning() -> None:
    with pytest.raises(
        ConfigurationError, match=r"http_config\.tls_config\.ca_fil: unknown key, did you mean 'ca_file'"
    ):
        check(HttpClientConfig, {"tls_config": {"ca_fil": "x"}}, path="http_config")


def test_an_empty_section_holds_the_defaults() -> None:
    assert check(HttpClientConfig, {"tls_config": None}) == HttpClientConfig()


@pytest.mark.parametrize(("given", "missing"), [("cert_file", "key_file"), ("key_file", "cert_file")])
def test_certificate_and_key_are_given_together(given: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{given} is set and {missing} is not"):
        tls(**{given: "some.pem"})


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_cannot_be_read_is_named_with_its_key(files: dict[str, str], key: str) -> None:
    config = tls(**(files | {key: "/nowhere/it.pem"}))
    with pytest.raises(ConfigurationError, match=f"S3 bucket: {key}: cannot read '/nowhere/it.pem': No such file"):
        config.ssl_context("S3 bucket")


def test_a_file_that_is_no_pem_is_named_with_its_key(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"hello")
    with pytest.raises(ConfigurationError, match=r"ca_file: .* is not a PEM file"):
        tls(ca_file=str(tmp_path / "ca.pem")).ssl_context("S3 bucket")


def test_a_key_of_another_certificate_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    trustme.CA().issue_cert("other.example").private_key_pem.write_to_path(str(tmp_path / "other.pem"))
    config = tls(cert_file=files["cert_file"], key_file=str(tmp_path / "other.pem"))
    with pytest.raises(ConfigurationError, match="cert_file and key_file: cannot be used: key values mismatch"):
        config.ssl_context("S3 bucket")


def test_a_key_with_a_passphrase_is_refused_without_asking_for_one(files: dict[str, str], tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(Path(files["key_file"]).read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    with pytest.raises(ConfigurationError, match="the key needs a passphrase"):
        tls(cert_file=files["cert_file"], key_file=str(tmp_path / "locked.pem")).ssl_context("S3 bucket")


def test_the_context_trusts_the_given_authority_alone(files: dict[str, str]) -> None:
    context = tls(**files).ssl_context("S3 bucket")
    assert (context.verify_mode, context.check_hostname, len(context.get_ca_certs())) == (ssl.CERT_REQUIRED, True, 1)


def test_a_least_version_reaches_the_context() -> None:
    assert tls(min_version="1.3").ssl_context("").minimum_version == ssl.TLSVersion.TLSv1_3


def test_an_old_least_version_is_raised_to_1_2() -> None:
    assert tls(min_version="1.0").ssl_context("").minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("config", [{"insecure_skip_verify": True}, {"tls_config": {"insecure_skip_verify": True}}])
def test_verification_is_left_out_when_either_place_says_so(config: dict[str, object]) -> None:
    http = check(HttpClientConfig, config)
    assert (http.verify, http.ssl_context("S3 bucket").verify_mode) == (False, ssl.CERT_NONE)


@pytest.mark.parametrize(
    ("config", "size", "blocks"),
    [
        ({}, 100, False),
        ({"max_conns_per_host": 8}, 8, True),
        ({"max_idle_conns_per_host": 0, "max_idle_conns": 0}, 100, False),
        ({"max_idle_conns": 16}, 16, False),
    ],
)
def test_the_pool_follows_the_limits_on_connections(config: dict[str, int], size: int, blocks: bool) -> None:
    http = check(HttpClientConfig, config)
    assert (http.pool_size, http.pool_blocks) == (size, blocks)


def test_no_timeout_is_ever_infinite() -> None:
    http = check(HttpClientConfig, {"response_header_timeout": 0, "tls_handshake_timeout": 0})
    assert (http.read_timeout, http.connect_timeout) == (600.0, 30.0)
