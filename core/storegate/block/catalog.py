"""The blocks that are served, and which of them a request needs."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from storegate.block.block import Block, Labels

T = TypeVar("T")

LEVELS = (3_600_000, 300_000, 0)  # resolutions in ms, coarsest first
NO_TIME = (2**63 - 1, -(2**63))
"""The range of an empty catalog: it overlaps nothing."""


class CoveredTime(NamedTuple):
    """A stretch of time that the blocks of one label set cover without a gap; ms, `max_time` exclusive."""

    labels: Labels
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True)
class Selection(Generic[T]):
    """The blocks of one external label set that a request needs, and what the group filter made of the labels."""

    labels: Labels
    matched: T
    blocks: tuple[Block, ...]


def _any_block(block: Block) -> bool:
    return True


class _Group:
    """The blocks of one external label set, by resolution, each level ordered by (min_time, max_time)."""

    def __init__(self, labels: Labels, blocks: Iterable[Block]) -> None:
        self.labels = labels
        self.blocks = tuple(sorted(blocks, key=_order))
        self._levels = {level: [b for b in self.blocks if b.meta.resolution == level] for level in LEVELS}
        self._starts = {level: [b.meta.min_time for b in found] for level, found in self._levels.items()}
        self._reaches = {
            level: list(accumulate((b.meta.max_time for b in found), max)) for level, found in self._levels.items()
        }

    def select(self, mint: int, maxt: int, max_resolution: int) -> Iterator[Block]:
        """Blocks for the closed range, coarsest first where they exist, gaps filled by finer ones; may repeat some."""
        levels = [level for level in LEVELS if level <= max(0, max_resolution)]
        return self._select(mint, maxt, levels)

    def _select(self, mint: int, maxt: int, levels: list[int]) -> Iterator[Block]:
        if mint > maxt or not levels:
            return
        level, finer = levels[0], levels[1:]
        start = mint
        # No block before `first` ends after mint, none from `last` on begins by maxt.
        first, last = bisect_right(self._reaches[level], mint), bisect_right(self._starts[level], maxt)
        for block in self._levels[level][first:last]:
            if block.meta.max_time <= mint:
                continue
            yield from self._select(start, block.meta.min_time - 1, finer)
            yield block
            start = max(start, block.meta.max_time)
        yield from self._select(start, maxt, finer)

    def covered(self) -> Iterator[CoveredTime]:
        """Stretches of time that blocks of any resolution cover, joined where they touch."""
        start, end = self.blocks[0].meta.min_time, self.blocks[0].meta.max_time
        for block in self.blocks[1:]:
            if block.meta.min_time > end:
                yield CoveredTime(self.labels, start, end)
                start, end = block.meta.min_time, block.meta.max_time
            end = max(end, block.meta.max_time)
        yield CoveredTime(self.labels, start, end)


class CatalogSnapshot:
    """The catalog at one moment; immutable."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self.blocks = MappingProxyType(dict(blocks))
        by_labels: dict[Labels, list[Block]] = defaultdict(list)
        for block in self.blocks.values():
            by_labels[block.labels].append(block)
        self._groups = [_Group(labels, by_labels[labels]) for labels in sorted(by_labels)]

    def select_series(
        self,
        mint: int,
        maxt: int,
        max_resolution: int,
        group: Callable[[Labels], T | None],
        block: Callable[[Block], bool] = _any_block,
    ) -> list[Selection[T]]:
        """Blocks for a Series call over the closed range, per external label set, none twice (StoreAPI 4.2).

        `group` gets the external labels and gives None to leave the set out, or what is to be remembered about it (such
        as the matchers that are left). A block that `block` refuses is taken out but still counts as covering its
        time. A negative resolution means 0. The blocks are not held yet: acquire each; select anew when one refuses.
        """
        found = []
        for candidates in self._groups:
            matched = group(candidates.labels)
            if matched is None:
                continue
            chosen = dict.fromkeys(candidates.select(mint, maxt, max_resolution))
            blocks = tuple(candidate for candidate in chosen if block(candidate))
            if blocks:
                found.append(Selection(candidates.labels, matched, blocks))
        return found

    def select_labels(
        self,
        start: int,
        end: int,
        group: Callable[[Labels], T | None],
        block: Callable[[Block], bool] = _any_block,
    ) -> list[Selection[T]]:
        """Blocks for a label call: all that overlap the closed range, whatever their resolution (StoreAPI 9)."""
        found = []
        for candidates in self._groups:
            matched = group(candidates.labels)
            if matched is None:
                continue
            blocks = tuple(
                candidate
                for candidate in candidates.blocks
                if candidate.meta.min_time <= end and start < candidate.meta.max_time and block(candidate)
            )
            if blocks:
                found.append(Selection(candidates.labels, matched, blocks))
        return found

    def label_sets(self) -> list[Labels]:
        """The external label sets of live blocks, sorted."""
        return [group.labels for group in self._groups]

    def tsdb_infos(self) -> list[CoveredTime]:
        """The stretches of time that each label set covers, sorted (StoreAPI 11)."""
        return [covered for group in self._groups for covered in group.covered()]

    def time_range(self) -> tuple[int, int]:
        """(earliest min_time, latest max_time) in ms; `NO_TIME` without blocks."""
        metas = [block.meta for block in self.blocks.values()]
        if not metas:
            return NO_TIME
        return min(meta.min_time for meta in metas), max(meta.max_time for meta in metas)


