"""HTTPS: who may connect, with which versions and ciphers, and what changes while the server runs."""

from __future__ import annotations

import socket
import ssl
import time

import pytest
from certificates import Authority

from storegate.errors import ConfigurationError

from .conftest import WAIT, read_all

QUICK = 0.3  # s
T12, T13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue()


def client(authority, own=None, version=None, ciphers=""):
    """The context of a client that trusts the authority."""
    context = ssl.create_default_context(cafile=authority.ca)
    if own:
        context.load_cert_chain(own.cert, own.key)
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def write(file, **tls):
    lines = "".join(f"  {key}: {value}\n" for key, value in tls.items())
    new = file.with_suffix(".new")
    new.write_text(f"tls_server_config:\n{lines}")
    new.replace(file)
    return file


@pytest.fixture
def serve_tls(serve, tmp_path):
    """Start a server with the given keys of tls_server_config; it has the path of its file as `file`."""

    def start(pair, header_timeout=10.0, **tls):
        file = write(tmp_path / "web.yml", cert_file=pair.cert, key_file=pair.key, **tls)
        served = serve(config_file=file, header_timeout=header_timeout)
        served.file = file
        return served

    return start


def ask(served, context):
    served.tls = context
    return served.ask("/-/healthy")[:2]


def assert_refused(served, context):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(served, context)


