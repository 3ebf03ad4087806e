"""What one query cost. Field names are those of `hintspb.QueryStats` (spec/storeapi.md 8.3)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields

from storegate.query.costs import QueryCosts


@dataclass(slots=True)
class QueryStats:
    """Counts, bytes and seconds of one request, all blocks together. `add` is thread-safe; fields are plain numbers."""

    blocks_queried: int = 0
    merged_series_count: int = 0
    merged_chunks_count: int = 0
    postings_touched: int = 0
    postings_touched_size_sum: int = 0
    postings_to_fetch: int = 0
    postings_fetched: int = 0
    postings_fetched_size_sum: int = 0
    postings_fetch_count: int = 0
    series_touched: int = 0
    series_touched_size_sum: int = 0
    series_fetched: int = 0
    series_fetched_size_sum: int = 0
    series_fetch_count: int = 0
    chunks_touched: int = 0
    chunks_touched_size_sum: int = 0
    chunks_fetched: int = 0
    chunks_fetched_size_sum: int = 0
    chunks_fetch_count: int = 0
    series_refetches: int = 0
    chunks_refetches: int = 0
    get_all_seconds: float = 0.0
    merge_seconds: float = 0.0
    method: str = "Series"
    tenant: str = ""
    error: str = ""
    costs: QueryCosts = field(default_factory=QueryCosts, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **amounts: int) -> None:
        """Add to the named fields at once."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    @property
    def data_downloaded_size_sum(self) -> int:
        """All touched and fetched bytes."""
        return sum(
            getattr(self, f"{kind}_{what}_size_sum")
            for kind in ("postings", "series", "chunks")
            for what in ("touched", "fetched")
        )

    def as_dict(self) -> dict[str, int | float | str]:
        """All public fields but `costs`, for logs and the API."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith("_") and f.name != "costs"}
