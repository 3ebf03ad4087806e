"""Probes, metrics and the server, through a real HTTP client."""

from __future__ import annotations

import gzip
import socket
import threading

import pytest
from prometheus_client import Counter
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from storegate.errors import ConfigurationError
from storegate_http.config import HttpConfig

WAIT = 10.0


@pytest.mark.parametrize(("path", "probe"), [("/-/ready", "ready"), ("/-/healthy", "healthy")])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_probe_follows_the_gateway_whatever_the_method(served, path, probe, method):
    setattr(served.gateway, probe, True)
    assert served.ask(path, method)[:2] == (200, b"OK")
    setattr(served.gateway, probe, False)
    assert served.ask(path, method)[:2] == (503, b"NOT OK")


def test_a_head_request_to_a_probe_has_a_status_and_no_body(served):
    assert served.ask("/-/healthy", "HEAD")[:2] == (200, b"")


def test_metrics_are_text_by_default(served):
    Counter("things", "Things", registry=served.registry).inc()
    status, body, headers = served.ask("/metrics")
    assert status == 200
    assert b"things_total 1.0\n" in body
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_metrics_are_openmetrics_on_request(served):
    status, body, headers = served.ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_long_metrics_are_compressed_on_request(served):
    for number in range(50):
        Counter(f"things_{number}", "Things", registry=served.registry)
    status, body, headers = served.ask("/metrics", headers={"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert b"things_49_total 0.0\n" in gzip.decompress(body)


def test_metrics_are_only_read(served):
    status, _, headers = served.ask("/metrics", "POST")
    assert status == 405
    assert "GET" in headers["Allow"]


def test_the_front_page_links_to_what_is_there(served):
    status, body, headers = served.ask("/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    for path in (b"metrics", b"-/healthy", b"-/ready"):
        assert b'href="' + path + b'"' in body


@pytest.mark.parametrize("path", ["/nothing", "/-/", "/metrics/", "/-/ready/"])
def test_other_paths_are_not_found(served, path):
    assert served.ask(path)[0] == 404


def test_the_address_has_the_real_port(served):
    assert served.front_end.address.startswith("127.0.0.1:")
    assert not served.front_end.address.endswith(":0")


def test_a_busy_port_is_an_error_that_names_address_and_setting(served, serve):
    with pytest.raises(ConfigurationError) as caught:
        serve(address=served.front_end.address)
    assert served.front_end.address in str(caught.value)
    assert "--http-address" in str(caught.value)
    assert "Address already in use" in str(caught.value)


def test_an_empty_path_of_the_file_is_none():
    assert HttpConfig(config_file="") == HttpConfig()


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="adress"):
        HttpConfig(adress="x")


def test_stopping_lets_a_running_request_end(served):
    entered, go_on = threading.Event(), threading.Event()

    def slow(request):
        entered.set()
        assert go_on.wait(WAIT)
        return PlainTextResponse("done")

    served.front_end.mount("/slow", Starlette(routes=[Route("/", slow)]))
    answers = []
    asking = threading.Thread(target=lambda: answers.append(served.ask("/slow/")[:2]))
    asking.start()
    assert entered.wait(WAIT)
    stopping = threading.Thread(target=served.front_end.stop, args=(WAIT,))
    stopping.start()
    go_on.set()
    stopping.join(WAIT)
    asking.join(WAIT)
    assert answers == [(200, b"done")]


def test_an_idle_connection_does_not_hold_up_the_stop(served):
    host, _, port = served.front_end.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT) as connection:
        connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100)
        stopping = threading.Thread(target=served.front_end.stop, args=(60.0,))
        stopping.start()
        stopping.join(WAIT)
        assert not stopping.is_alive()


def test_a_stopped_front_end_frees_its_port(served):
    served.front_end.stop(0.0)
    host, _, port = served.front_end.address.rpartition(":")
    with socket.create_server((host, int(port))):
        pass