class BlockCatalog:
    """The blocks that are served now. Thread-safe: readers work on snapshots, which changes replace as a whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot = CatalogSnapshot({})

    def __contains__(self, ulid: str) -> bool:
        return ulid in self._snapshot.blocks

    def __len__(self) -> int:
        return len(self._snapshot.blocks)

    def get(self, ulid: str) -> Block | None:
        """The block of that name."""
        return self._snapshot.blocks.get(ulid)

    def snapshot(self) -> CatalogSnapshot:
        """The catalog as it is now."""
        return self._snapshot

    def update(self, add: Iterable[Block] = (), remove: Iterable[str] = ()) -> list[Block]:
        """Remove blocks by ULID and add others, in one step; gives the blocks that left or were replaced."""
        add, remove = list(add), list(remove)
        if not add and not remove:
            return []
        with self._lock:
            blocks = dict(self._snapshot.blocks)
            left = [blocks.pop(ulid) for ulid in remove if ulid in blocks]
            for block in add:
                replaced = blocks.get(block.meta.ulid)
                if replaced is not None:
                    left.append(replaced)
                blocks[block.meta.ulid] = block
            self._snapshot = CatalogSnapshot(blocks)
            return left

    def add(self, block: Block) -> None:
        """Serve one more block."""
        self.update(add=[block])

    def remove(self, ulid: str) -> Block | None:
        """Serve a block no more; it still has to be dropped."""
        return next(iter(self.update(remove=[ulid])), None)

    def select_series(
        self,
        mint: int,
        maxt: int,
        max_resolution: int,
        group: Callable[[Labels], T | None],
        block: Callable[[Block], bool] = _any_block,
    ) -> list[Selection[T]]:
        """See `CatalogSnapshot.select_series`."""
        return self._snapshot.select_series(mint, maxt, max_resolution, group, block)

    def select_labels(
        self,
        start: int,
        end: int,
        group: Callable[[Labels], T | None],
        block: Callable[[Block], bool] = _any_block,
    ) -> list[Selection[T]]:
        """See `CatalogSnapshot.select_labels`."""
        return self._snapshot.select_labels(start, end, group, block)

    def label_sets(self) -> list[Labels]:
        """See `CatalogSnapshot.label_sets`."""
        return self._snapshot.label_sets()

    def tsdb_infos(self) -> list[CoveredTime]:
        """See `CatalogSnapshot.tsdb_infos`."""
        return self._snapshot.tsdb_infos()

    def time_range(self) -> tuple[int, int]:
        """See `CatalogSnapshot.time_range`."""
        return self._snapshot.time_range()


def _order(block: Block) -> tuple[int, int, str]:
    return block.meta.min_time, block.meta.max_time, block.meta.ulid
