"""Listen addresses."""

from __future__ import annotations

import socket

import pytest

from storegate.errors import ConfigurationError
from storegate.listen import join_address, open_listener, parse_address

SETTING = "--some-address"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:10901", "0.0.0.0", 10901),
        (":10901", "", 10901),
        ("[::]:1", "::", 1),
        ("[fe80::1]:80", "fe80::1", 80),
        ("localhost:0", "localhost", 0),
    ],
)
def test_an_address_is_host_and_port(text, host, port):
    assert parse_address(text, SETTING) == (host, port)


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "::1:80", "h:65536", "h:-1"])
def test_what_is_no_address_is_named_with_its_setting(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_address(text, SETTING)
    assert SETTING in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["1.2.3.4:5", "[::1]:5", "name:5", ":5"])
def test_joining_undoes_parsing(text):
    assert join_address(*parse_address(text, SETTING)) == text


@pytest.mark.parametrize("text", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0", ":0", "[::]:0"])
def test_a_listener_takes_connections_on_loopback(text):
    with open_listener(text, SETTING) as listener:
        socket.create_connection(("localhost", listener.getsockname()[1]), timeout=10).close()


def test_accepted_connections_send_at_once():
    with open_listener("127.0.0.1:0", SETTING) as listener, socket.create_connection(listener.getsockname()):
        with listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_busy_port_is_told_with_the_fix():
    with open_listener("127.0.0.1:0", SETTING) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=rf"{SETTING}: cannot listen on {address}: .*choose another"):
            open_listener(address, SETTING)


def test_a_name_that_does_not_resolve_is_told():
    with pytest.raises(ConfigurationError, match=r"nohost\.invalid.*does not resolve"):
        open_listener("nohost.invalid:0", SETTING)


def test_an_address_of_another_machine_is_told():
    with pytest.raises(ConfigurationError, match="no interface"):
        open_listener("192.0.2.1:0", SETTING)
