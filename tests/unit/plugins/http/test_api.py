"""The HTTP API: shapes, errors, headers, methods, and what switches it off."""

from __future__ import annotations

import gzip
import json
import os

import pytest
import yaml

from storegate.block.status import ChosenBlocks
from storegate.block.syncer import Quarantined
from storegate.errors import InvalidRequestError, UnavailableError
from storegate.types import BlockMeta

ULID = "01M3250V000000000000000001"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
META = BlockMeta(ulid=ULID, min_time=1, max_time=9, labels={"region": "eü"}, sources=(ULID,), document={"version": 1})
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Encoding, Authorization, Content-Type, Origin",
    "Access-Control-Expose-Headers": "Date",
}


def cors_of(headers):
    return {name: headers[name] for name in CORS}


@pytest.fixture(scope="module")
def api(serve):
    return serve(web={"group_label": "region"})


@pytest.fixture(autouse=True)
def fresh(api):
    api.gateway.marks.clear()
    api.gateway.mark_error = None


class TestBlocks:
    def test_before_the_first_fetch_there_are_none(self, api):
        api.gateway.blocks = ChosenBlocks(metas=(), quarantined={}, refreshed=None, error="")
        status, answer = api.ask_json("/api/v1/blocks?view=loaded")
        assert status == 200
        assert answer == {
            "status": "success",
            "data": {
                "label": "region",
                "blocks": [],
                "refreshedAt": "0001-01-01T00:00:00Z",
                "err": None,
                "quarantined": {},
            },
        }

    def test_the_blocks_of_the_last_fetch_are_shown(self, api):
        api.gateway.blocks = ChosenBlocks(metas=(META,), quarantined={}, refreshed=1_790_000_000_123, error="")
        data = api.ask_json("/api/v1/blocks?view=loaded")[1]["data"]
        assert [block["ulid"] for block in data["blocks"]] == [ULID]
        assert data["blocks"][0]["thanos"]["labels"] == {"region": "eü"}
        assert data["refreshedAt"] == "2026-09-21T14:13:20.123Z"

    def test_a_failed_fetch_says_why(self, api):
        api.gateway.blocks = ChosenBlocks(metas=(META,), quarantined={}, refreshed=1, error="the bucket is away")
        data = api.ask_json("/api/v1/blocks?view=loaded")[1]["data"]
        assert data["err"] == "the bucket is away"
        assert len(data["blocks"]) == 1

    def test_a_block_that_cannot_be_loaded_says_why(self, api):
        held = Quarantined(meta=META, cause="index: bad magic", since=0, tries=3)
        api.gateway.blocks = ChosenBlocks(metas=(META,), quarantined={ULID: held}, refreshed=1, error="")
        data = api.ask_json("/api/v1/blocks?view=loaded")[1]["data"]
        expected = {"cause": "index: bad magic", "since": "1970-01-01T00:00:00Z", "tries": 3}
        assert data["quarantined"] == {ULID: expected}

    @pytest.mark.parametrize("query", ["", "?view=global", "?view=x"])
    def test_every_other_view_is_empty(self, api, query):
        api.gateway.blocks = ChosenBlocks(metas=(META,), quarantined={}, refreshed=1, error="")
        expected = {"label": "region", "blocks": [], "refreshedAt": "0001-01-01T00:00:00Z", "err": None}
        assert api.ask_json(f"/api/v1/blocks{query}") == (200, {"status": "success", "data": expected})

    def test_long_lists_are_compressed_on_request(self, api):
        api.gateway.blocks = ChosenBlocks(metas=(META,) * 20, quarantined={}, refreshed=1, error="")
        status, body, headers = api.ask("/api/v1/blocks?view=loaded", headers={"Accept-Encoding": "gzip"})
        assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
        assert len(json.loads(gzip.decompress(body))["data"]["blocks"]) == 20


