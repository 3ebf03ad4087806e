"""Answers: from the engine's records to protobuf bytes. Series frames do not pass here; the engine encodes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from storegate.query.request import LabelsAnswer, StoreInfo
from storegate.query.stats import QueryStats
from storegate_proto.info.infopb import rpc_pb2 as info_pb2
from storegate_proto.store.hintspb import hints_pb2
from storegate_proto.store.labelpb import types_pb2 as labels_pb2
from storegate_proto.store.storepb import rpc_pb2

TYPE_URL = "type.googleapis.com/"
_STATS = tuple(
    name
    for name in hints_pb2.QueryStats.DESCRIPTOR.fields_by_name
    if name not in ("get_all_duration", "merge_duration")
)
_Labels = Iterable[tuple[str, str]]


def label_names(answer: LabelsAnswer) -> bytes:
    blocks = answer.blocks
    hints = None if blocks is None else pack(hints_pb2.LabelNamesResponseHints(queried_blocks=_blocks(blocks)))
    return _encode(rpc_pb2.LabelNamesResponse(names=encodable(answer.values), hints=hints))


def label_values(answer: LabelsAnswer) -> bytes:
    blocks = answer.blocks
    hints = None if blocks is None else pack(hints_pb2.LabelValuesResponseHints(queried_blocks=_blocks(blocks)))
    return _encode(rpc_pb2.LabelValuesResponse(values=encodable(answer.values), hints=hints))


def series_hints(blocks: Sequence[str], stats: QueryStats | None) -> bytes:
    """The frame that ends a Series answer; with statistics when the client asked for them."""
    hints = hints_pb2.SeriesResponseHints(queried_blocks=_blocks(blocks))
    if stats is not None:
        hints.query_stats.CopyFrom(_stats(stats))
    return _encode(rpc_pb2.SeriesResponse(hints=pack(hints)))


def info(store: StoreInfo) -> bytes:
    response = info_pb2.InfoResponse(
        ComponentType="store",
        label_sets=[labels_pb2.ZLabelSet(labels=_labels(labels)) for labels in store.label_sets],
        store=info_pb2.StoreInfo(
            min_time=store.min_time,
            max_time=store.max_time,
            supports_sharding=True,
            supports_without_replica_labels=True,
        ),
    )
    for stretch in store.tsdb_infos:
        entry = response.store.tsdb_infos.add(min_time=stretch.min_time, max_time=stretch.max_time)
        entry.labels.SetInParent()  # present even without labels: the reference's readers rely on it
        entry.labels.labels.extend(_labels(stretch.labels))
    return _encode(response)


def legacy_info(store: StoreInfo) -> bytes:
    """`thanos.Store/Info`, gone from Thanos since v0.37. `labels` can only say one label set."""
    response = rpc_pb2.InfoResponse(
        labels=_labels(store.label_sets[0]) if len(store.label_sets) == 1 else [],
        min_time=store.min_time,
        max_time=store.max_time,
        storeType=rpc_pb2.STORE,
        label_sets=[labels_pb2.LabelSet(labels=_labels(labels)) for labels in store.label_sets],
    )
    return _encode(response)


def pack(message: Message) -> Any:
    return Any(type_url=TYPE_URL + message.DESCRIPTOR.full_name, value=message.SerializeToString())


def encodable(values: list[str]) -> list[str]:
    """The values, with bytes that are not UTF-8 (surrogates here) replaced by U+FFFD: protobuf refuses them in text.

    Series frames are not touched by this: there labels travel as the bytes of the block.
    """
    try:
        "".join(values).encode()
        return values
    except UnicodeEncodeError:
        return [value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in values]


def _encode(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _labels(labels: _Labels) -> list[labels_pb2.Label]:
    return [labels_pb2.Label(name=_text(name), value=_text(value)) for name, value in labels]


def _text(text: str) -> str:
    return encodable([text])[0]


def _blocks(ulids: Iterable[str]) -> list[hints_pb2.Block]:
    return [hints_pb2.Block(id=ulid) for ulid in ulids]


def _stats(stats: QueryStats) -> hints_pb2.QueryStats:
    message = hints_pb2.QueryStats(**{name: getattr(stats, name) for name in _STATS})
    message.get_all_duration.FromNanoseconds(int(stats.get_all_seconds * 1e9))
    message.merge_duration.FromNanoseconds(int(stats.merge_seconds * 1e9))
    return message
