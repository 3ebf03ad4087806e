"""The chain of meta filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storegate.errors import StoregateError
from storegate.types import BlockMeta, FilterContext, MetaFilter


class FilterError(StoregateError):
    """A meta filter failed: fix it or take it out of the chain. No block comes or goes in that round."""


class FilterChain:
    """Filters in order, each with its name; each sees what those before it left. Pure and thread-safe as they are."""

    def __init__(self, filters: Sequence[tuple[str, MetaFilter]]) -> None:
        self._filters = tuple(filters)

    def apply(
        self, metas: Mapping[str, BlockMeta], context: FilterContext
    ) -> tuple[dict[str, BlockMeta], dict[str, tuple[str, str]]]:
        """The metas that pass, and the ULIDs that do not, each with (state, filter name). Raises FilterError."""
        kept = dict(metas)
        dropped: dict[str, tuple[str, str]] = {}
        for name, meta_filter in self._filters:
            for ulid, state in _select(name, meta_filter, kept, context).items():
                if kept.pop(ulid, None) is not None:
                    dropped[ulid] = (state, name)
        return kept, dropped


def _label(name: str, meta_filter: MetaFilter) -> str:
    origin = getattr(meta_filter, "origin", "")
    return f"{name!r} ({origin})" if origin else repr(name)


def _select(
    name: str, meta_filter: MetaFilter, metas: Mapping[str, BlockMeta], context: FilterContext
) -> dict[str, str]:
    try:
        return dict(meta_filter.select(dict(metas), context))
    except Exception as error:
        raise FilterError(
            f"meta filter {_label(name, meta_filter)} failed ({type(error).__name__}: {error}); fix it or remove it "
            "from meta_filters"
        ) from error
