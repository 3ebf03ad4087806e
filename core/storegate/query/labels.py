"""LabelNames and LabelValues (StoreAPI 9 and 10): from index-headers alone where no matcher is left, else by a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from storegate.block.block import Block
from storegate.block.catalog import CatalogSnapshot, Selection
from storegate.index.expand import digest_of
from storegate.index.header import IndexHeader
from storegate.index.matchers import Matcher
from storegate.query.call import Call
from storegate.query.context import Query, Shared, blamed
from storegate.query.plan import BlockPlan, Matchers, block_filter, held, left_over
from storegate.query.request import (
    LabelMatcher,
    LabelNamesRequest,
    LabelsAnswer,
    LabelValuesRequest,
    MatchType,
)
from storegate.query.select import Columns, Wanted, decode_entries, expand_block, label_column, test_lazy
from storegate.steps import Work

_NAME = b"__name__"
FromHeader = Callable[[Block, IndexHeader], Iterable[bytes]]
FromSeries = Callable[[Block, IndexHeader, Columns], Iterable[bytes]]


def label_names(shared: Shared, request: LabelNamesRequest, call: Call) -> LabelsAnswer:
    """Sorted names of the labels of the matching series. Raises StoregateError."""
    without = frozenset(name.encode() for name in request.without_replica_labels)

    def from_header(block: Block, header: IndexHeader) -> Iterable[bytes]:
        # As in the reference, replica labels that series themselves have stay here.
        return {*header.label_names(), *({name.encode() for name, _ in block.labels} - without)}

    def from_series(block: Block, header: IndexHeader, columns: Columns) -> Iterable[bytes]:
        if not len(columns):
            return ()
        ordinals = np.unique(columns.label_refs[: 2 * int(columns.label_start[-1]) : 2]).tolist()
        names = {header.symbols.text(ordinal) for ordinal in ordinals}
        removed = {name.encode() for name, value in block.meta.labels.items() if not value}
        return (names - removed | {name.encode() for name, _ in block.labels}) - without

    return _LabelCall(shared, request, call, "LabelNames").answer(from_header, from_series)


def label_values(shared: Shared, request: LabelValuesRequest, call: Call) -> LabelsAnswer:
    """Sorted values of one label in the matching series. Raises StoregateError."""
    if request.label in request.without_replica_labels:
        return LabelsAnswer(values=[], blocks=None)
    label = request.label.encode()

    def from_header(block: Block, header: IndexHeader) -> Iterable[bytes]:
        external = dict(block.labels).get(request.label)
        return {*header.label_values(label), *([external.encode()] if external else ())}

    def from_series(block: Block, header: IndexHeader, columns: Columns) -> Iterable[bytes]:
        if not len(columns):
            return ()
        if request.label in block.meta.labels:
            value = block.meta.labels[request.label]
            return (value.encode(),) if value else ()
        ordinals = np.unique(label_column(columns, header, label)).tolist()
        return {header.symbols.text(ordinal) for ordinal in ordinals if ordinal >= 0} - {b""}

    return _LabelCall(shared, request, call, "LabelValues", label).answer(from_header, from_series)


class _LabelCall:
    """What both calls have in common: which blocks, and how each is asked."""

    def __init__(
        self,
        shared: Shared,
        request: LabelNamesRequest | LabelValuesRequest,
        call: Call,
        method: str,
        label: bytes | None = None,
    ) -> None:
        self._query = Query(shared, call, method)
        self._query.describe(request.matchers, request.start, request.end)
        self._request = request
        self._matchers = shared.compiler.compile(request.matchers)
        self._passes = block_filter(shared.compiler.compile(request.block_matchers))
        self._narrow = self._narrowing(label)

    def _narrowing(self, label: bytes | None) -> Matcher | None:
        """`label != ""`, which spares a scan of series that have no value to give."""
        if label is None or any(m.name == _NAME and m.type is MatchType.EQ for m in self._matchers):
            return None
        return Matcher(LabelMatcher(MatchType.NEQ, label.decode(), ""))

    def answer(self, from_header: FromHeader, from_series: FromSeries) -> LabelsAnswer:
        query = self._query
        query.shared.running.add(query)
        query.costs.enter("plan")
        try:
            return self._answer(from_header, from_series)
        except BaseException as error:
            query.stats.error = str(error) or type(error).__name__
            raise
        finally:
            query.costs.enter("")
            query.shared.running.remove(query)
            query.observe_fetches()
            query.shared.observers.query_finished(query.stats)

    def _answer(self, from_header: FromHeader, from_series: FromSeries) -> LabelsAnswer:
        request, query = self._request, self._query

        def select(snapshot: CatalogSnapshot) -> list[Selection[Matchers]]:
            return snapshot.select_labels(
                request.start, request.end, lambda labels: left_over(self._matchers, labels), self._passes
            )

        with ExitStack() as stack:
            headers = None
            while headers is None:
                plans = stack.enter_context(held(query.shared.catalog.snapshot, select))
                headers = query.open_headers(plans, stack)
            query.costs.enter("series")
            with blamed("", "series"):
                found = query.fetcher.drive(
                    (plan.block.meta.ulid, self._ask(self._narrowed(plan), header, from_header, from_series))
                    for plan, header in zip(plans, headers, strict=True)
                )
        values = sorted(set().union(*found))
        if request.limit > 0:
            values = values[: request.limit]
        return LabelsAnswer(
            values=[value.decode("utf-8", "surrogateescape") for value in values],
            blocks=tuple(plan.block.meta.ulid for plan in plans),
        )

    def _narrowed(self, plan: BlockPlan) -> BlockPlan:
        narrow = self._narrow
        if narrow is None or not plan.matchers or narrow.name.decode() in dict(plan.block.labels):
            return plan
        matchers = (*plan.matchers, narrow)
        return replace(plan, matchers=matchers, digest=digest_of(matchers))

    def _ask(
        self, plan: BlockPlan, header: IndexHeader, from_header: FromHeader, from_series: FromSeries
    ) -> Work[Iterable[bytes]]:
        block, query, request = plan.block, self._query, self._request
        if not plan.matchers:
            return from_header(block, header)
        settings = query.shared.settings.query
        wanted = Wanted(
            min_time=request.start, max_time=request.end, chunks=False, batch=settings.series_batch,
            series_size=settings.series_size,
        )  # fmt: skip
        refs, lazy = yield from expand_block(
            block, header, plan.matchers, plan.digest, wanted, query.access, query.limits
        )
        values: set[bytes] = set()
        for begin in range(0, len(refs), wanted.batch):
            query.call.check()
            columns = yield from decode_entries(
                block, header, refs[begin : begin + wanted.batch], wanted, query.access, sizes=bool(lazy)
            )
            columns = test_lazy(columns, header, lazy, query.access)
            if lazy:
                query.limits.series.reserve(len(columns))
            values.update(from_series(block, header, columns))
        return values
