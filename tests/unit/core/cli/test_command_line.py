from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from storegate.cli import flag_options, root, signals, store
from storegate.config.flag_table import FLAGS, PAIRS

STORE = "--objstore.config={type: FILESYSTEM, config: {directory: /blocks}}"


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def parse(*arguments: str) -> dict[str, Any]:
    """The flags that `storegate store` takes from a command line."""
    with store.store.make_context("store", list(arguments)) as context:
        return flag_options.given_flags(context.params)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = root.run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


class TestSyntax:
    def test_a_value_follows_an_equals_sign_or_a_space(self) -> None:
        assert parse("--data-dir=a", "--http-address", "b") == {"data-dir": "a", "http-address": "b"}

    def test_booleans_are_set_and_unset(self) -> None:
        assert parse("--web.disable", "--no-cache-index-header") == {"web.disable": True, "cache-index-header": False}

    def test_a_value_may_begin_with_a_dash(self) -> None:
        assert parse("--min-time", "-6w", "--max-time=-2h") == {"min-time": "-6w", "max-time": "-2h"}

    def test_values_are_parsed_by_kind(self) -> None:
        assert parse(
            "--sync-block-duration=1.5h",
            "--http-grace-period=1d",
            "--chunk-pool-size=1GB",
            "--store.index-header-lazy-download-strategy=eager",
            "--block-sync-concurrency=3",
        ) == {
            "sync-block-duration": 5400.0,
            "http-grace-period": 86400.0,
            "chunk-pool-size": 1 << 30,
            "store.index-header-lazy-download-strategy": False,
            "block-sync-concurrency": 3,
        }

    def test_what_is_not_given_is_not_there(self) -> None:
        assert parse() == {}

    def test_repeatable_flags_collect(self) -> None:
        assert parse("--grpc-server-tls-ciphers=A", "--grpc-server-tls-ciphers=B") == {
            "grpc-server-tls-ciphers": ["A", "B"]
        }

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("--store.limits.request-series=1", "--store.grpc.touched-series-limit=2"),
            ("--store.grpc.touched-series-limit=1", "--store.limits.request-series=2"),
        ],
    )
    def test_of_a_flag_and_its_deprecated_name_the_last_wins(self, first: str, second: str) -> None:
        assert parse(first, second) == {"store.limits.request-series": 2}

    @pytest.mark.parametrize("flag", [flag.name for flag in FLAGS if flag.kind != "bool"])
    def test_every_flag_with_a_value_is_known(self, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "store", f"--{flag}")
        assert (code, "requires an argument" in err) == (2, True)

    @pytest.mark.parametrize("name", [name for pair in PAIRS for name in (pair.name, f"{pair.name}-file")])
    def test_every_pair_is_known(self, name: str) -> None:
        assert parse(f"--{name}=x") == {name: "x"}


class TestUsageErrors:
    @pytest.mark.parametrize(
        ("argument", "said"),
        [
            ("--min-time=soon", "'--min-time': 'soon' is neither a time"),
            ("--sync-block-duration=5", "'--sync-block-duration': '5' is not a duration"),
            ("--sync-block-duration=0s", "'--sync-block-duration': '0s' must be above 0"),
            ("--consistency-delay=1.5h", "'--consistency-delay': '1.5h' is not a duration"),
            ("--chunk-pool-size=1mb", "'--chunk-pool-size': '1mb' is not a byte size"),
            ("--log.level=trace", "'trace' is not one of error, warn, info, debug"),
            ("extra", "extra"),
        ],
    )
    def test_each_is_one_line_and_exit_code_2(
        self, capsys: pytest.CaptureFixture[str], argument: str, said: str
    ) -> None:
        code, out, err = run(capsys, "store", STORE, argument)
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1
        assert said in err
        assert "storegate store --help" in err

    @pytest.mark.parametrize(
        ("argument", "said"),
        [
            ("--no-such-flag", "No such option '--no-such-flag'"),
            ("--sync-block-duratio=3m", "'--sync-block-duration'"),
            ("--block-sync-concurrency=0", "--block-sync-concurrency: '0' is below 1"),
            ("--store.grpc.series-max-concurrency=-1", "'-1' is below 0"),
            ("--auto-gomemlimit.ratio=1.1", "'1.1' must be above 0 and at most 1"),
            ("--block-discovery-strategy=fast", "'fast' is not one of recursive, concurrent"),
        ],
    )
    def test_where_the_reference_ends_with_1_so_does_this(
        self, capsys: pytest.CaptureFixture[str], argument: str, said: str
    ) -> None:
        code, out, err = run(capsys, "store", STORE, argument)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert said in err

    def test_a_flag_cannot_be_repeated(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "store", "--data-dir=a", "--data-dir=b")
        assert (code, "--data-dir cannot be repeated" in err) == (2, True)

    def test_an_unknown_command_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(capsys, "stor")
        assert (code, "'stor'" in err, err.count("\n")) == (2, True, 1)


