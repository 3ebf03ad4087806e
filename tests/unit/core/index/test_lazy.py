"""Which postings are left to a scan of the series (StoreAPI 5.5)."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from storegate.index.groups import posting_groups
from storegate.index.lazy import split_lazy
from storegate.index.matchers import Matcher
from storegate.metrics import Metrics
from storegate.query.request import LabelMatcher, MatchType

# 400 series: rare=1 has 2, some=1 has 100, most=1 has 390; id has 400 values.
SERIES = [
    {
        "id": f"{i:03}",
        **({"rare": "1"} if i < 2 else {}),
        **({"some": "1"} if i < 100 else {}),
        **({"most": "1"} if i < 390 else {}),
    }
    for i in range(400)
]


@pytest.fixture(scope="module")
def index(make_index):
    return make_index(SERIES)


def split(index, matcher, *texts, size=100, ratio=100.0):
    """(names of the groups to read, texts of the matchers left over)."""
    access = index.access(Metrics(CollectorRegistry()), max_key_series_ratio=ratio, lazy=True)
    groups = posting_groups(index.header, [matcher(text) for text in texts])
    assert groups is not None
    eager, lazy = split_lazy(groups, size, access)
    return [group.name.decode() for group in eager], [str(m) for m in lazy], access


def test_long_postings_are_left_when_few_series_are_selected(index, matcher):
    eager, lazy, access = split(index, matcher, "rare=1", "most=1")
    assert (eager, lazy) == (["rare"], ['most="1"'])
    value = access.metrics.registry.get_sample_value
    prefix = "thanos_bucket_store_lazy_expanded"
    assert value(f"{prefix}_postings_total") == 1
    assert value(f"{prefix}_posting_groups_total", {"reason": "postings_size"}) == 1
    assert value(f"{prefix}_posting_size_bytes_total") == 4 * 390


def test_postings_are_read_when_they_cost_less_than_the_series_that_they_spare(index, matcher):
    assert split(index, matcher, "rare=1", "most=1", size=10_000)[:2] == (["rare", "most"], [])


def test_a_negative_group_that_is_long_is_left(index, matcher):
    assert split(index, matcher, "rare=1", "most!=1")[:2] == (["rare"], ['most!="1"'])


def test_a_short_negative_group_is_read_first(index, matcher):
    assert split(index, matcher, "rare!=1", "some=1", "most=1", size=1)[:2] == (["rare", "some"], ['most="1"'])


def test_nothing_is_left_behind_the_only_positive_group(index, matcher):
    assert split(index, matcher, "rare!=1", "some!=1", "most=1")[:2][1] == []


def test_a_single_group_is_read(index, matcher):
    assert split(index, matcher, "most=1")[:2] == (["most"], [])


def test_everything_is_read_when_the_size_of_a_series_is_unknown(index, matcher):
    assert split(index, matcher, "rare=1", "most=1", size=0)[:2] == (["most", "rare"], [])


def test_groups_of_too_many_keys_are_left(index, matcher):
    eager, lazy, access = split(index, matcher, "rare=1", "id=~.+", "some=1", size=10**6)
    assert (eager, lazy) == (["rare", "some"], ['id=~".+"'])
    value = access.metrics.registry.get_sample_value
    assert value("thanos_bucket_store_lazy_expanded_posting_groups_total", {"reason": "keys_limit"}) == 1
    assert split(index, matcher, "rare=1", "id=~.+", "some=1", size=10**6, ratio=0.0)[:2][1] == []


def test_all_matchers_of_a_group_are_left_together(index, matcher):
    assert split(index, matcher, "rare=1", "most=~1", "most!=2")[1] == ['most=~"1"', 'most!="2"']


NAMES = ("rare", "some", "most", "id")


@given(
    positive=st.lists(st.booleans(), min_size=4, max_size=4),
    size=st.sampled_from((1, 50, 1000, 10**6)),
    ratio=st.sampled_from((0.0, 0.5, 100.0)),
)
def test_the_split_is_that_of_the_description(index, positive, size, ratio):
    matchers = [
        Matcher(LabelMatcher(MatchType.RE, name, ".+") if wanted else LabelMatcher(MatchType.NEQ, name, "1"))
        for name, wanted in zip(NAMES, positive, strict=True)
    ]
    groups = posting_groups(index.header, matchers)
    assert groups is not None
    groups = [group for group in groups if not group.everything]
    eager, lazy = split_lazy(groups, size, index.access(max_key_series_ratio=ratio))
    assert {group.name for group in eager} == described(groups, size, ratio)
    assert {m.name for m in lazy} == {group.name for group in groups} - {group.name for group in eager}


def described(groups, size, ratio):
    """Names of the groups to read, by the letter of the description."""
    ordered = sorted(groups, key=lambda group: (group.cardinality, group.name))
    every = {group.name for group in ordered}
    adds = [i for i, group in enumerate(ordered) if not group.inverted]
    if len(ordered) < 2 or not adds or adds[0] == len(ordered) - 1:
        return every
    first = adds[0]
    matched = ordered[first].cardinality - ceil(sum(group.cardinality for group in ordered[:first]) * 0.5)
    base = matched
    read = {group.name for group in ordered[: first + 1]}
    for group in ordered[first + 1 :]:
        if matched <= 0:
            break
        if ratio > 0 and base > 0 and len(group.lists) / base > ratio:
            continue
        if group.inverted:
            u = ceil(min(group.cardinality, matched) * 0.5)
            saved = u * size
            matched -= u
        else:
            saved = size * ceil(matched * 0.5)
            matched = ceil(matched * 0.5)
        if 4 * group.cardinality > saved:
            break
        read.add(group.name)
    return read
