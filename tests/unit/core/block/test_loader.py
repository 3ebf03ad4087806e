"""Opening blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storegate import BlockMeta, CorruptError, NotFoundError
from storegate.block.block import Block
from storegate.block.discovery import BlockListing, list_blocks
from storegate.block.loader import BlockLoader
from storegate.block.meta import parse_meta
from storegate.metrics import Metrics

Open = Callable[..., Block]


@pytest.fixture
def open_block(bucket: Any, data_dir: Path, metrics: Metrics) -> Open:
    """Opens a block of the bucket, listed or not."""

    def _open(
        ulid: str,
        *,
        listed: bool = True,
        lazy: bool = False,
        lazy_download: bool = False,
        local: bool = True,
        verify: bool = False,
        **changes: Any,
    ) -> Block:
        meta = parse_meta(bucket.inner.get(f"{ulid}/meta.json"), ulid)
        if changes:
            names = BlockMeta.__dataclass_fields__
            meta = BlockMeta(**{**{name: getattr(meta, name) for name in names}, **changes})
        listing = list_blocks(bucket.inner, "recursive")[ulid] if listed else BlockListing()
        settings = SimpleNamespace(lazy=lazy, lazy_download=lazy_download, sampling=32)
        bucket.store.reset()
        loader = BlockLoader(bucket.store, data_dir if local else None, settings, metrics)
        return loader.open(meta, listing, verify=verify)

    return _open


def header_of(data_dir: Path, ulid: str) -> Path:
    return data_dir / ulid / "index-header"


def label_names(block: Block) -> list[bytes]:
    with block.header() as header:
        return header.label_names()


def test_an_eager_block_has_its_header_at_once(bucket: Any, open_block: Open, data_dir: Path) -> None:
    ulid = bucket.put_block(1)
    block = open_block(ulid)
    assert block.header_loaded
    assert header_of(data_dir, ulid).is_file()
    assert label_names(block) == [b"__name__"]
    assert bucket.store.count("head") == 0


def test_a_restart_opens_the_local_header_without_a_request(bucket: Any, open_block: Open) -> None:
    ulid = bucket.put_block(1)
    open_block(ulid)
    assert label_names(open_block(ulid)) == [b"__name__"]
    assert bucket.store.count() == 0


def test_an_invalid_local_header_is_built_again(bucket: Any, open_block: Open, data_dir: Path) -> None:
    ulid = bucket.put_block(1)
    open_block(ulid)
    good = header_of(data_dir, ulid).read_bytes()
    for bad in (b"", b"x" * 200, good[:-1], bytes([*good[:20], good[20] ^ 1, *good[21:]])):
        header_of(data_dir, ulid).write_bytes(bad)
        assert label_names(open_block(ulid)) == [b"__name__"]
        assert header_of(data_dir, ulid).read_bytes() == good


def test_without_a_data_directory_the_header_is_in_memory(bucket: Any, open_block: Open, data_dir: Path) -> None:
    block = open_block(bucket.put_block(1), local=False, lazy=True, lazy_download=True)
    assert block.header_loaded
    assert label_names(block) == [b"__name__"]
    assert not data_dir.exists()


def test_a_lazy_block_builds_its_header_and_opens_it_at_first_use(
    bucket: Any, open_block: Open, data_dir: Path
) -> None:
    ulid = bucket.put_block(1)
    block = open_block(ulid, lazy=True)
    assert not block.header_loaded
    assert header_of(data_dir, ulid).is_file()
    bucket.store.reset()
    assert label_names(block) == [b"__name__"]
    assert bucket.store.count() == 0


def test_a_lazy_block_does_not_judge_an_existing_header_until_it_is_used(
    bucket: Any, open_block: Open, data_dir: Path
) -> None:
    ulid = bucket.put_block(1)
    header_of(data_dir, ulid).parent.mkdir(parents=True)
    header_of(data_dir, ulid).write_bytes(b"broken")
    block = open_block(ulid, lazy=True)
    assert bucket.store.count() == 0
    assert label_names(block) == [b"__name__"]


def test_a_lazy_download_does_nothing_before_the_first_use(bucket: Any, open_block: Open, data_dir: Path) -> None:
    ulid = bucket.put_block(1)
    block = open_block(ulid, lazy=True, lazy_download=True)
    assert bucket.store.count() == 0
    assert not data_dir.exists()
    assert label_names(block) == [b"__name__"]
    assert header_of(data_dir, ulid).is_file()


def test_verifying_loads_the_header_of_a_lazy_block_too(bucket: Any, open_block: Open) -> None:
    ulid = bucket.put_block(1)
    assert open_block(ulid, lazy=True, lazy_download=True, verify=True).header_loaded


def test_the_size_of_the_index_comes_from_the_listing_or_meta_or_else_from_the_object(
    bucket: Any, open_block: Open
) -> None:
    ulid = bucket.put_block(1)
    size = len(bucket.inner.get(f"{ulid}/index"))
    assert open_block(ulid, files={"index": 1}).index_size == size
    assert bucket.store.count("head") == 0
    assert open_block(ulid, listed=False).index_size == size
    assert bucket.store.count("head") == 0
    assert open_block(ulid, listed=False, files={}).index_size == size
    assert bucket.store.count("head") == 1


def test_a_wrong_size_in_meta_is_corrected(bucket: Any, open_block: Open) -> None:
    ulid = bucket.put_block(1)
    block = open_block(ulid, listed=False, files={"index": 400_000})
    assert block.index_size == len(bucket.inner.get(f"{ulid}/index"))
    assert label_names(block) == [b"__name__"]


def test_labels_are_sorted_and_those_without_value_are_left_out(bucket: Any, open_block: Open) -> None:
    ulid = bucket.put_block(1, external_labels={"b": "2", "a": "1", "c": ""})
    assert open_block(ulid).labels == (("a", "1"), ("b", "2"))


def test_segments_and_keys_are_those_of_the_bucket(bucket: Any, open_block: Open) -> None:
    ulid = bucket.put_block(1)
    block = open_block(ulid)
    assert block.index_key == f"{ulid}/index"
    assert block.segments == (f"{ulid}/chunks/000001",)
    assert block.segment_sizes == (len(bucket.inner.get(f"{ulid}/chunks/000001")),)


@pytest.mark.parametrize("resolution", [1, -1, 60_000, 300_001])
def test_an_unknown_resolution_is_refused(bucket: Any, open_block: Open, resolution: int) -> None:
    with pytest.raises(CorruptError, match=f"resolution {resolution}"):
        open_block(bucket.put_block(1), resolution=resolution)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_missing_index_is_noticed_at_once(bucket: Any, open_block: Open, lazy: bool) -> None:
    ulid = bucket.put_block(1)
    bucket.delete(ulid, "index")
    with pytest.raises(NotFoundError, match=f"{ulid}/index"):
        open_block(ulid, lazy=lazy, lazy_download=lazy)


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"\0" + d[1:], lambda d: d[:40], lambda d: b""])
def test_a_corrupt_index_is_refused_and_leaves_nothing_behind(
    bucket: Any, open_block: Open, data_dir: Path, damage: Callable[[bytes], bytes]
) -> None:
    ulid = bucket.put_block(1)
    bucket.put(f"{ulid}/index", damage(bucket.inner.get(f"{ulid}/index")))
    with pytest.raises(CorruptError, match=f"{ulid}/index"):
        open_block(ulid)
    assert not (data_dir / ulid).exists()


@pytest.fixture
def full_disk(data_dir: Path) -> Callable[[str], None]:
    """Makes the disk full for the index-header of a block: the kernel answers every write with ENOSPC."""

    def fill(ulid: str) -> None:
        (data_dir / ulid).mkdir(parents=True)
        (data_dir / ulid / "index-header.tmp").symlink_to("/dev/full")

    return fill


def test_a_full_disk_keeps_the_index_header_in_memory(
    bucket: Any, open_block: Open, data_dir: Path, full_disk: Callable[[str], None]
) -> None:
    ulid = bucket.put_block(1)
    full_disk(ulid)
    assert label_names(open_block(ulid)) == label_names(open_block(ulid, local=False))
    assert not (data_dir / ulid / "index-header").exists()


def test_a_full_disk_that_has_room_again_takes_the_index_header(
    bucket: Any, open_block: Open, data_dir: Path, full_disk: Callable[[str], None]
) -> None:
    ulid = bucket.put_block(1)
    full_disk(ulid)
    open_block(ulid)
    open_block(ulid)
    assert (data_dir / ulid / "index-header").is_file()


def test_a_full_disk_leaves_no_half_written_file(
    bucket: Any, open_block: Open, data_dir: Path, full_disk: Callable[[str], None]
) -> None:
    ulid = bucket.put_block(1)
    full_disk(ulid)
    open_block(ulid)
    assert list((data_dir / ulid).iterdir()) == []


def test_the_durations_of_building_and_loading_are_measured(
    bucket: Any, open_block: Open, sample: Callable[..., float | None]
) -> None:
    ulid = bucket.put_block(1)
    open_block(ulid)
    open_block(ulid)
    assert sample("thanos_bucket_store_indexheader_download_duration_seconds_count") == 1
    assert sample("thanos_bucket_store_indexheader_load_duration_seconds_count") == 2
