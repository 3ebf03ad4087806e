"""The HTTP side of a real gateway: its API over a real bucket, TLS and users by flag, and no secret anywhere."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from urllib.parse import urlencode

import bcrypt
import pytest
from certificates import Authority
from ulid import ULID

from storegate.testing import write_block

WAIT = 30.0
NOBODY = str(ULID())


class Client:
    """Of one HTTP address; `context` makes it HTTPS."""

    def __init__(self, address, context=None, headers=None):
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._context = context
        self._headers = headers or {}

    def ask(self, path, method="GET", body=None, headers=None):
        """Status, and the body as text."""
        kind = http.client.HTTPConnection if self._context is None else http.client.HTTPSConnection
        more = {} if self._context is None else {"context": self._context}
        connection = kind(self._host, self._port, timeout=WAIT, **more)
        try:
            connection.request(method, path, body, self._headers | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def data(self, path):
        status, body = self.ask(path)
        assert status == 200
        return json.loads(body)["data"]

    def mark(self, **fields):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self.ask("/api/v1/blocks/mark", "POST", urlencode(fields), form)
        return status, json.loads(body)["error"] if body else ""


def write_bucket(folder):
    """A bucket of one block, and its ULID."""
    return folder, write_block(folder, [({"__name__": "up"}, [(1000, 1.0)])], external_labels={"region": "eu"}).ulid


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    return write_bucket(tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="module")
def store(start_store, bucket):
    with start_store(bucket[0], ["--bucket-web-label=region", "--http-grace-period=90s"]) as running:
        yield running


@pytest.fixture(scope="module")
def client(store):
    return Client(store.http_address)


@contextmanager
def launched(command, folder, *flags, address):
    """`storegate store` that listens for HTTP, ready or not; its stderr is a file of the folder."""
    arguments = [*command, "store", f"--data-dir={folder / 'data'}", f"--http-address={address}", *flags]
    log = folder / "stderr.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([*arguments, "--grpc-address=127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        yield process, log
    finally:
        process.kill()
        process.wait(WAIT)


def wait_answer(process, log, client, path, status=200):
    """Until a page has the status; at once when the process ends instead."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        try:
            if client.ask(path)[0] == status:
                return
        except OSError:
            pass  # not listening yet
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def free_address():
    def find():
        with socket.create_server(("127.0.0.1", 0)) as opened:
            return f"127.0.0.1:{opened.getsockname()[1]}"

    return find


class TestApi:
    def test_the_loaded_blocks_are_shown(self, client, bucket):
        data = client.data("/api/v1/blocks?view=loaded")
        assert [block["ulid"] for block in data["blocks"]] == [bucket[1]]
        assert data["blocks"][0]["thanos"]["labels"] == {"region": "eu"}
        assert (data["label"], data["err"], data["quarantined"]) == ("region", None, {})
        assert data["refreshedAt"].startswith("20")

    def test_flags_show_what_was_given_and_the_defaults(self, client):
        flags = client.data("/api/v1/status/flags")
        assert flags["http-grace-period"] == "1m30s"
        assert flags["bucket-web-label"] == "region"
        assert flags["objstore.config"] == "<REDACTED>"
        assert flags["chunk-pool-size"] == "2GiB"

    def test_a_block_is_marked_once(self, client, bucket):
        folder, ulid = bucket
        assert client.mark(id=ulid, action="NO_COMPACTION", detail="looks odd") == (204, "")
        first = json.loads((folder / ulid / "no-compact-mark.json").read_text())
        assert first == {
            "id": ulid,
            "version": 1,
            "details": "looks odd",
            "no_compact_time": first["no_compact_time"],
            "reason": "manual",
        }
        assert abs(first["no_compact_time"] - time.time()) < WAIT
        assert client.mark(id=ulid, action="NO_COMPACTION", detail="again") == (204, "")
        assert json.loads((folder / ulid / "no-compact-mark.json").read_text()) == first

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({}, "ID cannot be empty"),
            ({"id": "x"}, "Action cannot be empty"),
            ({"id": "../../../tmp/x", "action": "DELETION"}, 'ULID "../../../tmp/x" is not valid'),
            ({"id": NOBODY, "action": "DELETE"}, "not supported marker DELETE"),
            ({"id": NOBODY, "action": "DELETION"}, f"the bucket holds no block {NOBODY}"),
        ],
    )
    def test_a_wrong_mark_is_refused_and_writes_nothing(self, client, bucket, fields, error):
        before = sorted(bucket[0].rglob("*"))
        status, text = client.mark(**fields)
        assert status == 400
        assert text.startswith(error)
        assert sorted(bucket[0].rglob("*")) == before

    def test_admin_operations_can_be_switched_off(self, start_store, tmp_path):
        folder, ulid = write_bucket(tmp_path)
        with start_store(folder, ["--disable-admin-operations", "--web.disable-debug"]) as running:
            client = Client(running.http_address)
            assert client.mark(id=ulid, action="DELETION") == (400, "Admin operations are disabled")
            assert client.data("/api/v1/status/flags")["disable-admin-operations"] == "true"
            assert client.ask("/debug/pprof/goroutine?debug=2")[0] == 404
        assert not (folder / ulid / "deletion-mark.json").exists()

    def test_the_profile_of_a_gateway_shows_its_threads(self, client):
        status, text = client.ask("/debug/fgprof?seconds=0.2&format=collapsed")
        assert status == 200
        for thread in ("grpc-loop;", "http-loop;", "block-sync;"):
            assert thread in text


