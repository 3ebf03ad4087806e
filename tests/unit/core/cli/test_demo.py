"""What the demo prints and how it sets its gateway up."""

from __future__ import annotations

import socket
from pathlib import Path

from storegate.cli.demo import _address, _suggestions, demo_settings, python_example, table


def test_a_table_has_columns_as_wide_as_needed_and_numbers_to_the_right() -> None:
    assert table(("name", "n"), [("a", "1"), ("longer", "100")]).splitlines() == [
        "name      n",
        "a         1",
        "longer  100",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(("name", "n"), []) == "name  n"


def test_the_gateway_of_the_demo_listens_on_loopback_only(tmp_path: Path) -> None:
    settings = demo_settings(tmp_path, tmp_path / "data", "127.0.0.1:1", "127.0.0.1:2")
    assert [frontend.config.get("address") for frontend in settings.frontends] == ["127.0.0.1:1", "127.0.0.1:2", None]
    assert settings.object_store.config == {"directory": str(tmp_path)}
    assert settings.data_dir == tmp_path / "data"


def test_a_port_that_is_taken_is_replaced_by_any() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert _address(port) == "127.0.0.1:0"
    assert _address(port) == f"127.0.0.1:{port}"


def test_suggestions_name_the_addresses() -> None:
    text = _suggestions("127.0.0.1:7", "127.0.0.1:8")
    assert python_example("127.0.0.1:7") in text
    assert "curl http://127.0.0.1:8/-/ready" in text
    assert "--endpoint=127.0.0.1:7" in text
