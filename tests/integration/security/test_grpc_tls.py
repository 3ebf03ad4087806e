"""TLS of gRPC in processes of their own, for versions and ciphers are rules of a whole process."""

from __future__ import annotations

import socket
import ssl

import grpc
import pytest
from certificates import Authority

from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.info.infopb import rpc_pb2_grpc as info_pb2_grpc

WAIT = 10.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def start(start_store, tmp_path_factory, authority):
    pair = authority.issue()
    files = [f"--grpc-server-tls-cert={pair.cert}", f"--grpc-server-tls-key={pair.key}"]
    return lambda *flags: start_store(tmp_path_factory.mktemp("bucket"), [*files, *flags])


@pytest.fixture(scope="module")
def store(start, authority):
    """With the default rules, which are those of the reference: TLS 1.3 or nothing."""
    with start(f"--grpc-server-tls-client-ca={authority.ca}") as running:
        yield running


@pytest.fixture(scope="module")
def older_store(start):
    with start(
        "--grpc-server-tls-min-version=1.2",
        "--grpc-server-tls-ciphers=TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "--grpc-server-tls-ciphers=TLS_AES_128_GCM_SHA256",
    ) as running:
        yield running


def handshake(address, authority, version, ciphers=""):
    """Version and cipher that a client of one version of TLS and the server agree on."""
    context = ssl.create_default_context(cafile=authority.ca)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if ciphers:
        context.set_ciphers(ciphers)
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=WAIT) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return secured.version(), secured.cipher()[0]


def ask(store, authority, client=None):
    own = (client.key.read_bytes(), client.cert.read_bytes()) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), *own)
    with grpc.secure_channel(store.grpc_address, credentials) as channel:
        return info_pb2_grpc.InfoStub(channel).Info(info_pb2.InfoRequest(), timeout=WAIT)


def test_tls_1_3_is_spoken(store, authority):
    assert handshake(store.grpc_address, authority, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"


def test_tls_1_2_is_refused(store, authority):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(store.grpc_address, authority, ssl.TLSVersion.TLSv1_2)


def test_a_querier_with_a_certificate_is_served(store, authority):
    assert ask(store, authority, authority.issue("querier", file="querier")).ComponentType == "store"


def test_a_querier_without_a_certificate_is_not(store, authority):
    with pytest.raises(grpc.RpcError) as caught:
        ask(store, authority)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_lower_version_is_spoken_when_it_is_allowed(older_store, authority):
    assert handshake(older_store.grpc_address, authority, ssl.TLSVersion.TLSv1_2) == (
        "TLSv1.2",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    )


def test_a_cipher_that_is_not_on_the_list_is_refused(older_store, authority):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(older_store.grpc_address, authority, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384")


def test_failed_handshakes_leave_nothing_in_the_log(older_store, authority):
    before = older_store.logged()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(older_store.grpc_address, authority, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384")
    ask(older_store, authority)
    assert older_store.logged() == before
