"""What a gateway must answer, worked out the slow way (the rules are those of the Thanos StoreAPI).

Blocks are given, already chosen by meta filters. Nothing is cached, limited (other than by a request's own `limit`)
or run in parallel; labels are plain tuples of `(name, value)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from storegate.errors import StoregateError
from storegate.query.request import (
    Aggregate,
    LabelNamesRequest,
    LabelsAnswer,
    LabelValuesRequest,
    SeriesRequest,
    Shard,
)
from storegate.testing.chunks import AGGR, split_aggregate
from storegate.testing.obvious.block import ObviousBlock
from storegate.testing.obvious.index import ChunkEntry, LabelPairs, as_bytes
from storegate.testing.obvious.matching import Matcher, all_match, compile_matchers

RESOLUTIONS = (3600000, 300000, 0)
FOLD_ORDER = ("raw", "count", "max", "min", "sum", "counter")
SORT_ORDER = ("raw", "count", "sum", "min", "max", "counter")
EARLIEST, LATEST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class AnswerChunk:
    """An AggrChunk: times of the index entry (ms), and `(wire encoding, data)` by aggregate (`raw`, `count`, ...)."""

    min_time: int
    max_time: int
    aggregates: Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class AnswerSeries:
    """A series of an answer: final labels in order, chunks in order."""

    labels: LabelPairs
    chunks: tuple[AnswerChunk, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A block that takes part in a request, with the matchers that external labels have not settled."""

    block: ObviousBlock
    matchers: tuple[Matcher, ...]


def obvious_series(
    blocks: Iterable[ObviousBlock],
    request: SeriesRequest,
    *,
    min_time: int = EARLIEST,
    max_time: int = LATEST,
    cut_candidates: bool = True,
    strict_aggregates: bool = False,
) -> list[AnswerSeries]:
    """The series of a `Series` call, in order. `min_time` and `max_time` (ms) are those of the gateway.

    `cut_candidates`: `limit` applies to each block's matching series before time and shard are looked at, as in Thanos.
    `strict_aggregates`: a requested aggregate that a chunk lacks is an error, as in Thanos; otherwise it is left out.
    Raises InvalidRequestError for a bad matcher, StoregateError or CorruptError for a chunk that cannot be served.
    """
    start, end = max(request.min_time, min_time), min(request.max_time, max_time)
    found: list[AnswerSeries] = []
    for candidate in choose_blocks(blocks, request, start, end):
        found += _block_answer(candidate, request, start, end, cut_candidates, strict_aggregates)
    found.sort(key=lambda series: labels_key(series.labels))
    answer = [_fold(list(group)) for _, group in groupby(found, key=lambda series: series.labels)]
    return answer[: request.limit] if request.limit > 0 else answer


def choose_blocks(blocks: Iterable[ObviousBlock], request: SeriesRequest, start: int, end: int) -> list[_Candidate]:
    """Blocks of a `Series` call: by external labels, time, resolution and block matchers."""
    matchers, block_matchers = compile_matchers(request.matchers), compile_matchers(request.block_matchers)
    sets: dict[frozenset[tuple[str, str]], list[ObviousBlock]] = {}
    for block in blocks:
        sets.setdefault(frozenset(block.labels.items()), []).append(block)
    chosen = []
    for members in sets.values():
        rest = _left_over(matchers, members[0].labels)
        if rest is None:
            continue
        picked = _by_resolution(members, start, end, max(0, request.max_resolution))
        unique = {block.ulid: block for block in picked if _hinted(block, block_matchers)}
        chosen += [_Candidate(block, rest) for block in unique.values()]
    return chosen


def _left_over(matchers: Sequence[Matcher], external: Mapping[str, str]) -> tuple[Matcher, ...] | None:
    """Matchers that must be asked of the series; None when an external label fails its matcher."""
    own = [matcher for matcher in matchers if not external.get(matcher.name)]
    settled = [matcher for matcher in matchers if external.get(matcher.name)]
    return tuple(own) if all_match(settled, external) else None


