"""When an answer equals the recorded one: the rules of the corpus' README."""

from __future__ import annotations

from typing import Any

from corpus.recorded import Answer

ARTEFACT = [["@thanos_compatibility_store_type", "store"]]  # v0.41 and older advertise it, this project does not


def differences(expected: Answer, got: Answer) -> list[str]:
    """What is not equal, in words; empty when the answer is right. Of an error only its code counts."""
    if expected["code"] != got["code"] or expected["code"] != "OK":
        if expected["code"] == got["code"]:
            return []
        return [f"code: {expected['code']} expected, got {got['code']} {got.get('message', '')}".rstrip()]
    found = []
    for key in ("frames", "values", "warnings", "hints"):
        if expected.get(key) != got.get(key):
            found.append(f"{key}: {short(expected.get(key))} expected, got {short(got.get(key))}")
    return found + series_differences(expected.get("series") or [], got.get("series") or [])


def series_differences(expected: list[Answer], got: list[Answer]) -> list[str]:
    if len(expected) != len(got):
        return [f"series: {len(expected)} expected, got {len(got)}; {first_odd_labels(expected, got)}"]
    for position, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one["labels"] != other["labels"]:
            return [f"series {position}: labels {one['labels']} expected, got {other['labels']}"]
        if one["chunks"] != other["chunks"]:
            return [f"series {position} {one['labels']}: {chunk_difference(one['chunks'], other['chunks'])}"]
    return []


def chunk_difference(expected: list[Answer], got: list[Answer]) -> str:
    if len(expected) != len(got):
        return f"{len(expected)} chunks expected, got {len(got)}: {short(expected)} and {short(got)}"
    for position, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one != other:
            return f"chunk {position}: {one} expected, got {other}"
    return ""


def first_odd_labels(expected: list[Answer], got: list[Answer]) -> str:
    one, other = ([series["labels"] for series in side] for side in (expected, got))
    missing = [labels for labels in one if labels not in other]
    extra = [labels for labels in other if labels not in one]
    return f"missing {short(missing)}, extra {short(extra)}"


def info_differences(expected: Answer, got: Answer) -> list[str]:
    """All of `info` but the order of its lists, without the artefact of old versions."""

    def settled(info: Answer) -> Answer:
        store = info["store"]
        return {
            "component": info["component"],
            "label_sets": sorted(labels for labels in info["label_sets"] if labels != ARTEFACT),
            **{f"store.{key}": sorted(value) if isinstance(value, list) else value for key, value in store.items()},
        }

    one, other = settled(expected), settled(got)
    return [f"{key}: {one[key]} expected, got {other.get(key)}" for key in one if one[key] != other.get(key)]


def short(value: Any, limit: int = 400) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
