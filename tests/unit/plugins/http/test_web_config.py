"""The file of `--http.config`: what it may hold, and what is refused with which words."""

from __future__ import annotations

import textwrap
from pathlib import Path

import bcrypt
import pytest
import structlog

from storegate.errors import ConfigurationError
from storegate_http.web_config import read_web_config
from storegate_http.web_file import WebState, open_web_file

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def read(tmp_path: Path, text: str):
    file = tmp_path / "web.yml"
    file.write_text(textwrap.dedent(text))
    return read_web_config(file)


def test_an_empty_file_asks_for_nothing(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert not config.tls_server_config.enabled
    assert config.basic_auth_users == {}


def test_empty_sections_ask_for_nothing(tmp_path: Path) -> None:
    config = read(tmp_path, "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n")
    assert config == read(tmp_path, "")


def test_every_documented_key_is_taken(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        f"""
        tls_server_config:
          cert_file: cert.pem
          key_file: sub/key.pem
          client_auth_type: RequireAndVerifyClientCert
          client_ca_file: /abs/ca.pem
          client_allowed_sans: [a.example]
          min_version: TLS12
          max_version: TLS13
          cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
          curve_preferences: [CurveP256]
          prefer_server_cipher_suites: false
        http_server_config:
          http2: false
          headers:
            Strict-Transport-Security: max-age=31536000
            X-Content-Type-Options: nosniff
            X-Frame-Options: deny
            X-XSS-Protection: "0"
            Content-Security-Policy: default-src 'self'
        rate_limit: {{interval: 1s, burst: 20}}
        basic_auth_users: {{ann: {HASH}}}
        """,
    )
    tls = config.tls_server_config
    assert (tls.cert_file, tls.key_file) == (tmp_path / "cert.pem", tmp_path / "sub/key.pem")
    assert tls.client_ca_file == Path("/abs/ca.pem")
    assert dict(config.http_server_config.headers.pairs())[b"x-frame-options"] == b"deny"
    assert config.rate_limit.interval == 1.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls_server_confg: {}", "tls_server_confg: unknown key, did you mean 'tls_server_config'?"),
        ("tls_server_config: {cert_file: a}", "the certificate's key is missing"),
        ("tls_server_config: {key_file: a}", "a certificate is missing"),
        ("tls_server_config: {client_ca_file: a}", "certificate is missing"),
        ("tls_server_config: {cert_file: a, cert: b, key_file: c}", "cert_file and cert cannot be given together"),
        (
            "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAnyClientCert}",
            "takes certificates without verifying them",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}",
            "needs client_ca_file",
        ),
        ("tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}", "would let everybody in"),
        ("tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [c]}", "would let everybody in"),
        ("tls_server_config: {cert_file: a, key_file: b, client_auth_type: X}", "client_auth_type"),
        ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS14}", "min_version"),
        ("tls_server_config: {cert_file: a, key_file: b, max_version: TLS11}", "would leave no version"),
        (
            "tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}",
            "min_version TLS13 is above",
        ),
        ("tls_server_config: {cert_file: a, key_file: b, cipher_suites: [X]}", "unknown cipher suite 'X'"),
        ("tls_server_config: {cert_file: a, key_file: b, curve_preferences: [X]}", "unknown curve 'X'"),
        (
            "tls_server_config: {cert_file: a, key_file: b, curve_preferences: [CurveP256, X25519]}",
            "name one or none",
        ),
        ("http_server_config: {headers: {X-Powered-By: x}}", "unknown key"),
        ("http_server_config: {headers: {X-Frame-Options: allow}}", "X-Frame-Options"),
        ('http_server_config: {headers: {Content-Security-Policy: "a\\r\\nb: c"}}', "printable ASCII on one line"),
        ("rate_limit: {interval: soon}", "rate_limit.interval"),
        ("basic_auth_users: {ann: hunter2}", "user 'ann' is no bcrypt hash"),
        (f"basic_auth_users: {{'a:b': {HASH}}}", "colon"),
        (f"basic_auth_users: {{ann: {HASH.replace('$04$', '$31$')}}}", "has cost 31: 4 to 16 are allowed"),
        ("[]", "must be a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_refused_with_the_file_and_the_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)
    assert "--http.config (" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert HASH not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--http\.config: cannot read .*nothing\.yml: No such file"):
        open_web_file(tmp_path / "nothing.yml", structlog.get_logger())


def test_without_a_file_everything_is_open() -> None:
    assert open_web_file(None, structlog.get_logger())() == WebState()


def test_hashes_and_keys_do_not_show_when_printed(tmp_path: Path) -> None:
    config = read(tmp_path, f"tls_server_config: {{cert: a, key: hunter2}}\nbasic_auth_users: {{ann: {HASH}}}")
    assert "hunter2" not in repr(config)
    assert HASH not in repr(config)