class TestMark:
    @pytest.mark.parametrize(
        ("path", "headers", "body"),
        [
            ("", FORM, f"id={ULID}&action=DELETION&detail=too%20old".encode()),
            (f"?id={ULID}&action=DELETION&detail=too+old", {}, None),
            ("?id=overruled&action=DELETION&detail=too+old", FORM, f"id={ULID}".encode()),
            (
                "",
                {"Content-Type": "multipart/form-data; boundary=xx"},
                b"".join(
                    f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                    for name, value in (("id", ULID), ("action", "DELETION"), ("detail", "too old"))
                )
                + b"--xx--\r\n",
            ),
        ],
        ids=["body", "query", "both", "multipart"],
    )
    def test_the_fields_come_from_body_or_query(self, api, path, headers, body):
        assert api.ask_json(f"/api/v1/blocks/mark{path}", "POST", headers=headers, body=body) == (204, None)
        assert api.gateway.marks == [(ULID, "DELETION", "too old")]

    def test_a_wrong_request_is_bad_data(self, api):
        api.gateway.mark_error = InvalidRequestError("ID cannot be empty")
        status, body, headers = api.ask("/api/v1/blocks/mark", "POST")
        assert status == 400
        assert json.loads(body) == {"status": "error", "errorType": "bad_data", "error": "ID cannot be empty"}
        assert headers["Cache-Control"] == "no-store"

    def test_what_the_bucket_says_is_bad_data_too(self, api):
        api.gateway.mark_error = UnavailableError("the bucket is away")
        status, answer = api.ask_json("/api/v1/blocks/mark", "POST")
        assert (status, answer["errorType"], answer["error"]) == (400, "bad_data", "the bucket is away")

    def test_an_unexpected_error_is_internal_and_keeps_its_text_in_the_log(self, api):
        api.gateway.mark_error = RuntimeError("hunter2")
        status, answer = api.ask_json("/api/v1/blocks/mark", "POST")
        assert (status, answer["errorType"]) == (500, "internal")
        assert "hunter2" not in answer["error"]
        assert "hunter2" in api.log.text()

    @pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "multipart/form-data; boundary=y"])
    def test_a_body_that_is_no_form_is_refused(self, api, kind):
        status, answer = api.ask_json("/api/v1/blocks/mark", "POST", headers={"Content-Type": kind}, body=b"{}")
        assert (status, answer["errorType"]) == (400, "bad_data")
        assert api.gateway.marks == []

    def test_too_many_fields_are_refused(self, api):
        body = "&".join(f"f{i}=1" for i in range(200)).encode()
        assert api.ask_json("/api/v1/blocks/mark", "POST", headers=FORM, body=body)[0] == 400

    @pytest.mark.parametrize(
        "browser",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "http://other.example"},
            {"Origin": "null"},
            {"Origin": "http://other.example", "X-Forwarded-Host": "gateway.example"},
        ],
    )
    def test_the_page_of_another_site_cannot_mark(self, api, browser):
        headers = FORM | browser
        body = f"id={ULID}&action=DELETION".encode()
        assert api.ask_json("/api/v1/blocks/mark", "POST", headers=headers, body=body)[0] == 400
        assert api.gateway.marks == []

    @pytest.mark.parametrize(
        "browser",
        [
            {},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://outside.example"},
            {"Origin": "http://gateway.example", "X-Forwarded-Host": "gateway.example"},
        ],
    )
    def test_a_page_of_its_own_and_a_script_can_mark(self, api, browser):
        body = f"id={ULID}&action=DELETION".encode()
        assert api.ask("/api/v1/blocks/mark", "POST", headers=FORM | browser, body=body)[0] == 204

    def test_marking_is_a_post(self, api):
        status, _, headers = api.ask("/api/v1/blocks/mark")
        assert (status, headers["Allow"]) == (405, "POST")


class TestStatus:
    def test_flags_are_those_of_the_gateway(self, api):
        assert api.ask_json("/api/v1/status/flags") == (200, {"status": "success", "data": {"data-dir": "./data"}})

    def test_the_runtime_has_the_keys_of_the_reference(self, api):
        data = api.ask_json("/api/v1/status/runtimeinfo")[1]["data"]
        assert list(data) == ["startTime", "CWD", "goroutineCount", "GOMAXPROCS", "GOGC", "GODEBUG", "GOMEMLIMIT"]
        assert data["CWD"] == os.getcwd()
        assert data["goroutineCount"] > 1

    def test_the_build_has_the_keys_of_the_reference(self, api):
        data = api.ask_json("/api/v1/status/buildinfo")[1]["data"]
        assert list(data) == ["version", "revision", "branch", "buildUser", "buildDate", "goVersion"]
        assert "Python" in data["goVersion"]

    def test_the_configuration_is_yaml_without_secrets(self, serve):
        served = serve()
        store = {"type": "S3", "config": {"bucket": "b", "endpoint": "e", "access_key": "a", "secret_key": "hunter2"}}
        settings = served.gateway.settings
        served.gateway.settings = settings.model_validate(settings.model_dump() | {"object_store": store})
        status, body, _ = served.ask("/api/v1/status/config")
        assert status == 200
        assert yaml.safe_load(json.loads(body)["data"]["yaml"])["data_dir"] == "data"
        assert b"hunter2" not in body


