from __future__ import annotations

from pathlib import Path

import pytest

from storegate.config.yaml_file import parse_yaml, read_yaml
from storegate.errors import ConfigurationError


def test_times_stay_text() -> None:
    assert parse_yaml("min: 0000-01-01T00:00:00Z\nday: 2026-01-31", source="x") == {
        "min": "0000-01-01T00:00:00Z",
        "day": "2026-01-31",
    }


def test_only_the_first_document_is_read() -> None:
    assert parse_yaml("a: 1\n---\nb: 2\n", source="x") == {"a": 1}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_is_none(text: str) -> None:
    assert parse_yaml(text, source="x") is None


def test_a_key_given_twice_is_an_error_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"^x: not valid YAML in line 3, column 3: key 'b' is given twice$"):
        parse_yaml("a:\n  b: 1\n  b: 2\n", source="x")


def test_merge_keys_still_work() -> None:
    text = "base: &b {x: 1}\nother: {<<: *b, y: 2}"
    assert parse_yaml(text, source="x")["other"] == {"x": 1, "y": 2}


def test_a_syntax_error_names_source_and_place_and_does_not_quote_the_text() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml("secret_key: [hunter2", source="--objstore.config")
    assert str(caught.value).startswith("--objstore.config: not valid YAML in line 1")
    assert "hunter2" not in str(caught.value)


def test_python_objects_are_not_built() -> None:
    with pytest.raises(ConfigurationError, match="not valid YAML"):
        parse_yaml("a: !!python/object/apply:os.getcwd []", source="x")


def test_variables_are_expanded_before_parsing() -> None:
    assert parse_yaml("a: $(A)", source="x", environ={"A": "[1, 2]"}) == {"a": [1, 2]}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--config: cannot read .*none\.yml: No such file or directory$"):
        read_yaml(tmp_path / "none.yml", source="--config")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"x\.yml is not UTF-8 text$"):
        read_yaml(tmp_path / "x.yml", source="--config")
