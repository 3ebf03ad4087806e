"""Which postings each matcher asks for (StoreAPI 5.2 and 5.3), and which series pass in the end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storegate.index.groups import all_postings, posting_groups
from storegate.index.matchers import Matcher
from storegate.testing.obvious import compile_matchers
from storegate.testing.strategies import label_sets, matcher_lists

SERIES = [
    *({"i": f"{i:02}"} for i in range(12)),
    {"i": "12", "k": "int"},
    {"i": "13", "k": "float"},
]


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def index(request, make_index):
    return make_index(SERIES, version=request.param)


def groups_of(index, matcher, *texts):
    """(name, inverted, values) of each group; None when nothing can match."""
    found = posting_groups(index.header, [matcher(text) for text in texts])
    if found is None:
        return None
    names = {}
    for name in index.header.label_names():
        values = index.header.postings.values(name)
        names |= {(name, pair[0]): text for text, pair in zip(values.texts(), values.ranges.tolist(), strict=True)}
    names[b"", all_postings(index.header).tolist()[0][0]] = b"(all)"
    return [
        (g.name.decode(), g.inverted, {names[g.name, start].decode() for start in g.lists[:, 0].tolist()})
        for g in found
    ]


VALUES = {"int", "float"}


@pytest.mark.parametrize(
    ("text", "inverted", "values"),
    [
        ("k=~.*", True, set()),
        ("k!~int", True, {"int"}),
        ("k!~int|float|nope", True, VALUES),
        ("k!=int", True, {"int"}),
        ("k!=nope", True, set()),
        ("k=", True, VALUES),
        ("k=~", True, VALUES),
        ("k!~.+", True, VALUES),
        ("k=~int|", True, {"float"}),
        ("k!~i.*", True, {"int"}),
        ("k=~i?.*x?", True, set()),
        ("k=~int|nope", False, {"int"}),
        ("k=int", False, {"int"}),
        ("k!=", False, VALUES),
        ("k!~", False, VALUES),
        ("k=~.+", False, VALUES),
        ("k=~i.*", False, {"int"}),
        ("k!~int|", False, {"float"}),
        ("k!~i.*|", False, {"float"}),
        ("none=", True, set()),
        ("none!=x", True, set()),
    ],
)
def test_the_group_of_a_matcher_is_that_of_the_table(index, matcher, text, inverted, values):
    name = text.split("=")[0].split("!")[0]
    assert groups_of(index, matcher, text) == [(name, inverted, values)]


@pytest.mark.parametrize("text", ["k!~.*", "k=nope", "k=~in", "k=~x.*", "none=x", "none!=", "none=~.+", "none!~"])
def test_a_matcher_that_nothing_passes_ends_the_matter(index, matcher, text):
    assert groups_of(index, matcher, text) is None
    assert groups_of(index, matcher, "i=~.+", text) is None


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ("k=~int|float", "k=~int|x", ("k", False, {"int"})),
        ("k!=int", "k=~.+", ("k", False, {"float"})),
        ("k=~.+", "k!=int", ("k", False, {"float"})),
        ("k!=int", "k!=float", ("k", True, VALUES)),
        ("k!=int", "k!~int", ("k", True, {"int"})),
        ("k=~.*", "k=int", ("k", False, {"int"})),
    ],
)
def test_groups_of_one_name_become_one(index, matcher, first, second, merged):
    assert groups_of(index, matcher, first, second) == [merged]


def test_groups_of_one_name_that_exclude_each_other_end_the_matter(index, matcher):
    assert groups_of(index, matcher, "k=int", "k=float") is None
    assert groups_of(index, matcher, "k=int", "k!=int") is None


def test_groups_come_in_the_order_of_their_names(index, matcher):
    assert [name for name, _, _ in groups_of(index, matcher, "k=int", "i=~.+", "a!=x") or ()] == ["a", "i", "k"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("k=", 12),
        ("k!=", 2),
        ("k!=int", 13),
        ("k=~int|", 13),
        ("k!~int|", 1),
        ("k=~.*", 14),
        ("k!~.*", 0),
        ("k=~.+", 2),
        ("k!~.+", 12),
        ("k=~in", 0),
        ("k=~(?i)INT", 1),
        ("nolabel=", 14),
        ("nolabel!=x", 14),
        ("nolabel=x", 0),
    ],
)
def test_matchers_that_pass_the_empty_value_select_as_the_vectors_say(index, text, count):
    assert len(index.numbers(text)) == count


def test_no_matchers_select_nothing(index):
    assert index.numbers() == []


@settings(max_examples=settings().max_examples // 2)
@given(
    series=st.lists(label_sets(), max_size=8, unique_by=lambda labels: tuple(sorted(labels.items()))),
    wanted=matcher_lists(),
    version=st.sampled_from((1, 2)),
    old=st.booleans(),
)
def test_the_series_that_pass_are_those_that_pass_one_by_one(make_index, series, wanted, version, old):
    index = make_index(series, version=version, label_indices=old)
    ordered = sorted(series, key=lambda labels: sorted((n.encode(), v.encode()) for n, v in labels.items()))
    obvious = compile_matchers(wanted)
    expected = [i for i, labels in enumerate(ordered) if all(m.matches(labels.get(m.name, "")) for m in obvious)]
    assert index.numbers(*map(Matcher, wanted)) == (expected if wanted else [])
