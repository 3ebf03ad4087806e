from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from storegate.config.units import (
    ByteSize,
    Duration,
    TimeBound,
    expand_environment,
    parse_bytes,
    parse_duration,
    parse_go_duration,
    parse_prometheus_duration,
    parse_time,
    parse_time_bound,
    resolve_time,
)
from storegate.errors import ConfigurationError

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("1ns", 1e-9),
        ("2us", 2e-6),
        ("2\u00b5s", 2e-6),
        ("2\u03bcs", 2e-6),
        ("15ms", 0.015),
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("2d", 2 * DAY),
        ("1w2d", 9 * DAY),
        ("30m1h", 5400),
        ("+5s", 5),
        ("-1h", -3600),
    ],
)
def test_go_durations(text: str, seconds: float) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "5", "1y", "1M", "1 s", " 1s", "1s ", "s", ".s", "1h-5m", "1e3s", "3mm", "1.5.5s"]
)
def test_what_is_no_go_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_go_duration(text)


def test_a_duration_that_go_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="too long a duration"):
        parse_go_duration("2562048h")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("15ms", 0.015),
        ("30s", 30),
        ("5m", 300),
        ("1d12h", 1.5 * DAY),
        ("6w", 42 * DAY),
        ("1y", 365 * DAY),
        ("1y2w3d4h5m6s7ms", 365 * DAY + 17 * DAY + 4 * 3600 + 306.007),
    ],
)
def test_prometheus_durations(text: str, seconds: float) -> None:
    assert parse_prometheus_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("text", ["", "5", "1.5h", "-1h", "30m1h", "1us", "1ns", "1m1m", " 1s", "300y", "\u0661s"])
def test_what_is_no_prometheus_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_prometheus_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("1y", 365 * DAY), ("1.5h", 5400), ("1d12h", 1.5 * DAY)])
def test_configuration_files_take_either_syntax(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("0B", 0),
        ("512B", 512),
        ("1KB", 1024),
        ("1KiB", 1024),
        ("250MB", 262_144_000),
        ("2GiB", 2 << 30),
        ("1.5GB", 3 << 29),
        ("0.5KB", 512),
        (".5MB", 1 << 19),
        ("1TB", 1 << 40),
        ("1PB", 1 << 50),
        ("1EB", 1 << 60),
    ],
)
def test_byte_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "1", "250", "1 MB", "1mb", "1M", "1Mi", "-1MB", "MB", "1ZB", "1e3MB", "1BiB"])
def test_what_is_no_byte_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a byte size"):
        parse_bytes(text)


def test_a_byte_size_beyond_63_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_bytes("8EB")


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("0000-02-29T00:00:00Z", -62_162_121_600_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ("1970-01-01T00:00:00.1239Z", 123),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00-00:30", 1_800_000),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_times(text: str, millis: int) -> None:
    assert parse_time(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31 00:00:00Z",
        "now",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "bound"),
    [("-6w", (True, -42 * DAY * 1000)), ("1h", (True, 3_600_000)), ("1970-01-01T00:00:01Z", (False, 1000))],
)
def test_time_bounds_are_absolute_or_relative(text: str, bound: tuple[bool, int]) -> None:
    assert parse_time_bound(text) == bound


@pytest.mark.parametrize("text", ["", "-", "--1h", "-1.5h", "yesterday"])
def test_what_is_no_time_bound(text: str) -> None:
    with pytest.raises(ValueError, match="neither a time"):
        parse_time_bound(text)


def test_relative_bounds_move_with_the_clock() -> None:
    assert resolve_time("-1h", 10_000_000) == 6_400_000
    assert resolve_time("1970-01-01T00:00:01Z", 10_000_000) == 1000


class TestEnvironment:
    def test_names_in_parentheses_are_replaced(self) -> None:
        assert expand_environment("a $(X_1) b$(Y)", {"X_1": "1", "Y": "$(X_1)"}) == "a 1 b$(X_1)"

    @pytest.mark.parametrize("text", ["$X", "${X}", "$(a-b)", "$()", "$ (X)", "cost: 5$"])
    def test_everything_else_stays(self, text: str) -> None:
        assert expand_environment(text, {"X": "1"}) == text

    def test_an_unset_variable_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^bucket\.yml: \$\(SECRET\) is used but .* SECRET is not set$"):
            expand_environment("key: $(SECRET)", {}, source="bucket.yml")


class Model(BaseModel):
    duration: Duration = 0.0
    size: ByteSize = 0
    bound: TimeBound = "-1h"


class TestPydanticTypes:
    def test_text_is_parsed(self) -> None:
        model = Model.model_validate({"duration": "1m30s", "size": "1KiB", "bound": "-6w"})
        assert (model.duration, model.size, model.bound) == (90.0, 1024, "-6w")

    def test_numbers_are_seconds_and_bytes(self) -> None:
        model = Model.model_validate({"duration": 1.5, "size": 4096})
        assert (model.duration, model.size) == (1.5, 4096)

    @pytest.mark.parametrize(
        "bad",
        [
            {"duration": "5"},
            {"duration": -1},
            {"duration": True},
            {"duration": None},
            {"duration": float("nan")},
            {"size": "5"},
            {"size": 1.5},
            {"size": -1},
            {"size": []},
            {"bound": "soon"},
        ],
    )
    def test_anything_else_is_refused(self, bad: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Model.model_validate(bad)