class TestConfigurationErrors:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "an object store is required"),
            (("--config=/none.yml",), "--config: cannot read /none.yml"),
            (("--objstore.config={type: S3, confg: 1}",), "--objstore.config: confg: unknown key"),
            ((STORE, "--min-time=-1h", "--max-time=-2h"), "min_time -1h is after max_time -2h"),
        ],
    )
    def test_each_is_one_log_line_and_exit_code_1(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
    ) -> None:
        code, out, err = run(capsys, "store", "--log.format=json", *arguments)
        assert (code, out) == (1, "")
        event = json.loads(err)
        assert (event["level"], said in event["err"]) == ("error", True)


class TestHelp:
    def test_help_names_every_visible_flag(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "store", "--help")
        assert code == 0
        for name in [flag.name for flag in FLAGS if not flag.hidden]:
            assert f"--{name}" in out

    @pytest.mark.parametrize("spelling", ["-h", "--help", "--help-long", "--help-man"])
    def test_help_has_several_spellings(self, capsys: pytest.CaptureFixture[str], spelling: str) -> None:
        code, out, _ = run(capsys, "store", spelling)
        assert (code, out.startswith("Usage: storegate store")) == (0, True)

    def test_help_of_the_command_imports_no_engine(self) -> None:
        """A person waits for it: neither grpc nor numpy nor pydantic may be loaded."""
        program = (
            "import sys; from storegate.cli.root import run; code = run(['--help'])\n"
            "assert not {'grpc', 'numpy', 'pydantic', 're2'} & set(sys.modules)\n"
            "sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("arguments", [["--version"], ["version"], ["store", "--version"]])
    def test_the_version_is_shown(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        code, out, _ = run(capsys, *arguments)
        assert (code, out.startswith("storegate, version ")) == (0, True)


class TestConfigCheck:
    def test_a_good_file_is_ok(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "storegate.yml"
        path.write_text(f"object_store: {{type: filesystem, config: {{directory: {tmp_path}}}}}")
        assert run(capsys, "config", "check", str(path)) == (0, f"{path}: ok\n", "")

    def test_plugin_settings_are_checked_too(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "storegate.yml"
        path.write_text(
            "object_store: {type: filesystem, config: {direktory: x}}\nfrontends: [{type: grpc}, {type: htp}]"
        )
        code, _, err = run(capsys, "config", "check", str(path))
        assert (code, err.count("\n")) == (1, 1)
        assert "object_store.config.direktory: unknown key, did you mean 'directory'?" in err
        assert "frontends[1].type: no frontend 'htp', did you mean 'http'?" in err


class TestSignals:
    def test_the_first_signal_sets_the_event(self) -> None:
        with signals.StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.stopped.wait(5)

    def test_handlers_are_given_back(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with signals.StopSignals():
            assert signal.getsignal(signal.SIGTERM) != before
        assert signal.getsignal(signal.SIGTERM) == before

    def test_a_hangup_changes_nothing(self) -> None:
        with signals.StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.stopped.is_set()  # leaving the context has waited until all signals were looked at

    def test_the_second_signal_ends_the_process_at_once(self) -> None:
        program = (
            "import os, signal, threading; from storegate.cli.signals import StopSignals\n"
            "with StopSignals():\n"
            "    os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM)\n"
            "    threading.Event().wait(30); print('still here')"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, "still here" in done.stdout) == (128 + signal.SIGTERM, False)
