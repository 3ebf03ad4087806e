"""Rules of request logging (operations 14)."""

from __future__ import annotations

from typing import Any

import pytest

from storegate.config.request_logging import RequestLogging
from storegate.config.validation import check
from storegate.config.yaml_file import parse_yaml
from storegate.errors import ConfigurationError

END = {"log_start": False, "log_end": True}
BOTH = {"log_start": True, "log_end": True}


def logging(**document: Any) -> RequestLogging:
    return check(RequestLogging, document, source="--request.logging-config")


def test_nothing_is_logged_without_a_configuration() -> None:
    rules = RequestLogging()
    assert not rules.for_grpc().covers("/thanos.Store/Series")
    assert not rules.for_http().covers(("/api/v1/blocks", 10902))


def test_the_example_of_the_reference_is_understood() -> None:
    text = """
options: {level: INFO, decision: {log_start: false, log_end: true}}
http:
  options: {level: DEBUG, decision: {log_start: true, log_end: true}}
  config: [{path: /api/v1/blocks, port: 10902}]
grpc:
  options: {level: ERROR, decision: {log_start: false, log_end: true}}
  config: [{service: thanos.Store, method: Series}]
"""
    rules = check(RequestLogging, parse_yaml(text, source="here"))
    http, grpc = rules.for_http(), rules.for_grpc()
    assert (http.level, http.start, http.covers(("/api/v1/blocks", 10902))) == ("debug", True, True)
    assert not http.covers(("/api/v1/blocks", 80))
    assert (grpc.level, grpc.start, grpc.covers("/thanos.Store/Series")) == ("error", False, True)
    assert not grpc.covers("/thanos.Store/LabelNames")


def test_options_for_both_protocols_hold_where_a_protocol_has_none() -> None:
    rules = logging(options={"level": "debug", "decision": END}, grpc={"options": None})
    assert rules.for_grpc().covers("/thanos.Store/Series")
    assert rules.for_http().keeps("debug")


def test_own_options_replace_those_for_both_as_a_whole() -> None:
    rules = logging(options={"level": "DEBUG", "decision": BOTH}, http={"options": {"level": "ERROR"}})
    assert not rules.for_http().covers(("/", 1))


def test_lines_below_the_level_are_not_kept() -> None:
    grpc = logging(options={"level": "WARNING", "decision": END}).for_grpc()
    assert [grpc.keeps(level) for level in ("debug", "info", "warning", "error")] == [False, False, True, True]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"options": {"level": "INFO", "decision": {"log_start": True}}}, "log_start without log_end"),
        ({"options": {"decision": END}}, "a decision needs a level"),
        ({"options": {"level": "LOUD"}}, "options.level: must be DEBUG, INFO, WARNING or ERROR"),
        ({"grcp": {}}, "grcp: unknown key, did you mean 'grpc'?"),
    ],
)
def test_mistakes_are_named(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--request\.logging-config: ") as caught:
        logging(**document)
    assert said in str(caught.value)