def _hinted(block: ObviousBlock, matchers: Sequence[Matcher]) -> bool:
    return all_match(matchers, block.labels | {"__block_id": block.ulid})


def _by_resolution(blocks: Sequence[ObviousBlock], start: int, end: int, most: int) -> list[ObviousBlock]:
    """The coarsest blocks allowed, gaps between them filled by finer ones."""
    if start > end:
        return []
    level = next(resolution for resolution in RESOLUTIONS if resolution <= most)
    chosen: list[ObviousBlock] = []
    covered = start
    mine = [block for block in blocks if block.resolution == level]
    for block in sorted(mine, key=lambda block: (block.min_time, block.max_time)):
        if block.max_time <= start or block.min_time > end:
            continue
        if level:
            chosen += _by_resolution(blocks, covered, block.min_time - 1, level - 1)
        chosen.append(block)
        covered = max(covered, block.max_time)
    if level:
        chosen += _by_resolution(blocks, covered, end, level - 1)
    return chosen


def _block_answer(
    candidate: _Candidate, request: SeriesRequest, start: int, end: int, cut_candidates: bool, strict: bool
) -> list[AnswerSeries]:
    if not candidate.matchers:
        return []
    block = candidate.block
    matching = block.matching(candidate.matchers)
    limit = request.limit if request.limit > 0 else len(matching)
    if cut_candidates:
        matching = matching[:limit]
    answer = []
    for series in matching:
        entries = [entry for entry in series.chunks if entry.min_time <= end and start <= entry.max_time]
        labels = final_labels(series.labels, block.labels, request.without_replica_labels)
        if not entries or not in_shard(labels, request.shard):
            continue
        wanted = [] if request.skip_chunks else entries
        chunks = [_answer_chunk(block, entry, request.aggregates, strict) for entry in wanted]
        answer.append(AnswerSeries(labels, tuple(chunks)))
    return sorted(answer[:limit], key=lambda series: labels_key(series.labels))


def final_labels(own: LabelPairs, external: Mapping[str, str], without: Iterable[str]) -> LabelPairs:
    """Labels of an answer: external ones win over the series' own, an empty one removes the name, listed names go."""
    merged = {name: value for name, value in (dict(own) | dict(external)).items() if value or name not in external}
    for name in without:
        merged.pop(name, None)
    return tuple(sorted(merged.items(), key=lambda pair: as_bytes(pair[0])))


def labels_key(labels: LabelPairs) -> list[tuple[bytes, bytes]]:
    """Sorts label sets: pair by pair, names before values, as bytes; the shorter of two first."""
    return [(as_bytes(name), as_bytes(value)) for name, value in labels]


def in_shard(labels: LabelPairs, shard: Shard | None) -> bool:
    """Whether the hash of the selected labels falls into the shard."""
    if shard is None or shard.total < 1:
        return True
    import xxhash

    selected = [pair for pair in labels if (pair[0] in shard.labels) == shard.by]
    text = b"".join(as_bytes(name) + b"\xff" + as_bytes(value) + b"\xff" for name, value in selected)
    return int(xxhash.xxh64_intdigest(text)) % shard.total == shard.index


def _answer_chunk(block: ObviousBlock, entry: ChunkEntry, wanted: Sequence[int], strict: bool) -> AnswerChunk:
    encoding, data = block.chunk(entry)
    if encoding in (1, 2, 3):
        return AnswerChunk(entry.min_time, entry.max_time, {"raw": (encoding - 1, data)})
    if encoding != AGGR:
        raise StoregateError(f"unsupported chunk encoding {encoding} in block {block.ulid}")
    slots = split_aggregate(data)
    aggregates = {}
    for aggregate in wanted:
        if aggregate == Aggregate.RAW or aggregate not in tuple(Aggregate):
            continue
        name = Aggregate(aggregate).name.lower()
        if name in slots:
            aggregates[name] = (slots[name][0] - 1, slots[name][1])
        elif strict:
            raise StoregateError(f"aggregate {name} does not exist in block {block.ulid}")
    return AnswerChunk(entry.min_time, entry.max_time, aggregates)


