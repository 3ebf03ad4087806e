"""Users and passwords: right, wrong, missing, changed; and that checking them holds nobody up."""

from __future__ import annotations

import asyncio
import base64
import threading
import time

import bcrypt
import pytest

from storegate_http.auth import CHECKS_AT_ONCE, CHECKS_WAITING, Credentials, PasswordChecker, TooBusyError, parse_basic

from .conftest import WAIT

PASSWORDS = {"ann": b"secret", "bob": "pä:ss wörd".encode(), "long": b"x" * 100}
HASHES = {user: bcrypt.hashpw(password[:72], bcrypt.gensalt(4)) for user, password in PASSWORDS.items()}


def basic(user, password):
    value = base64.b64encode(user.encode() + b":" + password).decode()
    return {"Authorization": f"Basic {value}"}


def write(file, users, rest=""):
    lines = [f"  {user}: {hashed.decode()}" for user, hashed in users.items()]
    new = file.with_suffix(".new")
    new.write_text("\n".join(["basic_auth_users:", *lines, rest]))
    new.replace(file)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    found = tmp_path_factory.mktemp("web") / "web.yml"
    write(found, HASHES)
    return found


@pytest.fixture(scope="module")
def guarded(serve, file):
    served = serve(config_file=file)

    async def mounted(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"mounted"})

    served.front_end.mount("/mounted", mounted)
    return served