class TestWebFile:
    def test_the_flag_turns_on_tls_and_users(self, storegate_command, bucket, tmp_path, free_address):
        authority = Authority(tmp_path)
        authority.issue()
        hashed = bcrypt.hashpw(b"hunter2", bcrypt.gensalt(4)).decode()
        (tmp_path / "web.yml").write_text(
            f"tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{ann: {hashed}}}"
        )
        address = free_address()
        flags = [
            f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket[0]}}}}}",
            f"--http.config={tmp_path / 'web.yml'}",
        ]
        context = ssl.create_default_context(cafile=authority.ca)
        basic = {"Authorization": "Basic " + base64.b64encode(b"ann:hunter2").decode()}
        with launched(storegate_command, tmp_path, *flags, address=address) as (process, log):
            inside = Client(address, context, basic)
            wait_answer(process, log, inside, "/-/ready")
            assert Client(address, context).ask("/metrics")[0] == 401
            shown = [inside.ask(f"/api/v1/status/{page}")[1] for page in ("flags", "config")]
            process.terminate()
            assert process.wait(WAIT) == 0
            for text in (*shown, log.read_text()):
                assert "hunter2" not in text
                assert hashed not in text

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (None, "cannot read"),
            ("basic_auth_users: {ann: hunter2}", "user 'ann' is no bcrypt hash"),
            ("tls_server_config: {cert_file: none.pem, key_file: none.key}", "cert_file: cannot read"),
        ],
    )
    def test_a_file_that_cannot_be_used_stops_the_start(self, storegate_command, bucket, tmp_path, text, problem):
        file = tmp_path / "web.yml"
        if text is not None:
            file.write_text(text)
        store = f"--objstore.config={{type: FILESYSTEM, config: {{directory: {bucket[0]}}}}}"
        ended = subprocess.run(
            [*storegate_command, "store", store, f"--http.config={file}", f"--data-dir={tmp_path / 'data'}"],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert ended.returncode == 1
        assert problem in ended.stderr
        assert "hunter2" not in ended.stderr


@pytest.fixture(scope="module")
def seen(storegate_command, tmp_path_factory, free_address):
    """All that a gateway shows whose bucket does not answer, by page; it was given secrets in every way."""
    folder = tmp_path_factory.mktemp("secrets")
    address, nobody = free_address(), free_address()
    store = f"bucket: b, endpoint: {nobody}, insecure: true, access_key: ann, secret_key: hunter2-key"
    flags = [
        f"--objstore.config={{type: S3, config: {{{store}}}}}",
        f"--index-cache.config={{type: REDIS, config: {{addr: '{nobody}', password: hunter2-password}}}}",
        "--web.external-prefix=https://ann:hunter2-url@acme.example/x",
        "--log.level=debug",
    ]
    pages = (
        "/",
        "/metrics",
        "/api/v1/blocks?view=loaded",
        "/api/v1/status/flags",
        "/api/v1/status/config",
        "/api/v1/status/runtimeinfo",
        "/debug/pprof/goroutine?debug=2",
        "/debug/pprof/heap?debug=1",
        "/debug/pprof/cmdline",
    )
    with launched(storegate_command, folder, *flags, address=address) as (process, log):
        client = Client(address)
        wait_answer(process, log, client, "/-/healthy")
        found = {page: client.ask(page)[1] for page in pages}
        process.terminate()
        process.wait(WAIT)
        found["the log"] = log.read_text()
    return found


def test_pages_were_seen(seen):
    assert "<REDACTED>" in seen["/api/v1/status/flags"]
    assert "secret_key: <REDACTED>" in seen["/api/v1/status/config"].replace("\\n", "\n")
    assert "addr" in seen["/api/v1/status/config"]


@pytest.mark.parametrize("secret", ["hunter2-key", "hunter2-password", "hunter2-url"])
def test_no_secret_is_shown_anywhere(seen, secret):
    assert [page for page, text in seen.items() if secret in text] == []
