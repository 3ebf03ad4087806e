"""The flags page: every flag as text, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storegate.config.flag_kinds import PARSERS
from storegate.config.flag_table import FLAGS, PAIRS, PROCESS
from storegate.config.flag_texts import REDACTED, byte_size, flag_texts, go_duration, prometheus_duration
from storegate.config.flags import configure

STORE = "{type: FILESYSTEM, config: {directory: /hunter2}}"


def texts(**given: Any) -> dict[str, str]:
    flags = {"objstore.config": STORE} | {name.replace("__", ".").replace("_", "-"): v for name, v in given.items()}
    return flag_texts(configure(flags, {}).settings, flags)


def test_all_flags_are_there_but_the_process_wide_ones() -> None:
    expected = {name for flag in FLAGS if flag.section != PROCESS for name in (flag.name, *flag.aliases)}
    for pair in PAIRS:
        if pair.section != PROCESS:
            expected |= {pair.name, f"{pair.name}-file"}
    assert set(texts()) == expected
    assert "log.level" not in expected
    assert "debug.series-batch-size" in expected


def test_defaults_are_written_as_go_writes_them() -> None:
    found = texts()
    assert found["http-grace-period"] == "2m"
    assert found["grpc-grace-period"] == "2m0s"
    assert found["grpc-server-max-connection-age"] == "1h0m0s"
    assert found["index-cache-size"] == "250MiB"
    assert found["chunk-pool-size"] == "2GiB"
    assert found["store.grpc.downloaded-bytes-limit"] == "0B"
    assert found["store.posting-group-max-key-series-ratio"] == "100"
    assert found["cache-index-header"] == "true"
    assert found["http.config"] == ""


def test_given_flags_are_shown() -> None:
    found = texts(disable_admin_operations=True, store__index_header_lazy_download_strategy=True, min_time="-6w")
    assert found["disable-admin-operations"] == "true"
    assert found["store.index-header-lazy-download-strategy"] == "lazy"
    assert found["min-time"] == "-6w"


def test_a_deprecated_name_shows_the_value_of_the_new_one() -> None:
    assert texts(store__limits__request_series=7)["store.grpc.touched-series-limit"] == "7"


def test_a_repeated_flag_is_joined() -> None:
    assert texts(grpc_server_tls_ciphers=["A", "B"])["grpc-server-tls-ciphers"] == "A,B"


def test_settings_of_a_file_are_in_force(tmp_path: Path) -> None:
    file = tmp_path / "storegate.yml"
    file.write_text(
        "object_store: {type: FILESYSTEM, config: {directory: /x}}\nweb: {disable_admin_operations: true}\n"
        "frontends: [{type: HTTP, config: {address: ':1', grace_period: 3m}}]\nsync: {interval: 90}\n"
    )
    flags = {"config": str(file)}
    found = flag_texts(configure(flags, {}).settings, flags)
    assert found["disable-admin-operations"] == "true"
    assert found["http-address"] == ":1"
    assert found["http-grace-period"] == "3m"
    assert found["sync-block-duration"] == "1m30s"


def test_the_object_store_is_hidden_whole(tmp_path: Path) -> None:
    found = texts()
    assert (found["objstore.config"], found["objstore.config-file"]) == (REDACTED, REDACTED)


def test_credentials_in_urls_are_hidden() -> None:
    found = texts(web__external_prefix="https://ann:hunter2@acme.example/x")
    assert found["web.external-prefix"] == f"https://{REDACTED}@acme.example/x"


@pytest.mark.parametrize("pair", [pair.name for pair in PAIRS if pair.section != PROCESS])
def test_no_yaml_text_is_shown(pair: str) -> None:
    secret = "hunter2"
    settings = configure({"objstore.config": STORE}, {}).settings
    found = flag_texts(settings, {"objstore.config": STORE, pair: f"{{password: {secret}}}"})
    assert secret not in str(found)
    assert found[pair] == REDACTED


def test_the_file_of_another_pair_is_named() -> None:
    settings = configure({"objstore.config": STORE}, {}).settings
    assert flag_texts(settings, {"index-cache.config-file": "/c.yml"})["index-cache.config-file"] == "/c.yml"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (60, "1m0s"), (3600, "1h0m0s"), (100, "1m40s"), (90000, "25h0m0s")],
)
def test_a_go_duration_is_read_back(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
    assert PARSERS["go-duration"](text) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (120, "2m"), (129600, "1d12h"), (0.001, "1ms")])
def test_a_prometheus_duration_is_read_back(seconds: float, text: str) -> None:
    assert prometheus_duration(seconds) == text
    assert PARSERS["prom-duration"](text) == seconds


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (1536 << 20, "1GiB512MiB"), (1000, "1000B"), (1 << 60, "1EiB")])
def test_sizes_are_in_units_of_1024(size: int, text: str) -> None:
    assert byte_size(size) == text
