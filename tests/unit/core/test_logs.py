from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from storegate import logs
from storegate.errors import ConfigurationError
from storegate.journald import JournalWriter, entry


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(captured: pytest.CaptureFixture[str]) -> list[str]:
    return captured.readouterr().err.splitlines()


def test_logfmt_keys_come_in_the_known_order(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger().error("cannot load", block="01H", err=ValueError("a b"), component="sync")
    (line,) = lines(capsys)
    assert re.fullmatch(
        r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z caller=test_logs\.py:\d+ level=error component=sync "
        r'msg="cannot load" err="a b" block=01H',
        line,
    )


def test_json_lines_are_objects_with_sorted_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(format="json")
    structlog.get_logger().info("grüße", n=3, ok=True, err=ValueError("x"))
    (line,) = lines(capsys)
    event = json.loads(line)
    assert list(event) == sorted(event)
    assert (event["msg"], event["n"], event["ok"], event["err"], event["level"]) == ("grüße", 3, True, "x", "info")


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("error", ["error"]),
        ("warn", ["error", "warn"]),
        ("info", ["error", "warn", "info"]),
        ("debug", ["error", "warn", "info", "debug"]),
    ],
)
def test_the_level_decides_what_is_logged(capsys: pytest.CaptureFixture[str], level: str, seen: list[str]) -> None:
    logs.configure(level=level, format="json")
    log = structlog.get_logger()
    log.error("m")
    log.warning("m")
    log.info("m")
    log.debug("m")
    assert [json.loads(line)["level"] for line in lines(capsys)] == seen


def test_lines_of_libraries_take_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(format="json")
    logging.getLogger("some.library").warning("port %d", 7)
    event = json.loads(lines(capsys)[0])
    assert (event["msg"], event["component"], event["level"]) == ("port 7", "some.library", "warn")
    assert event["caller"].startswith("test_logs.py:")


def test_an_exception_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    assert len(lines(capsys)) == 1


def test_the_debug_name_is_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(name="replica-0")
    structlog.get_logger().info("m")
    assert " name=replica-0 " in lines(capsys)[0]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
    ],
)
def test_time_stamps_have_nanoseconds(nanoseconds: int, text: str) -> None:
    assert logs.timestamp(nanoseconds) == text


class TestJournal:
    def test_a_machine_without_a_journal_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "JournalWriter", lambda: JournalWriter("/nowhere/socket"))
        with pytest.raises(
            ConfigurationError, match=r"^log\.format journald: this machine has no journal: No such file"
        ):
            logs.configure(format="journald")

    def test_an_entry_has_message_priority_and_prefixed_keys(self) -> None:
        assert entry({"msg": "hello", "level": "warn", "block.id": "01H", "n": 3}) == (
            b"MESSAGE=hello\nPRIORITY=4\nSYSLOG_IDENTIFIER=storegate\nTHANOS_LEVEL=warn\nTHANOS_BLOCK_ID=01H\nTHANOS_N=3\n"
        )

    def test_a_value_of_several_lines_is_sent_with_its_length(self) -> None:
        assert b"MESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\n" in entry({"msg": "a\nb", "level": "info"})

    @pytest.mark.parametrize(("event", "message"), [({"err": "x"}, b"x"), ({}, b"(no message)")])
    def test_the_message_is_never_empty(self, event: dict[str, object], message: bytes) -> None:
        assert entry(event).startswith(b"MESSAGE=" + message + b"\n")

    def test_lines_arrive_as_datagrams(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind(str(tmp_path / "socket"))
            writer = JournalWriter(str(tmp_path / "socket"))
            writer.write('{"msg": "one", "level": "info"}\n')
            writer.close()
            journal.settimeout(5)
            assert journal.recv(4096).startswith(b"MESSAGE=one\nPRIORITY=6\n")