class TestHeadersAndMethods:
    @pytest.mark.parametrize("path", ["/api/v1/blocks", "/api/v1/status/flags", "/api/v1/none"])
    def test_answers_have_cors_headers(self, api, path):
        assert cors_of(api.ask(path)[2]) == CORS

    def test_errors_have_cors_headers(self, api):
        api.gateway.mark_error = InvalidRequestError("no")
        assert cors_of(api.ask("/api/v1/blocks/mark", "POST")[2]) == CORS

    def test_answers_vary_by_encoding(self, api):
        assert api.ask("/api/v1/status/flags")[2]["Vary"] == "Accept-Encoding"

    @pytest.mark.parametrize("path", ["/api/v1/blocks", "/api/v1/blocks/mark", "/api/v1/whatever/else"])
    def test_options_of_any_path_are_204(self, api, path):
        status, body, headers = api.ask(path, "OPTIONS")
        assert (status, body) == (204, b"")
        assert cors_of(headers) == CORS

    def test_other_pages_have_no_cors_headers(self, api):
        assert "Access-Control-Allow-Origin" not in api.ask("/metrics")[2]

    def test_cors_can_be_switched_off(self, serve):
        served = serve(web={"disable_cors": True})
        assert "Access-Control-Allow-Origin" not in served.ask("/api/v1/status/flags")[2]
        assert served.ask("/api/v1/blocks", "OPTIONS")[0] == 204

    @pytest.mark.parametrize("path", ["/api/v1/status/flags", "/api/v1/blocks"])
    def test_a_wrong_method_is_405_and_says_which_are_right(self, api, path):
        status, _, headers = api.ask(path, "DELETE")
        assert status == 405
        assert "GET" in headers["Allow"]

    @pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/status", "/api/v1/status/tsdb", "/api/v1/query"])
    def test_paths_that_are_not_there_are_404(self, api, path):
        assert api.ask(path)[0] == 404

    def test_the_api_can_be_switched_off_whole(self, serve):
        served = serve(web={"disable": True})
        paths = ("/api/v1/blocks", "/api/v1/status/flags", "/api/v1/blocks/mark")
        assert [served.ask(path, "OPTIONS")[0] for path in paths] == [404] * 3
        assert [served.ask(path)[0] for path in ("/metrics", "/-/healthy", "/debug/pprof/")] == [200] * 3


class TestMetrics:
    def test_requests_are_counted_by_handler_method_and_code(self, api):
        def count():
            return api.sample("http_requests_total", code="200", handler="status_flags", method="get") or 0

        before = count()
        api.ask("/api/v1/status/flags")
        assert count() == before + 1
        labels = {"code": "200", "handler": "status_flags", "method": "get"}
        assert api.sample("http_request_duration_seconds_count", **labels) == count()
        assert api.sample("http_request_size_bytes_sum", **labels) > 20
        assert api.sample("http_response_size_bytes_sum", **labels) > 20
        assert api.sample("http_inflight_requests", handler="status_flags", method="GET") == 0

    @pytest.mark.parametrize(
        ("path", "method", "handler", "code"),
        [
            ("/api/v1/blocks", "GET", "blocks", "200"),
            ("/api/v1/blocks/mark", "POST", "blocks_mark", "204"),
            ("/api/v1/x", "OPTIONS", "options", "204"),
            ("/api/v1/status/runtimeinfo", "GET", "status_runtime", "200"),
            ("/api/v1/status/buildinfo", "GET", "status_build", "200"),
        ],
    )
    def test_every_handler_has_the_name_of_the_reference(self, api, path, method, handler, code):
        api.ask(path, method)
        assert api.sample("http_requests_total", code=code, handler=handler, method=method.lower()) >= 1

    def test_probes_metrics_and_profiles_are_not_counted(self, serve):
        served = serve()
        for path in ("/-/healthy", "/metrics", "/debug/pprof/", "/nothing"):
            served.ask(path)
        assert "http_requests_total{" not in served.ask("/metrics")[1].decode()

    def test_made_up_methods_are_counted_together(self, api):
        with api.raw() as connection:
            connection.sendall(b"BREW /api/v1/blocks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            connection.recv(1000)
        body = api.ask("/metrics")[1].decode()
        assert "BREW" not in body
        assert "brew" not in body