def agreed(served, context):
    """Version and cipher of a connection."""
    with (
        socket.create_connection(served.where, timeout=WAIT) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return secured.version(), secured.cipher()[0]


class TestServerCertificate:
    def test_a_client_that_trusts_it_is_answered(self, serve_tls, authority, pair):
        assert ask(serve_tls(pair), client(authority)) == (200, b"OK")

    def test_a_client_that_does_not_trust_it_goes_away(self, serve_tls, pair, tmp_path):
        assert_refused(serve_tls(pair), client(Authority(tmp_path)))

    def test_a_client_that_wants_another_host_goes_away(self, serve_tls, authority):
        assert_refused(serve_tls(authority.issue("elsewhere.example", file="other")), client(authority))

    def test_a_client_goes_away_when_it_has_expired(self, serve_tls, authority):
        assert_refused(serve_tls(authority.issue(file="old", expired=True)), client(authority))

    def test_a_client_without_tls_gets_no_answer(self, serve_tls, pair):
        assert serve_tls(pair).send(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")[:4] != b"HTTP"

    def test_certificates_can_lie_in_the_file_itself(self, serve, authority, pair, tmp_path):
        def indented(path):
            return "|\n" + "".join(f"    {line}\n" for line in path.read_text().splitlines())

        file = write(tmp_path / "web.yml", cert=indented(pair.cert), key=indented(pair.key))
        served = serve(config_file=file)
        assert ask(served, client(authority)) == (200, b"OK")

    def test_paths_are_relative_to_the_file(self, serve, tmp_path):
        authority = Authority(tmp_path)
        authority.issue()
        served = serve(config_file=write(tmp_path / "web.yml", cert_file="server.pem", key_file="server.key"))
        assert ask(served, client(authority)) == (200, b"OK")


class TestClientCertificate:
    @pytest.fixture
    def strict(self, serve_tls, authority, pair):
        return serve_tls(pair, client_auth_type="RequireAndVerifyClientCert", client_ca_file=authority.ca)

    def test_one_of_the_ca_is_let_in(self, strict, authority):
        assert ask(strict, client(authority, authority.issue("me", file="me"))) == (200, b"OK")

    def test_none_is_refused(self, strict, authority):
        assert_refused(strict, client(authority))

    def test_one_of_an_unknown_ca_is_refused(self, strict, authority, tmp_path):
        assert_refused(strict, client(authority, Authority(tmp_path).issue("me", file="me")))

    def test_an_expired_one_is_refused(self, strict, authority):
        assert_refused(strict, client(authority, authority.issue("me", file="late", expired=True)))

    def test_none_is_let_in_where_it_is_verified_only_if_given(self, serve_tls, authority, pair, tmp_path):
        served = serve_tls(pair, client_auth_type="VerifyClientCertIfGiven", client_ca_file=authority.ca)
        assert ask(served, client(authority)) == (200, b"OK")
        assert_refused(served, client(authority, Authority(tmp_path).issue("me", file="me")))

    def test_only_the_allowed_names_are_let_in(self, serve_tls, authority, pair):
        served = serve_tls(
            pair,
            client_auth_type="RequireAndVerifyClientCert",
            client_ca_file=authority.ca,
            client_allowed_sans="[prometheus.example]",
        )
        assert ask(served, client(authority, authority.issue("prometheus.example", file="p")))[0] == 200
        assert_refused(served, client(authority, authority.issue("other.example", file="o")))


class TestVersionsAndCiphers:
    def test_tls_1_2_and_1_3_are_spoken(self, serve_tls, authority, pair):
        served = serve_tls(pair)
        assert [agreed(served, client(authority, version=v))[0] for v in (T12, T13)] == ["TLSv1.2", "TLSv1.3"]

    def test_the_least_version_is_kept(self, serve_tls, authority, pair):
        assert_refused(serve_tls(pair, min_version="TLS13"), client(authority, version=T12))

    def test_the_highest_version_is_kept(self, serve_tls, authority, pair):
        assert_refused(serve_tls(pair, max_version="TLS12"), client(authority, version=T13))

    def test_an_old_version_is_not_spoken_even_if_it_is_allowed(self, serve_tls, authority, pair):
        served = serve_tls(pair, min_version="TLS10")
        assert served.front_end._web().context.minimum_version == T12
        assert agreed(served, client(authority, version=T12))[0] == "TLSv1.2"

    def test_ciphers_are_those_of_the_list(self, serve_tls, authority, pair):
        served = serve_tls(pair, cipher_suites="[TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]")
        assert agreed(served, client(authority, version=T12)) == ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305")
        assert_refused(served, client(authority, version=T12, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))

    def test_a_list_for_tls_1_3_alone_leaves_no_other_version(self, serve_tls, authority, pair):
        served = serve_tls(pair, cipher_suites="[TLS_AES_128_GCM_SHA256]")
        assert agreed(served, client(authority, version=T13))[0] == "TLSv1.3"
        assert_refused(served, client(authority, version=T12))

    def test_the_curve_is_kept(self, serve_tls, authority, pair):
        served = serve_tls(pair, curve_preferences="[CurveP384]")
        right, wrong = client(authority, version=T13), client(authority, version=T13)
        right.set_ecdh_curve("secp384r1")
        wrong.set_ecdh_curve("prime256v1")
        assert agreed(served, right)[0] == "TLSv1.3"
        assert_refused(served, wrong)


class TestRotation:
    def test_a_new_pair_is_used_for_new_connections(self, serve_tls, tmp_path):
        served = serve_tls(Authority(tmp_path).issue())
        renewed = Authority(tmp_path)
        renewed.issue()
        assert ask(served, client(renewed)) == (200, b"OK")

    def test_connections_that_are_there_live_on(self, serve_tls, tmp_path):
        authority = Authority(tmp_path)
        served = serve_tls(authority.issue())
        served.tls = client(authority)
        with served.connection() as connection:
            for _ in range(2):
                connection.request("GET", "/-/healthy")
                assert connection.getresponse().read() == b"OK"
                Authority(tmp_path).issue()

    def test_client_ca_versions_and_ciphers_change_with_the_file(self, serve_tls, authority, pair):
        served = serve_tls(pair)
        assert agreed(served, client(authority, version=T12))[0] == "TLSv1.2"
        write(
            served.file,
            cert_file=pair.cert,
            key_file=pair.key,
            min_version="TLS13",
            client_auth_type="RequireAndVerifyClientCert",
            client_ca_file=authority.ca,
        )
        assert_refused(served, client(authority, version=T12))
        assert_refused(served, client(authority))
        assert ask(served, client(authority, authority.issue("me", file="me"))) == (200, b"OK")

    def test_a_ca_that_is_replaced_is_trusted_no_more(self, serve_tls, authority, pair, tmp_path):
        old = Authority(tmp_path)
        served = serve_tls(pair, client_auth_type="RequireAndVerifyClientCert", client_ca_file=old.ca)
        before = client(authority, old.issue("me", file="before"))
        assert ask(served, before)[0] == 200
        after = client(authority, Authority(tmp_path).issue("me", file="after"))
        assert ask(served, after)[0] == 200
        assert_refused(served, before)

    def test_a_pair_that_does_not_fit_keeps_the_old_one(self, serve_tls, tmp_path):
        authority = Authority(tmp_path)
        pair = authority.issue()
        served = serve_tls(pair)
        pair.key.write_bytes(authority.issue(file="other").key.read_bytes())
        assert ask(served, client(authority)) == (200, b"OK")
        assert "key values mismatch" in served.log.text()

    def test_tls_cannot_be_turned_off_while_the_gateway_runs(self, serve_tls, authority, pair):
        served = serve_tls(pair)
        served.file.write_text("{}")
        assert ask(served, client(authority)) == (200, b"OK")


class TestRefusedAtStart:
    def test_a_missing_certificate(self, serve_tls, pair, tmp_path):
        with pytest.raises(ConfigurationError, match=r"--http\.config: tls_server_config\.cert_file: cannot read"):
            serve_tls(pair._replace(cert=tmp_path / "nothing.pem"))

    def test_a_key_of_another_certificate(self, serve_tls, authority, pair):
        with pytest.raises(ConfigurationError, match="key values mismatch"):
            serve_tls(pair._replace(key=authority.issue(file="other").key))

    def test_a_ca_that_is_none(self, serve_tls, pair):
        with pytest.raises(ConfigurationError, match=r"client_ca_file: no CA certificates"):
            serve_tls(pair, client_auth_type="RequireAndVerifyClientCert", client_ca_file=pair.key)


def ended(secured):
    """Whether the server ends the connection, politely or not, without a word."""
    try:
        return secured.recv(1000) == b""
    except (ssl.SSLError, ConnectionError):
        return True


class TestSlowHandshakes:
    def test_a_client_that_begins_none_is_cut_off(self, serve_tls, pair):
        with serve_tls(pair, header_timeout=QUICK).raw() as connection:
            assert read_all(connection) == b""

    def test_a_client_that_ends_none_is_cut_off(self, serve_tls, pair):
        with serve_tls(pair, header_timeout=QUICK).raw() as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert b"HTTP" not in read_all(connection)

    def test_others_are_answered_meanwhile(self, serve_tls, authority, pair):
        served = serve_tls(pair)
        hanging = [socket.create_connection(served.where, timeout=WAIT) for _ in range(20)]
        began = time.monotonic()
        assert ask(served, client(authority)) == (200, b"OK")
        assert time.monotonic() - began < WAIT / 2
        for connection in hanging:
            connection.close()

    def test_a_client_that_sends_slow_headers_over_tls_is_cut_off(self, serve_tls, authority, pair):
        served = serve_tls(pair, header_timeout=QUICK)
        with (
            socket.create_connection(served.where, timeout=WAIT) as connection,
            client(authority).wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            secured.sendall(b"GET /-/healthy HT")
            assert ended(secured)


def test_failed_handshakes_leave_nothing_in_the_log(serve_tls, authority, pair, caplog, capfd):
    served = serve_tls(pair)
    before = len(served.log)
    assert_refused(served, client(authority, version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA"))
    served.send(b"GET / HTTP/1.1\r\n\r\n")
    served.send(b"\x16\x03\x01\x00\x05nonsense")
    assert served.log[before:] == []
    assert caplog.records == []
    assert capfd.readouterr().err == ""