def _fold(group: Sequence[AnswerSeries]) -> AnswerSeries:
    """One series from all that have the same labels: chunks seen before are dropped, the rest sorted."""
    seen: set[bytes] = set()
    kept: list[AnswerChunk] = []
    for series in group:
        for chunk in series.chunks:
            data = [chunk.aggregates[name][1] for name in FOLD_ORDER if name in chunk.aggregates]
            new = next((one for one in data if one not in seen), None)
            if new is not None:
                seen.add(new)
                kept.append(chunk)
    if not kept:
        return group[0]
    return AnswerSeries(group[0].labels, tuple(sorted(kept, key=_chunk_key)))


def _chunk_key(chunk: AnswerChunk) -> tuple[object, ...]:
    return (chunk.min_time, chunk.max_time, *(_aggregate_key(chunk.aggregates.get(name)) for name in SORT_ORDER))


def _aggregate_key(aggregate: tuple[int, bytes] | None) -> tuple[object, ...]:
    """Present before absent, small encodings first, data in descending order."""
    if aggregate is None:
        return (1,)
    encoding, data = aggregate
    return (0, encoding, [255 - byte for byte in data] + [256])


def obvious_label_names(blocks: Iterable[ObviousBlock], request: LabelNamesRequest) -> LabelsAnswer:
    """The answer of a `LabelNames` call. Raises InvalidRequestError."""
    names: set[str] = set()
    asked = _label_blocks(blocks, request)
    for candidate in asked:
        block = candidate.block
        if candidate.matchers:
            for labels in _scan(candidate, request):
                names |= {name for name, _ in labels}
        else:
            names |= set(block.index.label_names())
            external = {name for name, value in block.labels.items() if value}
            names |= external - set(request.without_replica_labels)
    return _labels_answer(names, request.limit, asked)


def obvious_label_values(blocks: Iterable[ObviousBlock], request: LabelValuesRequest) -> LabelsAnswer:
    """The answer of a `LabelValues` call. Raises InvalidRequestError."""
    if request.label in request.without_replica_labels:
        compile_matchers(request.matchers)
        return LabelsAnswer(values=[], blocks=None)
    values: set[str] = set()
    asked = _label_blocks(blocks, request)
    for candidate in asked:
        block = candidate.block
        if candidate.matchers:
            values |= {dict(labels).get(request.label, "") for labels in _scan(candidate, request)}
        else:
            values |= {*block.index.label_values(request.label), block.labels.get(request.label, "")}
    return _labels_answer(values - {""}, request.limit, asked)


def _label_blocks(blocks: Iterable[ObviousBlock], request: LabelNamesRequest | LabelValuesRequest) -> list[_Candidate]:
    """Every block in time, of any resolution, that block matchers and external labels allow."""
    matchers, block_matchers = compile_matchers(request.matchers), compile_matchers(request.block_matchers)
    asked = []
    for block in blocks:
        rest = _left_over(matchers, block.labels)
        in_time = block.min_time <= request.end and request.start < block.max_time
        if in_time and rest is not None and _hinted(block, block_matchers):
            asked.append(_Candidate(block, rest))
    return asked


def _scan(candidate: _Candidate, request: LabelNamesRequest | LabelValuesRequest) -> list[LabelPairs]:
    """Final labels of the matching series that have a chunk in the request's time."""
    block = candidate.block
    return [
        final_labels(series.labels, block.labels, request.without_replica_labels)
        for series in block.matching(candidate.matchers)
        if any(entry.min_time <= request.end and request.start <= entry.max_time for entry in series.chunks)
    ]


def _labels_answer(texts: Iterable[str], limit: int, asked: Sequence[_Candidate]) -> LabelsAnswer:
    values = sorted(texts, key=as_bytes)
    blocks = tuple(sorted(candidate.block.ulid for candidate in asked))
    return LabelsAnswer(values=values[:limit] if limit > 0 else values, blocks=blocks)
