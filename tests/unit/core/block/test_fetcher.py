"""Fetching metas and marks."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from storegate import BlockMeta, DeniedError, FilterContext, StoregateError, UnavailableError
from storegate.block.chain import FilterError
from storegate.block.fetcher import FetchResult, MetaFetcher
from storegate.block.metrics import FetcherMetrics

STRATEGIES = ["recursive", "concurrent"]
Fetch = Callable[[], FetchResult]
Sample = Callable[..., float | None]


class Marked:
    """Drops every marked block."""

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        return {ulid: "marked-for-deletion" for ulid in metas if ulid in context.marks}


class Start:
    """Makes fetchers over one bucket and data directory, as restarts of a gateway do."""

    def __init__(self, bucket: Any, data_dir: Path) -> None:
        self._bucket = bucket
        self._data_dir = data_dir
        self.registry = CollectorRegistry()

    def __call__(self, strategy: str = "recursive", *, filters: Any = (), local: bool = True) -> MetaFetcher:
        self.registry = CollectorRegistry()
        return MetaFetcher(
            self._bucket.store,
            self._data_dir if local else None,
            filters or [("marked", Marked())],
            SimpleNamespace(strategy=strategy, meta_concurrency=4),
            FetcherMetrics(self.registry, states=["acme-cold"]),
        )

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"thanos_blocks_meta_{name}", labels)


@pytest.fixture
def start(bucket: Any, data_dir: Path) -> Start:
    return Start(bucket, data_dir)


def requests(bucket: Any, action: Callable[[], object]) -> list[tuple[str, str]]:
    """The requests that an action costs, without the block's name."""
    bucket.store.reset()
    action()
    return sorted((request.operation, request.key.rpartition("/")[2]) for request in bucket.store.requests())


# --- requests ---------------------------------------------------------------------------------------------------------


