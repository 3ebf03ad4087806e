"""Keeping the catalog in step with the bucket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from storegate import BlockMeta, CancelledError, CorruptError, FilterContext, StoregateError, UnavailableError
from storegate.block.catalog import BlockCatalog
from storegate.block.fetcher import MetaFetcher
from storegate.block.loader import BlockLoader
from storegate.block.metrics import FetcherMetrics
from storegate.block.observers import Observers
from storegate.block.status import chosen_blocks
from storegate.block.syncer import BlockSyncer
from storegate.metrics import Metrics
from storegate.query.stats import QueryStats
from storegate.testing.faults import HoldingStore

Sample = Callable[..., float | None]
LAZY = SimpleNamespace(lazy=True, lazy_download=True, sampling=32)
EAGER = SimpleNamespace(lazy=False, lazy_download=False, sampling=32)


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.dropped: list[tuple[str, str]] = []

    def block_loaded(self, meta: BlockMeta) -> None:
        self.loaded.append(meta.ulid)

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        self.dropped.append((meta.ulid, reason))

    def query_finished(self, stats: QueryStats) -> None:
        raise AssertionError


class Excluded:
    """A filter that drops the ULIDs it is given."""

    def __init__(self) -> None:
        self.ulids: set[str] = set()

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        return dict.fromkeys(self.ulids & metas.keys(), "label-excluded")


class Covered:
    """A filter that drops blocks which are sources of another one."""

    def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
        parents = {source: meta.ulid for meta in metas.values() for source in meta.sources if source != meta.ulid}
        return {ulid: "duplicate" for ulid in metas if ulid in parents}


class Gateway:
    """What a syncer works with."""

    def __init__(self, bucket: Any, data_dir: Path, registry: CollectorRegistry, metrics: Metrics) -> None:
        self.bucket = bucket
        self.data_dir = data_dir
        self.registry = registry
        self.metrics = metrics
        self.excluded = Excluded()
        self.notes = Notes()
        self.catalog = BlockCatalog()
        self.started: list[BlockSyncer] = []

    def syncer(
        self, headers: Any = EAGER, *, store: Any = None, interval: float = 3600.0, idle_timeout: float = 0.0
    ) -> BlockSyncer:
        store = store or self.bucket.store
        settings = SimpleNamespace(strategy="recursive", meta_concurrency=4, block_concurrency=4, interval=interval)
        fetcher = MetaFetcher(
            store,
            self.data_dir,
            [("excluded", self.excluded), ("covered", Covered())],
            settings,
            FetcherMetrics(CollectorRegistry()),
        )
        syncer = BlockSyncer(
            fetcher,
            BlockLoader(store, self.data_dir, headers, self.metrics),
            self.catalog,
            settings,
            self.metrics,
            Observers([("notes", self.notes)], CollectorRegistry()),
            data_dir=self.data_dir,
            idle_timeout=idle_timeout,
            now=lambda: 1234,
        )
        self.started.append(syncer)
        return syncer

    @property
    def served(self) -> set[str]:
        return set(self.catalog.snapshot().blocks)


@pytest.fixture
def gateway(bucket: Any, data_dir: Path, registry: CollectorRegistry, metrics: Metrics) -> Iterator[Gateway]:
    gateway = Gateway(bucket, data_dir, registry, metrics)
    yield gateway
    for syncer in gateway.started:
        syncer.stop()


# --- coming and going -------------------------------------------------------------------------------------------------


def test_new_blocks_load_and_vanished_ones_are_dropped(bucket: Any, gateway: Gateway, sample: Sample) -> None:
    one, two = bucket.put_block(1), bucket.put_block(2)
    syncer = gateway.syncer()
    syncer.sync_once()
    assert gateway.served == {one, two}
    bucket.delete(one)
    three = bucket.put_block(3)
    syncer.sync_once()
    assert gateway.served == {two, three}
    assert sorted(gateway.notes.loaded) == [one, two, three]
    assert gateway.notes.dropped == [(one, "vanished")]
    assert sample("thanos_bucket_store_blocks_loaded") == 2
    assert sample("thanos_bucket_store_block_loads_total") == 3
    assert sample("thanos_bucket_store_block_drops_total") == 1
    assert sample("thanos_bucket_store_block_load_duration_seconds_count") == 3
    assert (sample("thanos_bucket_store_blocks_last_loaded_timestamp_seconds") or 0) > 1e9


def test_a_block_that_a_filter_takes_out_is_dropped_with_its_state(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    gateway.excluded.ulids = {ulid}
    syncer.sync_once()
    assert gateway.served == set()
    assert gateway.notes.dropped == [(ulid, "label-excluded")]


def test_a_query_that_holds_a_vanished_block_can_end(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    block = gateway.catalog.get(ulid)
    assert block is not None
    assert block.acquire()
    bucket.delete(ulid)
    syncer.sync_once()
    with block.header() as header:
        assert header.label_names() == [b"__name__"]
    assert not block.acquire()
    block.release()
    assert not block.header_loaded


def test_an_unchanged_block_is_left_alone(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    before = gateway.catalog.get(ulid)
    bucket.store.reset()
    syncer.sync_once()
    assert gateway.catalog.get(ulid) is before
    assert [request.operation for request in bucket.store.requests()] == ["list"]


def test_a_block_whose_meta_changed_is_loaded_anew(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1, external_labels={"zone": "1"})
    syncer = gateway.syncer()
    syncer.sync_once()
    old = gateway.catalog.get(ulid)
    bucket.put_block(1, external_labels={"zone": "2"})
    syncer.sync_once()
    new = gateway.catalog.get(ulid)
    assert old is not None
    assert new is not None
    assert (old.labels, new.labels) == ((("zone", "1"),), (("zone", "2"),))
    assert not old.header_loaded
    assert gateway.notes.dropped == [(ulid, "replaced")]


def test_a_sync_that_fails_changes_nothing(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    first = syncer.sync_once()
    bucket.fail("", UnavailableError("down"), "list", times=1)
    with pytest.raises(UnavailableError):
        syncer.sync_once()
    assert gateway.served == {ulid}
    assert syncer.last is first
    assert str(syncer.last_error) == "down"
    syncer.sync_once()
    assert syncer.last_error is None


def test_an_unexpected_exception_of_a_plugin_is_an_error_of_the_sync(bucket: Any, gateway: Gateway) -> None:
    bucket.fail("", RuntimeError("a bug"), "list")
    with pytest.raises(StoregateError, match="RuntimeError: a bug"):
        gateway.syncer().sync_once()


# --- quarantine -------------------------------------------------------------------------------------------------------


def break_index(bucket: Any, ulid: str) -> None:
    bucket.put(f"{ulid}/index", b"broken")


def test_a_block_that_cannot_load_is_quarantined_and_stops_no_other(
    bucket: Any, gateway: Gateway, sample: Sample
) -> None:
    bad, good = bucket.put_block(1), bucket.put_block(2)
    break_index(bucket, bad)
    syncer = gateway.syncer()
    syncer.sync_once()
    assert gateway.served == {good}
    quarantined = syncer.quarantine[bad]
    assert (quarantined.meta.ulid, quarantined.since, quarantined.tries) == (bad, 1234, 1)
    assert f"{bad}/index" in quarantined.cause
    assert sample("thanos_bucket_store_block_load_failures_total") == 1
    assert not (gateway.data_dir / bad).exists()


def test_it_is_tried_again_at_each_sync_and_released_when_it_loads(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    index = bucket.inner.get(f"{ulid}/index")
    break_index(bucket, ulid)
    syncer = gateway.syncer()
    with capture_logs() as logs:
        for tries in (1, 2, 3):
            syncer.sync_once()
            assert syncer.quarantine[ulid].tries == tries
    assert [entry["log_level"] for entry in logs] == ["warning"]
    bucket.put(f"{ulid}/index", index)
    syncer.sync_once()
    assert gateway.served == {ulid}
    assert syncer.quarantine == {}


def test_a_quarantined_block_that_vanishes_is_forgotten(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    break_index(bucket, ulid)
    syncer = gateway.syncer()
    syncer.sync_once()
    bucket.delete(ulid)
    syncer.sync_once()
    assert syncer.quarantine == {}


def test_a_block_that_cannot_load_does_not_hide_the_blocks_it_replaces(bucket: Any, gateway: Gateway) -> None:
    one, two = bucket.put_block(1), bucket.put_block(2)
    syncer = gateway.syncer()
    syncer.sync_once()
    compacted = bucket.put_block(3, sources=[one, two], level=2)
    index = bucket.inner.get(f"{compacted}/index")
    break_index(bucket, compacted)
    syncer.sync_once()
    assert gateway.served == {one, two}
    bucket.put(f"{compacted}/index", index)
    syncer.sync_once()
    assert gateway.served == {compacted}


def test_at_the_start_too_what_a_broken_block_replaces_is_loaded(bucket: Any, gateway: Gateway) -> None:
    one = bucket.put_block(1)
    break_index(bucket, bucket.put_block(2, sources=[one], level=2))
    gateway.syncer().sync_once()
    assert gateway.served == {one}


def test_a_served_block_whose_new_version_cannot_load_stays_as_it_was(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1, external_labels={"zone": "1"})
    syncer = gateway.syncer()
    syncer.sync_once()
    bucket.put_block(1, external_labels={"zone": "2"})
    break_index(bucket, ulid)
    syncer.sync_once()
    block = gateway.catalog.get(ulid)
    assert block is not None
    assert block.labels == (("zone", "1"),)
    assert set(syncer.quarantine) == {ulid}


def test_a_lazily_loaded_block_that_turns_out_broken_is_quarantined_until_it_is_whole(
    bucket: Any, gateway: Gateway
) -> None:
    ulid = bucket.put_block(1)
    index = bucket.inner.get(f"{ulid}/index")
    break_index(bucket, ulid)
    syncer = gateway.syncer(LAZY)
    syncer.sync_once()
    block = gateway.catalog.get(ulid)
    assert block is not None
    with pytest.raises(CorruptError):
        block.load_header()
    assert gateway.served == set()
    assert set(syncer.quarantine) == {ulid}
    assert gateway.notes.dropped == [(ulid, "quarantined")]
    syncer.sync_once()
    assert gateway.served == set()
    assert syncer.quarantine[ulid].tries == 2
    bucket.put(f"{ulid}/index", index)
    syncer.sync_once()
    assert gateway.served == {ulid}


def test_a_lazily_loaded_block_that_is_out_of_reach_stays(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer(LAZY)
    syncer.sync_once()
    bucket.fail("*/index", UnavailableError("down"))
    block = gateway.catalog.get(ulid)
    assert block is not None
    with pytest.raises(UnavailableError):
        block.load_header()
    assert gateway.served == {ulid}


# --- the first sync ---------------------------------------------------------------------------------------------------


def test_the_first_sync_is_tried_again(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    bucket.fail("", UnavailableError("down"), "list", times=3)
    gateway.syncer().initial(pause=0.0)
    assert gateway.served == {ulid}
    assert bucket.store.count("list") == 4


def test_the_first_sync_gives_up_after_its_time(bucket: Any, gateway: Gateway) -> None:
    bucket.fail("", UnavailableError("down"), "list")
    with pytest.raises(UnavailableError, match="down"):
        gateway.syncer().initial(pause=0.0, window=0.0)
    assert bucket.store.count("list") == 1


def test_an_empty_bucket_is_fine(gateway: Gateway) -> None:
    gateway.syncer().initial(window=0.0)


def test_a_start_that_can_read_no_meta_at_all_fails(bucket: Any, gateway: Gateway) -> None:
    bucket.put_block(1)
    bucket.fail("*/meta.json", UnavailableError("down"))
    with pytest.raises(UnavailableError):
        gateway.syncer().initial(window=0.0)


@pytest.mark.parametrize("version", [1, 2])
def test_one_meta_that_cannot_be_used_does_not_stop_the_start(bucket: Any, gateway: Gateway, version: int) -> None:
    good = bucket.put_block(1)
    bad = bucket.put_meta(2, version=version)
    if version == 1:
        bucket.fail(f"{bad}/meta.json", UnavailableError("down"))
    gateway.syncer().initial(window=0.0)
    assert gateway.served == {good}


def test_blocks_that_cannot_load_do_not_stop_the_start(bucket: Any, gateway: Gateway) -> None:
    break_index(bucket, bucket.put_block(1))
    gateway.syncer().initial(window=0.0)
    assert gateway.served == set()


def test_the_first_sync_cleans_the_data_directory(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    for path in (f"{bucket.ulid(9)}/index-header", f"{ulid}/index-header.tmp", f"{ulid}/x.part-1"):
        (gateway.data_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (gateway.data_dir / path).write_bytes(b"x")
    gateway.syncer().initial(window=0.0)
    files = {str(path.relative_to(gateway.data_dir)) for path in gateway.data_dir.rglob("*") if path.is_file()}
    assert files == {f"{ulid}/index-header", f"meta-syncer/{ulid}/meta.json"}


def test_the_files_of_a_dropped_block_are_removed(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    assert (gateway.data_dir / ulid).exists()
    bucket.delete(ulid)
    syncer.sync_once()
    assert not (gateway.data_dir / ulid).exists()


# --- the periodic sync ------------------------------------------------------------------------------------------------


def test_syncs_repeat_until_the_stop(bucket: Any, gateway: Gateway) -> None:
    enough = threading.Event()

    class Counts(Excluded):
        rounds = 0

        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            self.rounds += 1
            if self.rounds == 3:
                enough.set()
            return {}

    gateway.excluded = Counts()
    syncer = gateway.syncer(interval=0.01)
    syncer.start()
    assert enough.wait(30)
    syncer.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "block-sync"]


def test_a_failed_sync_does_not_end_the_repetition(bucket: Any, gateway: Gateway) -> None:
    recovered = threading.Event()

    class Fails(Excluded):
        rounds = 0

        def select(self, metas: Mapping[str, BlockMeta], context: FilterContext) -> dict[str, str]:
            self.rounds += 1
            if self.rounds < 3:
                raise ZeroDivisionError
            recovered.set()
            return {}

    gateway.excluded = Fails()
    syncer = gateway.syncer(interval=0.01)
    syncer.start()
    assert recovered.wait(30)


def test_idle_headers_are_unloaded(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer(LAZY, idle_timeout=0.0)
    syncer.sync_once()
    block = gateway.catalog.get(ulid)
    assert block is not None
    block.load_header()
    syncer.unload_idle_headers()
    assert not block.header_loaded


def test_stopping_closes_all_blocks(bucket: Any, gateway: Gateway, sample: Sample) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    block = gateway.catalog.get(ulid)
    assert block is not None
    syncer.stop()
    assert gateway.served == set()
    assert not block.header_loaded
    assert sample("thanos_bucket_store_blocks_loaded") == 0


def test_a_sync_that_is_running_at_the_stop_changes_nothing_any_more(bucket: Any, gateway: Gateway) -> None:
    bucket.put_block(1)
    store = HoldingStore(bucket.store, operation="get_range")
    syncer = gateway.syncer(store=store)
    errors: list[BaseException] = []

    def sync() -> None:
        try:
            syncer.sync_once()
        except CancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=sync)
    thread.start()
    assert store.reached.wait(30)
    syncer.stop()
    store.release()
    thread.join()
    assert gateway.served == set()
    assert len(errors) == 1


# --- what the API shows -----------------------------------------------------------------------------------------------


def test_before_the_first_sync_nothing_is_chosen(gateway: Gateway) -> None:
    chosen = chosen_blocks(gateway.syncer())
    assert (chosen.metas, chosen.quarantined, chosen.refreshed, chosen.error) == ((), {}, None, "")


def test_chosen_are_the_blocks_that_pass_the_filters_loaded_or_not(bucket: Any, gateway: Gateway) -> None:
    served, excluded, broken = bucket.put_block(1), bucket.put_block(2), bucket.put_block(3)
    bucket.put(f"{broken}/index", b"nonsense")
    gateway.excluded.ulids = {excluded}
    syncer = gateway.syncer()
    syncer.sync_once()
    chosen = chosen_blocks(syncer)
    assert [meta.ulid for meta in chosen.metas] == [served, broken]
    assert list(chosen.quarantined) == [broken]
    assert (chosen.refreshed, chosen.error) == (1234, "")


def test_a_failed_sync_keeps_what_was_chosen_and_says_why(bucket: Any, gateway: Gateway) -> None:
    ulid = bucket.put_block(1)
    syncer = gateway.syncer()
    syncer.sync_once()
    bucket.fail("*", UnavailableError("the bucket is away"), "list")
    with pytest.raises(UnavailableError):
        syncer.sync_once()
    chosen = chosen_blocks(syncer)
    assert [meta.ulid for meta in chosen.metas] == [ulid]
    assert "the bucket is away" in chosen.error