class TestRequests:
    @pytest.mark.parametrize("user", sorted(PASSWORDS))
    def test_the_right_password_lets_in(self, guarded, user):
        for _ in range(2):  # the second time it is remembered
            assert guarded.ask("/-/healthy", headers=basic(user, PASSWORDS[user]))[0] == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            basic("ann", b"wrong"),
            basic("ann", b""),
            basic("ann", PASSWORDS["bob"]),
            basic("Ann", b"secret"),
            basic("nobody", b"secret"),
            basic("", b""),
            basic("ann", b"secret\x00"),
            {"Authorization": "Basic"},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic " + base64.b64encode(b"ann").decode()},
            {"Authorization": "Bearer secret"},
            {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        ],
    )
    def test_anything_else_does_not(self, guarded, headers):
        status, body, answer = guarded.ask("/-/healthy", headers=headers)
        assert (status, body) == (401, b"Unauthorized")
        assert answer["WWW-Authenticate"] == "Basic"

    @pytest.mark.parametrize(
        "path",
        ["/", "/metrics", "/-/ready", "/api/v1/blocks", "/debug/pprof/goroutine?debug=2", "/mounted", "/nothing"],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_every_path_wants_one(self, guarded, path, method):
        assert guarded.ask(path, method)[0] == 401

    def test_a_mounted_application_is_behind_it(self, guarded):
        assert guarded.ask("/mounted", headers=basic("ann", b"secret"))[1] == b"mounted"

    def test_nothing_of_it_is_logged(self, guarded):
        for word in ("secret", HASHES["ann"].decode(), "wrong"):
            assert word not in guarded.log.text()


class TestReload:
    @pytest.fixture
    def changing(self, serve, tmp_path):
        file = tmp_path / "web.yml"
        write(file, {"ann": HASHES["ann"]})
        return serve(config_file=file), file

    def test_a_new_user_is_let_in_and_one_who_is_gone_is_not(self, changing):
        served, file = changing
        assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 200
        write(file, {"bob": HASHES["bob"]})
        assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 401
        assert served.ask("/-/healthy", headers=basic("bob", PASSWORDS["bob"]))[0] == 200

    def test_a_changed_password_counts_at_once(self, changing):
        served, file = changing
        assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 200
        write(file, {"ann": bcrypt.hashpw(b"newer", bcrypt.gensalt(4))})
        assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 401
        assert served.ask("/-/healthy", headers=basic("ann", b"newer"))[0] == 200

    def test_a_broken_file_opens_no_door(self, changing):
        served, file = changing
        file.write_text("basic_auth_users: {}}")
        assert served.ask("/-/healthy")[0] == 401
        assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 200
        assert [line["level"] for line in served.log if "read again" in line["event"]] == ["error"]

    def test_a_lost_file_opens_no_door(self, changing):
        served, file = changing
        file.unlink()
        assert served.ask("/-/healthy")[0] == 401

    def test_headers_and_rate_limit_change_too(self, changing):
        served, file = changing
        rest = "http_server_config: {headers: {X-Frame-Options: deny}}\nrate_limit: {interval: 1h, burst: 1}"
        file.write_text(rest)
        status, _, headers = served.ask("/-/healthy")
        assert (status, headers["X-Frame-Options"]) == (200, "deny")
        status, _, headers = served.ask("/-/healthy")
        assert (status, headers["X-Frame-Options"]) == (429, "deny")
        file.write_text(rest + "\n# touched")  # the same rule keeps its bucket
        assert served.ask("/-/healthy")[0] == 429
        file.write_text("{}")
        assert [served.ask("/-/healthy")[0] for _ in range(3)] == [200, 200, 200]

    def test_tls_cannot_come_while_the_gateway_runs(self, changing):
        served, file = changing
        file.write_text("tls_server_config: {cert_file: a, key_file: b}")
        assert served.ask("/-/healthy")[0] == 401
        assert "start it again" in served.log.text()


class Verifier:
    """Stands for bcrypt; each check waits until the test lets it go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.checked: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.checked.append((password, hashed))
        assert self.go_on.wait(WAIT)
        return password == b"secret"


class TestChecker:
    @pytest.fixture
    def verify(self):
        return Verifier()

    @pytest.fixture
    def checker(self, verify):
        made = PasswordChecker(verify)
        yield made
        verify.go_on.set()
        made.close()

    def check(self, checker, *given):
        async def all_at_once():
            return await asyncio.gather(*(checker.accepts(Credentials(*pair), HASHES) for pair in given))

        return asyncio.run(all_at_once())

    def test_a_right_answer_is_remembered(self, checker, verify):
        verify.go_on.set()
        assert [self.check(checker, ("ann", b"secret")) for _ in range(3)] == [[True]] * 3
        assert len(verify.checked) == 1

    def test_a_wrong_answer_is_not(self, checker, verify):
        verify.go_on.set()
        assert [self.check(checker, ("ann", b"wrong")) for _ in range(3)] == [[False]] * 3
        assert len(verify.checked) == 3

    def test_an_unknown_user_costs_as_much_and_never_gets_in(self, checker, verify):
        verify.go_on.set()
        assert self.check(checker, ("nobody", b"secret")) == [False]
        (_, hashed) = verify.checked[0]
        assert hashed.startswith(b"$2b$04$")
        assert self.check(checker, ("nobody", b"secret")) == [False]
        assert len(verify.checked) == 2

    def test_equal_requests_share_one_computation(self, checker, verify):
        verify.go_on.set()
        assert self.check(checker, *[("ann", b"secret")] * 20) == [True] * 20
        assert len(verify.checked) == 1

    def test_too_many_at_once_are_turned_away(self, checker, verify):
        async def flood():
            room = CHECKS_AT_ONCE + CHECKS_WAITING
            waiting = [
                asyncio.ensure_future(checker.accepts(Credentials("ann", b"%d" % i), HASHES)) for i in range(room)
            ]
            await asyncio.sleep(0)
            with pytest.raises(TooBusyError):
                await checker.accepts(Credentials("ann", b"one more"), HASHES)
            verify.go_on.set()
            assert await asyncio.gather(*waiting) == [False] * room

        asyncio.run(flood())

    def test_the_dummy_hash_takes_as_long_as_a_real_one(self):
        """The same cost, computed by the library itself: not refused at sight."""

        def seconds(user):
            async def check():
                return await checker.accepts(Credentials(user, b"wrong"), users)

            began = time.process_time()
            assert asyncio.run(check()) is False
            return time.process_time() - began

        users = {"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(9))}
        checker = PasswordChecker()
        seconds("ann")  # imports the library
        known, unknown = seconds("ann"), seconds("nobody")
        checker.close()
        assert unknown > known / 3


def test_dear_hashes_do_not_hold_up_other_requests(serve, tmp_path):
    """One wrong password after the other, each worth a tenth of a second of a core or more: all the same."""
    file = tmp_path / "web.yml"
    write(file, {"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(11))})
    served = serve(config_file=file)
    assert served.ask("/-/healthy", headers=basic("ann", b"secret"))[0] == 200
    with_wrong = [threading.Thread(target=served.ask, args=("/", "GET", basic("ann", b"%d" % i))) for i in range(6)]
    for thread in with_wrong:
        thread.start()
    quickest = min(timed(lambda: served.ask("/-/healthy", headers=basic("ann", b"secret"))) for _ in range(5))
    for thread in with_wrong:
        thread.join()
    assert quickest < 0.1


def timed(action):
    began = time.monotonic()
    assert action()[0] == 200
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Basic YTpi", Credentials("a", b"b")),
        (b"basic   YTpi ", Credentials("a", b"b")),
        (b"BASIC YTpiOmM=", Credentials("a", b"b:c")),
        (b"Basic YTo=", Credentials("a", b"")),
        (b"Basic YQ==", None),
        (b"Basic YTpi YTpi", None),
        (b"Digest YTpi", None),
        (b"", None),
    ],
)
def test_a_header_is_read_strictly(header, expected):
    assert parse_basic(header) == expected