def test_the_first_recursive_fetch_reads_each_document_once(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    bucket.put_meta(2)
    bucket.put_mark(2)
    expected = [("get", "deletion-mark.json"), ("get", "meta.json"), ("get", "meta.json"), ("list", "")]
    assert requests(bucket, lambda: start().fetch(0)) == expected


def test_an_unchanged_bucket_costs_one_listing(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    bucket.put_mark(1)
    bucket.put(f"{bucket.ulid(2)}/meta.json", b"broken")
    fetcher = start()
    fetcher.fetch(0)
    assert requests(bucket, lambda: fetcher.fetch(0)) == [("list", "")]


def test_a_restart_reads_nothing_that_has_not_changed(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    bucket.put_mark(1)
    before = start().fetch(0)
    again = start()
    assert requests(bucket, lambda: again.fetch(0)) == [("list", "")]
    assert again.fetch(0) == before


def test_what_changed_is_read_again_and_counted(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)
    fetcher = start()
    fetcher.fetch(0)
    bucket.put_meta(1, maxTime=999)
    assert requests(bucket, lambda: fetcher.fetch(0)) == [("get", "meta.json"), ("list", "")]
    assert fetcher.fetch(0).metas[ulid].max_time == 999
    assert start.sample("base_cache_busts_total") == 1


def test_what_changed_during_a_stop_is_read_again(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)
    start().fetch(0)
    bucket.put_meta(1, maxTime=999)
    assert start().fetch(0).metas[ulid].max_time == 999


def test_a_concurrent_fetch_reads_without_looking_first(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    expected = [("get", "deletion-mark.json"), ("get", "meta.json"), ("list", "")]
    assert requests(bucket, lambda: start("concurrent").fetch(0)) == expected


def test_a_concurrent_fetch_looks_whether_known_metas_are_still_there(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    expected = [("get", "deletion-mark.json"), ("head", "meta.json"), ("list", "")]
    fetcher = start("concurrent")
    fetcher.fetch(0)
    assert requests(bucket, lambda: fetcher.fetch(0)) == expected
    assert requests(bucket, lambda: start("concurrent").fetch(0)) == expected


def test_a_concurrent_fetch_notices_a_rewritten_meta(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)
    fetcher = start("concurrent")
    fetcher.fetch(0)
    fetcher.fetch(0)  # learns the time of the object
    bucket.put_meta(1, maxTime=999)
    assert fetcher.fetch(0).metas[ulid].max_time == 999


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_a_data_directory_nothing_is_written(bucket: Any, start: Start, data_dir: Path, strategy: str) -> None:
    bucket.put_meta(1)
    fetcher = start(strategy, local=False)
    assert set(fetcher.fetch(0).metas) == set(fetcher.fetch(0).metas) == {bucket.ulid(1)}
    assert not data_dir.exists()


# --- local copies -----------------------------------------------------------------------------------------------------


def test_an_unreadable_local_copy_is_dropped_and_read_anew(bucket: Any, start: Start, data_dir: Path) -> None:
    ulid = bucket.put_meta(1)
    start().fetch(0)
    path = data_dir / "meta-syncer" / ulid / "meta.json"
    stat = path.stat()
    path.write_bytes(b"x" * stat.st_size)
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    fetcher = start()
    assert ("get", "meta.json") in requests(bucket, lambda: fetcher.fetch(0))
    assert set(fetcher.fetch(0).metas) == {ulid}
    assert path.read_bytes().startswith(b"{")


def test_copies_of_vanished_blocks_and_marks_are_removed(bucket: Any, start: Start, data_dir: Path) -> None:
    for number in (1, 2):
        bucket.put_meta(number)
        bucket.put_mark(number)
    fetcher = start()
    fetcher.fetch(0)
    bucket.delete(bucket.ulid(1))
    bucket.delete(bucket.ulid(2), "deletion-mark.json")
    fetcher.fetch(0)
    copies = sorted(str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file())
    assert copies == [f"meta-syncer/{bucket.ulid(2)}/meta.json"]


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_block_has_a_state_and_the_gauge_counts_them(bucket: Any, start: Start, strategy: str) -> None:
    for number in (1, 2, 3):
        bucket.put_meta(number)
    bucket.put_mark(3)
    bucket.put(f"{bucket.ulid(4)}/index", b"x")
    bucket.put(f"{bucket.ulid(5)}/meta.json", b"{")
    bucket.put_meta(6, version=2)
    result = start(strategy).fetch(0)
    assert {ulid[-1]: state for ulid, state in result.states.items()} == {
        "1": "loaded",
        "2": "loaded",
        "3": "marked-for-deletion",
        "4": "no-meta-json",
        "5": "corrupted-meta-json",
        "6": "failed",
    }
    assert result.dropped == {bucket.ulid(3): ("marked-for-deletion", "marked")}
    assert set(result.errors) == {bucket.ulid(5), bucket.ulid(6)}
    assert start.sample("synced", state="loaded") == 2
    assert start.sample("synced", state="failed") == 1
    assert start.sample("synced", state="no-meta-json") == 1


def test_all_states_are_there_from_the_start(start: Start) -> None:
    start()
    names = (
        "corrupted-meta-json", "no-meta-json", "loaded", "too-fresh", "failed", "label-excluded", "time-excluded",
        "duplicate", "marked-for-deletion", "marked-for-no-compact", "parquet-migrated", "acme-cold",
    )  # fmt: skip
    assert {name: start.sample("synced", state=name) for name in names} == dict.fromkeys(names, 0)
    assert start.sample("modified", modified="replica-label-removed") == 0


def test_a_state_that_no_block_has_any_more_goes_back_to_0(bucket: Any, start: Start) -> None:
    states = {bucket.ulid(1): "cold"}

    class Cold:
        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            return states

    bucket.put_meta(1)
    fetcher = start(filters=[("cold", Cold())])
    fetcher.fetch(0)
    assert start.sample("synced", state="cold") == 1
    states.clear()
    fetcher.fetch(0)
    assert start.sample("synced", state="cold") == 0


def test_broken_documents_are_reported_once(bucket: Any, start: Start) -> None:
    bucket.put(f"{bucket.ulid(1)}/meta.json", b"{")
    fetcher = start()
    with capture_logs() as logs:
        fetcher.fetch(0)
        fetcher.fetch(0)
    assert [(entry["log_level"], entry["block"]) for entry in logs] == [("warning", bucket.ulid(1))]


# --- metas that cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_unsupported_meta_stops_no_other_block(bucket: Any, start: Start, strategy: str) -> None:
    bucket.put_meta(1, version=2)
    bucket.put_meta(2)
    fetcher = start(strategy)
    result = fetcher.fetch(0)
    assert set(result.metas) == {bucket.ulid(2)}
    assert result.incomplete
    assert start.sample("sync_failures_total") == 1


def test_a_served_block_whose_meta_becomes_unsupported_stays_and_others_go(bucket: Any, start: Start) -> None:
    bucket.put_meta(1)
    bucket.put_meta(2)
    fetcher = start()
    fetcher.fetch(0)
    bucket.put_meta(1, version=2)
    bucket.delete(bucket.ulid(2))
    bucket.put_meta(3)
    result = fetcher.fetch(0)
    assert set(result.metas) == {bucket.ulid(1), bucket.ulid(3)}
    assert result.states[bucket.ulid(1)] == "failed"


def test_a_served_block_whose_meta_cannot_be_read_stays(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)
    fetcher = start()
    fetcher.fetch(0)
    bucket.put_meta(1, maxTime=999)
    bucket.fail(f"{ulid}/meta.json", UnavailableError("down"))
    result = fetcher.fetch(0)
    assert result.metas[ulid].max_time == 100
    assert result.incomplete
    bucket.faults.clear()
    assert fetcher.fetch(0).metas[ulid].max_time == 999


def test_a_served_block_whose_meta_becomes_corrupt_goes(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)
    fetcher = start()
    fetcher.fetch(0)
    bucket.put(f"{ulid}/meta.json", b"{")
    result = fetcher.fetch(0)
    assert (dict(result.metas), result.incomplete) == ({}, False)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_served_block_whose_meta_is_deleted_goes(bucket: Any, start: Start, strategy: str) -> None:
    ulid = bucket.put_block(1)
    fetcher = start(strategy)
    fetcher.fetch(0)
    bucket.delete(ulid, "meta.json")
    result = fetcher.fetch(0)
    assert dict(result.metas) == {}
    assert result.states == {ulid: "no-meta-json"}


@pytest.mark.parametrize("error", [DeniedError("no"), UnavailableError("down"), RuntimeError("a bug in a plugin")])
def test_one_meta_that_cannot_be_read_stops_no_other_block(bucket: Any, start: Start, error: Exception) -> None:
    bucket.put_meta(1)
    bucket.put_meta(2)
    bucket.fail(f"{bucket.ulid(1)}/*", error)
    result = start().fetch(0)
    assert set(result.metas) == {bucket.ulid(2)}
    assert isinstance(result.errors[bucket.ulid(1)], StoregateError)


def test_a_meta_that_vanishes_after_the_listing_is_absent(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1)

    def vanish() -> Exception:
        bucket.inner.delete(f"{ulid}/meta.json")
        try:
            bucket.inner.get(f"{ulid}/meta.json")
        except StoregateError as error:
            return error
        raise AssertionError

    bucket.fail(f"{ulid}/meta.json", vanish, "get")
    assert start().fetch(0).states == {ulid: "no-meta-json"}


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_mark_that_comes_and_goes_is_noticed(bucket: Any, start: Start, strategy: str) -> None:
    ulid = bucket.put_meta(1)
    fetcher = start(strategy)
    assert set(fetcher.fetch(0).metas) == {ulid}
    bucket.put_mark(1)
    assert set(fetcher.fetch(0).metas) == set()
    bucket.delete(ulid, "deletion-mark.json")
    assert set(fetcher.fetch(0).metas) == {ulid}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_unparsable_mark_is_none(bucket: Any, start: Start, strategy: str) -> None:
    ulid = bucket.put_meta(1)
    bucket.put(f"{ulid}/deletion-mark.json", b"{")
    result = start(strategy).fetch(0)
    assert (set(result.metas), result.incomplete) == ({ulid}, False)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("was_marked", [True, False])
def test_a_mark_of_another_version_keeps_the_state_of_its_block(
    bucket: Any, start: Start, strategy: str, was_marked: bool
) -> None:
    ulid = bucket.put_meta(1)
    if was_marked:
        bucket.put_mark(1)
    fetcher = start(strategy)
    before = set(fetcher.fetch(0).metas)
    bucket.put_mark(1, version=2)
    result = fetcher.fetch(0)
    assert set(result.metas) == before == (set() if was_marked else {ulid})
    assert result.incomplete


@pytest.mark.parametrize("was_marked", [True, False])
def test_a_mark_that_cannot_be_read_keeps_the_state_of_its_block(bucket: Any, start: Start, was_marked: bool) -> None:
    bucket.put_meta(1)
    bucket.put_meta(2)
    if was_marked:
        bucket.put_mark(1, 1)
    fetcher = start()
    before = set(fetcher.fetch(0).metas)
    bucket.put_mark(1, 2)
    bucket.fail("*/deletion-mark.json", UnavailableError("down"))
    result = fetcher.fetch(0)
    assert set(result.metas) == before
    assert result.incomplete


# --- failures of a round ----------------------------------------------------------------------------------------------


def test_a_listing_that_fails_fails_the_fetch(bucket: Any, start: Start) -> None:
    fetcher = start()
    bucket.fail("", UnavailableError("down"), "list")
    with pytest.raises(UnavailableError):
        fetcher.fetch(0)
    assert start.sample("sync_failures_total") == 1


def test_a_filter_that_fails_is_named_and_leaves_the_gauges_as_they_were(bucket: Any, start: Start) -> None:
    class Sometimes:
        broken = False

        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            if self.broken:
                raise ZeroDivisionError
            return {}

    bucket.put_meta(1)
    fetcher = start(filters=[("sometimes", Sometimes())])
    fetcher.fetch(0)
    Sometimes.broken = True
    with pytest.raises(FilterError, match="'sometimes'"):
        fetcher.fetch(0)
    assert start.sample("synced", state="loaded") == 1
    assert start.sample("sync_failures_total") == 1


def test_filters_know_the_time_of_the_fetch(bucket: Any, start: Start) -> None:
    times: list[int] = []

    class Notes:
        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            times.append(context.now)
            return {}

    start(filters=[("notes", Notes())]).fetch(1234)
    assert times == [1234]


def test_a_fetch_can_be_filtered_again_as_if_a_block_did_not_exist(bucket: Any, start: Start) -> None:
    class OneOnly:
        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            return dict.fromkeys(sorted(metas)[1:], "duplicate")

    for number in (1, 2):
        bucket.put_meta(number)
    fetcher = start(filters=[("one-only", OneOnly())])
    result = fetcher.fetch(0)
    assert set(result.metas) == {bucket.ulid(1)}
    assert set(fetcher.refilter(result, {bucket.ulid(1)}).metas) == {bucket.ulid(2)}


def test_fetches_of_several_threads_do_not_mix(bucket: Any, start: Start) -> None:
    for number in range(20):
        bucket.put_meta(number)
    fetcher = start()
    results: list[FetchResult] = []
    threads = [threading.Thread(target=lambda: results.append(fetcher.fetch(0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == results[0] for result in results)
    assert bucket.store.count("get", "*/meta.json") == 20


def test_an_empty_bucket_is_no_failure(start: Start) -> None:
    result = start().fetch(0)
    assert (dict(result.metas), result.incomplete) == ({}, False)
    assert start.sample("syncs_total") == start.sample("base_syncs_total") == 1


def test_the_document_of_a_meta_is_kept_whole(bucket: Any, start: Start) -> None:
    ulid = bucket.put_meta(1, custom={"x": 1})
    assert start().fetch(0).metas[ulid].document == json.loads(bucket.inner.get(f"{ulid}/meta.json"))
