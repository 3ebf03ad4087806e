"""What a reload takes over, and what needs a restart."""

from __future__ import annotations

from typing import Any

from storegate.config.changes import RELOADABLE, compare, taken_over
from storegate.config.settings import Settings


def settings(**more: Any) -> Settings:
    store = {"type": "S3", "config": {"bucket": "b", "secret_key": "s3cret"}}
    return Settings.model_validate({"object_store": store, **more})


def test_equal_settings_have_no_changes() -> None:
    changes = compare(settings(), settings())
    assert (changes.applied, changes.restart) == ({}, ())


def test_limits_queries_and_logs_are_taken_over() -> None:
    new = settings(limits={"series": 5}, query={"series_batch": 7}, log={"level": "debug"})
    changes = compare(settings(), new)
    assert changes.applied == {
        "limits.series": (0, 5),
        "query.series_batch": (10_000, 7),
        "log.level": ("info", "debug"),
    }
    assert changes.restart == ()
    taken = taken_over(settings(), new)
    assert (taken.limits.series, taken.query.series_batch, taken.log.level) == (5, 7, "debug")


def test_all_else_needs_a_restart_and_is_named_without_its_value() -> None:
    new = settings(
        object_store={"type": "S3", "config": {"bucket": "b", "secret_key": "0ther"}},
        limits={"concurrency": 3},
        frontends=[{"type": "grpc"}],
        caching_bucket={"type": "IN-MEMORY"},
    )
    changes = compare(settings(), new)
    assert changes.applied == {}
    assert {"object_store.config.secret_key", "limits.concurrency", "frontends[1].type", "caching_bucket.type"} <= set(
        changes.restart
    )
    assert "0ther" not in str(changes)
    assert taken_over(settings(), new) == settings()


def test_what_can_be_reloaded_exists() -> None:
    for section, keys in RELOADABLE.items():
        assert keys <= set(type(getattr(settings(), section)).model_fields)
