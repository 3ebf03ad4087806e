"""TLS of gRPC: who may connect, and which files and rules are refused."""

from __future__ import annotations

import os
import subprocess
import sys

import grpc
import pytest
import structlog
from certificates import Authority
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from storegate.errors import ConfigurationError
from storegate.types import PluginContext
from storegate_grpc.config import GrpcConfig
from storegate_grpc.frontend import GrpcFrontEnd
from storegate_grpc.opening import CIPHERS, NONE_OF_TLS12, open_frontend, set_tls_rules, wanted_ciphers
from storegate_proto.store.storepb import rpc_pb2, rpc_pb2_grpc

WAIT = 10.0
TLS12 = {"tls_min_version": "1.2"}  # the rule for 1.3 must be set before grpc is loaded, and tests have loaded it


def build(**config) -> GrpcFrontEnd:
    context = PluginContext(name="grpc", log=structlog.get_logger(), registry=CollectorRegistry())
    return GrpcFrontEnd(GrpcConfig(**config), context)


def ask(served, authority, client=None):
    """One call over TLS; raises grpc.RpcError."""
    own = (client.key.read_bytes(), client.cert.read_bytes()) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), *own)
    with grpc.secure_channel(served.address, credentials) as channel:
        return rpc_pb2_grpc.StoreStub(channel).LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT)


def assert_refused(served, authority, client=None):
    with pytest.raises(grpc.RpcError) as caught:
        ask(served, authority, client)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue()


class TestServerCertificate:
    def test_a_client_that_trusts_it_is_served(self, serve, authority, pair):
        ask(serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12), authority)

    def test_a_client_that_does_not_trust_it_goes_away(self, serve, pair, tmp_path):
        assert_refused(serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12), Authority(tmp_path))

    def test_a_client_that_wants_another_host_goes_away(self, serve, authority):
        other = authority.issue("elsewhere.example", file="elsewhere")
        assert_refused(serve(tls_cert=other.cert, tls_key=other.key, **TLS12), authority)

    def test_a_client_goes_away_when_it_has_expired(self, serve, authority):
        old = authority.issue(file="old", expired=True)
        assert_refused(serve(tls_cert=old.cert, tls_key=old.key, **TLS12), authority)

    def test_a_client_without_tls_is_not_served(self, serve, pair):
        served = serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12)
        with pytest.raises(grpc.RpcError):
            rpc_pb2_grpc.StoreStub(served.channel).LabelNames(rpc_pb2.LabelNamesRequest(), timeout=WAIT)


class TestClientCertificate:
    @pytest.fixture
    def strict(self, serve, authority, pair):
        return serve(tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=authority.ca, **TLS12)

    def test_one_of_the_ca_is_let_in(self, strict, authority):
        ask(strict, authority, authority.issue("client", file="client"))

    def test_none_is_refused(self, strict, authority):
        assert_refused(strict, authority)

    def test_one_of_an_unknown_ca_is_refused(self, strict, authority, tmp_path):
        assert_refused(strict, authority, Authority(tmp_path).issue("client"))

    def test_an_expired_one_is_refused(self, strict, authority):
        assert_refused(strict, authority, authority.issue("client", file="late", expired=True))


class TestRotation:
    def test_a_new_pair_is_used_for_new_connections(self, serve, tmp_path):
        pair = Authority(tmp_path).issue()
        served = serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12)
        renewed = Authority(tmp_path)
        renewed.issue()
        ask(served, renewed)

    def test_a_new_client_ca_is_used_for_new_connections(self, serve, authority, pair, tmp_path):
        old = Authority(tmp_path)
        before = old.issue("client", file="before")
        served = serve(tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=old.ca, **TLS12)
        ask(served, authority, before)
        new = Authority(tmp_path)
        ask(served, authority, new.issue("client", file="after"))
        assert_refused(served, authority, before)

    def test_half_a_change_keeps_the_old_pair(self, serve, tmp_path):
        authority = Authority(tmp_path)
        pair = authority.issue()
        served = serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12)
        pair.key.write_bytes(authority.issue(file="other").key.read_bytes())
        ask(served, authority)

    def test_a_lost_file_keeps_the_old_pair(self, serve, tmp_path):
        authority = Authority(tmp_path)
        pair = authority.issue()
        served = serve(tls_cert=pair.cert, tls_key=pair.key, **TLS12)
        pair.cert.unlink()
        ask(served, authority)


