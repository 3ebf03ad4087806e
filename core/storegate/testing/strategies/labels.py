"""Labels and postings."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = (
    "__name__",
    "job",
    "instance",
    "a",
    "aa",
    "ab",
    "b",
    "le",
    "größe",
    "k8s.pod",
    "replica",
    "region",
    "\U0001f600",
)
VALUES = (
    "a",
    "aa",
    "ab",
    "abc",
    "b",
    "api",
    "api-1",
    "api-10",
    "api-2",
    "10.0.0.1:9100",
    " ",
    "\n",
    "\0",
    "Ä",
    "日本",
    "\uffff",
    "\U0001f600",
)
EXTERNAL_NAMES = ("replica", "region", "job", "zz")

LabelSet = dict[str, str]


def label_names() -> st.SearchStrategy[str]:
    """Label names, odd ones too, never empty."""
    return st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), st.text(min_size=1, max_size=6))


def label_values() -> st.SearchStrategy[str]:
    """Label values, odd ones too, never empty."""
    return st.one_of(st.sampled_from(VALUES), st.sampled_from(VALUES), st.text(min_size=1, max_size=6))


def label_sets(min_size: int = 1, max_size: int = 5) -> st.SearchStrategy[LabelSet]:
    """Labels of one series, without external ones."""
    return st.dictionaries(label_names(), label_values(), min_size=min_size, max_size=max_size)


def external_label_sets(*, empty: bool = False) -> st.SearchStrategy[LabelSet]:
    """External labels of a block; names may collide with those of series. `empty` allows empty values, rare in life."""
    values = ("", *VALUES[:5]) if empty else VALUES[:5]
    return st.dictionaries(st.sampled_from(EXTERNAL_NAMES), st.sampled_from(values), max_size=3)


def postings_lists(max_size: int = 200, max_ref: int = 2**32 - 1) -> st.SearchStrategy[list[int]]:
    """Strictly ascending series references: dense, sparse, clustered."""
    sparse = st.sets(st.integers(0, max_ref), max_size=max_size)
    dense = st.sets(st.integers(0, min(max_ref, max_size * 2)), max_size=max_size)
    spans = st.tuples(st.integers(0, max_ref - max_size), st.integers(0, max_size), st.integers(1, 3))
    run = spans.map(lambda span: set(range(span[0], min(max_ref, span[0] + span[1]), span[2])))
    return st.one_of(sparse, dense, run).map(sorted)
