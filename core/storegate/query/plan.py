"""Which blocks a request needs, and which matchers each of them is left with (StoreAPI 4.1, 4.2, 8.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from storegate.block.block import Block, Labels
from storegate.block.catalog import CatalogSnapshot, Selection
from storegate.errors import UnavailableError
from storegate.index.expand import digest_of
from storegate.index.matchers import Matcher

Matchers = tuple[Matcher, ...]
_TRIES = 100


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block, held open, with the matchers that its external labels have not settled, and their digest."""

    block: Block
    matchers: Matchers
    digest: str


def left_over(matchers: Sequence[Matcher], labels: Labels) -> Matchers | None:
    """The matchers that external labels leave to the block; None when they refuse the whole set of blocks.

    `labels` holds no empty values: a matcher on an absent label is the block's own business.
    """
    external = {name.encode(): value.encode() for name, value in labels}
    left = []
    for matcher in matchers:
        value = external.get(matcher.name)
        if value is None:
            left.append(matcher)
        elif not matcher.matches(value):
            return None
    return tuple(left)


def block_filter(matchers: Sequence[Matcher]) -> Callable[[Block], bool]:
    """Whether a block passes the request's hints: matchers on external labels and `__block_id`."""

    def passes(block: Block) -> bool:
        labels = dict(block.labels)
        labels["__block_id"] = block.meta.ulid
        return all(m.matches(labels.get(m.name.decode("utf-8", "replace"), "").encode()) for m in matchers)

    return passes


@contextmanager
def held(snapshot: Callable[[], CatalogSnapshot], select: Select) -> Iterator[list[BlockPlan]]:
    """Select blocks and hold them open to the end of the `with`."""
    for _ in range(_TRIES):
        with ExitStack() as stack:
            selections = select(snapshot())
            if all(_acquire(block, stack) for chosen in selections for block in chosen.blocks):
                yield _plans(selections)
                return
        # A sync dropped one of them in between: the next snapshot no longer has it.
    raise UnavailableError("the blocks of this query kept changing; try again")


Select = Callable[[CatalogSnapshot], list[Selection[Matchers]]]


def _acquire(block: Block, stack: ExitStack) -> bool:
    if not block.acquire():
        return False
    stack.callback(block.release)
    return True


def _plans(selections: Sequence[Selection[Matchers]]) -> list[BlockPlan]:
    digests: dict[tuple[tuple[int, bytes, bytes], ...], str] = {}
    plans = []
    for chosen in selections:
        key = tuple(matcher.key for matcher in chosen.matched)
        digest = digests.get(key)
        if digest is None:
            digest = digests[key] = digest_of(chosen.matched)
        plans += [BlockPlan(block, chosen.matched, digest) for block in chosen.blocks]
    return plans