class TestConfiguration:
    def test_a_certificate_without_key_is_refused(self):
        with pytest.raises(ValidationError, match="tls_key"):
            GrpcConfig(tls_cert="cert.pem")

    def test_a_client_ca_without_certificate_is_refused(self):
        with pytest.raises(ValidationError, match="tls_client_ca"):
            GrpcConfig(tls_client_ca="ca.pem")

    def test_empty_paths_are_no_paths(self):
        assert GrpcConfig(tls_cert="", tls_key="", tls_client_ca="") == GrpcConfig()

    def test_a_missing_certificate_file_is_named(self, pair, tmp_path):
        with pytest.raises(ConfigurationError, match=r"tls_cert: cannot read .*nothing\.pem"):
            build(tls_cert=tmp_path / "nothing.pem", tls_key=pair.key)

    def test_a_file_that_is_no_pem_is_named(self, pair, tmp_path):
        (tmp_path / "key.der").write_bytes(b"\x30\x82")
        with pytest.raises(ConfigurationError, match=r"tls_key: .*key\.der is not a PEM file"):
            build(tls_cert=pair.cert, tls_key=tmp_path / "key.der")

    def test_a_key_of_another_certificate_is_refused(self, authority, pair):
        with pytest.raises(ConfigurationError, match=r"tls_cert and tls_key: .* key values mismatch"):
            build(tls_cert=pair.cert, tls_key=authority.issue(file="other").key)

    def test_a_client_ca_that_holds_no_certificate_is_refused(self, pair):
        with pytest.raises(ConfigurationError, match="tls_client_ca: no CA certificates"):
            build(tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=pair.key)

    def test_an_unknown_cipher_is_refused(self):
        with pytest.raises(ValidationError, match="unknown cipher suite 'X'"):
            GrpcConfig(tls_ciphers=["X"])


class TestRules:
    """What is set in the environment before grpc is loaded; that it has an effect is shown with real processes."""

    @pytest.mark.parametrize(
        ("config", "ciphers"),
        [
            ({}, NONE_OF_TLS12),
            (TLS12, None),
            ({"tls_min_version": "1.0"}, None),
            (TLS12 | {"tls_ciphers": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}, "ECDHE-RSA-AES128-GCM-SHA256"),
            (TLS12 | {"tls_ciphers": ["TLS_AES_128_GCM_SHA256"]}, NONE_OF_TLS12),
            ({"tls_ciphers": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}, NONE_OF_TLS12),
        ],
    )
    def test_version_and_ciphers_become_a_list_for_the_library(self, config, ciphers):
        assert wanted_ciphers(GrpcConfig(tls_cert="c", tls_key="k", **config)) == ciphers

    def test_without_tls_nothing_is_set(self):
        assert wanted_ciphers(GrpcConfig()) is None

    def test_a_rule_that_comes_too_late_is_refused(self, monkeypatch):
        monkeypatch.delenv(CIPHERS, raising=False)
        monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")
        with pytest.raises(ConfigurationError, match=f"{CIPHERS}={NONE_OF_TLS12} in its environment"):
            set_tls_rules(GrpcConfig(tls_cert="c", tls_key="k"), structlog.get_logger())

    def test_a_rule_that_the_library_does_not_keep_stops_the_start(self, serve, pair, monkeypatch):
        """Set too late here; it might also be a library that no longer reads the variable."""
        monkeypatch.setenv(CIPHERS, NONE_OF_TLS12)
        with pytest.raises(ConfigurationError, match=r"accepts TLS 1\.2 all the same"):
            serve(tls_cert=pair.cert, tls_key=pair.key)

    def test_the_front_end_is_opened_after_the_rules_are_set(self, monkeypatch, pair):
        monkeypatch.setenv(CIPHERS, NONE_OF_TLS12)
        monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")
        context = PluginContext(name="grpc", log=structlog.get_logger(), registry=CollectorRegistry())
        assert isinstance(open_frontend(GrpcConfig(tls_cert=pair.cert, tls_key=pair.key), context), GrpcFrontEnd)

    def test_reading_the_rules_does_not_load_grpc(self):
        code = "import sys, storegate_grpc, storegate_grpc.opening; sys.exit('grpc' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], env=os.environ, timeout=60).returncode == 0
