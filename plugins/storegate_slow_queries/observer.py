"""One line for a slow query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storegate import BlockMeta, PluginContext
from storegate.query.costs import CLIENT, BlockCost, QueryCosts, StageCost
from storegate_slow_queries import SlowQueryConfig

if TYPE_CHECKING:
    from storegate.query.stats import QueryStats

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def make_observer(config: SlowQueryConfig, context: PluginContext) -> SlowQueryLog:
    """Factory of the provider `slow-query-log`."""
    return SlowQueryLog(config, context.log)


class SlowQueryLog:
    """Logs queries above the threshold at level warn. Thread-safe."""

    def __init__(self, config: SlowQueryConfig, log: Any) -> None:
        self._config = config
        self._log = log

    def block_loaded(self, meta: BlockMeta) -> None:
        """Nothing to say."""

    def block_dropped(self, meta: BlockMeta, reason: str) -> None:
        """Nothing to say."""

    def query_finished(self, stats: QueryStats) -> None:
        """Log it, if it was slow by no fault of its client's."""
        costs = stats.costs
        waited = costs.stages[CLIENT].seconds if CLIENT in costs.stages else 0.0
        if costs.seconds - waited >= self._config.threshold:
            self._log.warning("slow query", **self._line(stats, costs))

    def _line(self, stats: QueryStats, costs: QueryCosts) -> dict[str, Any]:
        line: dict[str, Any] = {
            "method": stats.method,
            "tenant": stats.tenant,
            "request_id": costs.request_id,
            "seconds": round(costs.seconds, 3),
            "matchers": _cut("{" + ", ".join(costs.matchers) + "}", self._config.matchers_length),
            "mint": costs.min_time,
            "maxt": costs.max_time,
            "stages": "; ".join(f"{name} {_stage(cost)}" for name, cost in costs.stages.items()),
            "blocks": stats.blocks_queried or len(costs.blocks),
            "series": stats.merged_series_count,
            "chunks": stats.merged_chunks_count,
            "requests": costs.requests,
            "read": _size(costs.bytes),
        }
        slowest = sorted(costs.blocks.items(), key=lambda item: -item[1].seconds)[: self._config.blocks]
        if slowest:
            line["slowest_blocks"] = "; ".join(f"{ulid} {_block(cost)}" for ulid, cost in slowest)
        if costs.matcher_seconds:
            matcher, seconds = max(costs.matcher_seconds.items(), key=lambda item: item[1])
            line["dearest_matcher"] = f"{_cut(matcher, self._config.matchers_length)} {_seconds(seconds)}"
        if stats.error:
            line["err"] = stats.error
        return {key: value for key, value in line.items() if value != ""}


def _stage(cost: StageCost) -> str:
    parts = []
    if cost.requests:
        parts.append(f"{cost.requests} requests, {_size(cost.bytes)}")
    if cost.lookups:
        parts.append(f"cache {cost.hits}/{cost.lookups}")
    return _seconds(cost.seconds) + (f" ({', '.join(parts)})" if parts else "")


def _block(cost: BlockCost) -> str:
    return f"{cost.requests} requests, {_size(cost.bytes)} in {_seconds(cost.seconds)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}s"


def _size(size: float) -> str:
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f}{unit}" if unit == "B" else f"{size:.1f}{unit}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
