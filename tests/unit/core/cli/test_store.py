"""Everything that keeps `storegate store` from starting: one error line that names the thing, and exit code 1."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from storegate.cli import root


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Runs a start that must fail; the log lines."""

    def run(*flags: str, store: str = "") -> list[dict[str, Any]]:
        store = store or f"{{type: FILESYSTEM, config: {{directory: {tmp_path}}}}}"
        given = {flag.partition("=")[0] for flag in flags}
        defaults = [f"--data-dir={tmp_path / 'data'}", "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"]
        kept = [flag for flag in defaults if flag.partition("=")[0] not in given]
        code = root.run(["store", "--log.format=json", f"--objstore.config={store}", *kept, *flags])
        captured = capsys.readouterr()
        assert (code, captured.out) == (1, "")
        return [json.loads(line) for line in captured.err.splitlines()]

    return run


Start = Callable[..., list[dict[str, Any]]]


def reason(events: list[dict[str, Any]]) -> str:
    (error,) = [event for event in events if event["level"] == "error"]
    assert event_is_last(events, error)
    return str(error["err"])


def event_is_last(events: list[dict[str, Any]], event: dict[str, Any]) -> bool:
    return events[-1] is event


def test_a_missing_bucket_folder_is_named(start: Start) -> None:
    said = reason(start(store="{type: FILESYSTEM, config: {directory: /no/such/folder}}"))
    assert "/no/such/folder" in said
    assert "create it" in said


def test_an_unknown_key_of_a_plugin_is_named_with_its_path(start: Start) -> None:
    said = reason(start(store="{type: FILESYSTEM, config: {direktory: /tmp}}"))
    assert "object_store.config.direktory: unknown key, did you mean 'directory'?" in said


def test_an_unknown_type_lists_what_there_is(start: Start) -> None:
    said = reason(start(store="{type: FILESYSTM, config: {directory: /tmp}}"))
    assert said.startswith("object_store.type: no object store 'FILESYSTM', did you mean 'FILESYSTEM'? (available: ")


def test_a_relabel_action_that_cannot_choose_blocks_is_named(start: Start) -> None:
    said = reason(start("--selector.relabel-config=[{action: replace}]"))
    assert said == "meta_filters[1].config.rules[0].action: input should be 'keep', 'drop' or 'hashmod'"


def test_half_a_certificate_is_refused(start: Start) -> None:
    assert "tls_cert is set and tls_key is not" in reason(start("--grpc-server-tls-cert=/x.pem"))


def test_a_listen_address_that_is_none_is_named(start: Start) -> None:
    assert "--http-address" in reason(start("--http-address=nowhere"))


@pytest.mark.parametrize("folder", ["/proc/storegate", "/dev/null"])
def test_a_data_directory_that_cannot_be_written_is_named(start: Start, folder: str) -> None:
    said = reason(start(f"--data-dir={folder}"))
    assert said.startswith(f"data_dir (--data-dir): cannot write to {folder}: ")


def test_a_needed_plugin_that_is_disabled_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREGATE_PLUGINS_DISABLE", "filesystem")
    assert "plugin filesystem of storegate" in reason(start())


def test_a_needed_plugin_that_is_broken_is_named(start: Start, install: Callable[..., None]) -> None:
    install("import_error")
    said = reason(start(store="{type: LOST}"))
    assert "plugin lost of storegate-lost 2.0, which could not load" in said
    assert "no_such_package" in said


def test_a_misspelt_hook_is_named_where_its_plugin_is_needed(start: Start, install: Callable[..., None]) -> None:
    install("misspelt")
    said = reason(start("--index-cache.config={type: misspelt}"))
    assert "storegate_cachs is no hook of storegate, did you mean 'storegate_caches'?" in said


def test_a_conflict_names_both_distributions(start: Start, install: Callable[..., None]) -> None:
    install("good", "conflict")
    said = reason(start(store="{type: ACME}"))
    assert "is provided by storegate-acme 1.2 and storegate-rival 3.1: write 'ACME@storegate-acme' or" in said


def test_broken_plugins_that_nobody_needs_are_only_warned_about(start: Start, install: Callable[..., None]) -> None:
    install("import_error", "hook_raises", "misspelt")
    events = start("--http-address=nowhere.invalid:http")
    assert {event["plugin"] for event in events if event["level"] == "warn"} == {
        "storegate-lost 2.0",
        "storegate-raises 1.0",
        "storegate-misspelt 1.0",
    }
    assert "--http-address" in reason(events)
