"""Matchers one value at a time, and over all values of a label at once."""

from __future__ import annotations

import pytest
import re2
from hypothesis import assume, example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from storegate.errors import InvalidRequestError
from storegate.index.header import IndexHeader, build_index_header
from storegate.index.matchers import Matcher, MatcherCompiler
from storegate.query.request import LabelMatcher, MatchType
from storegate.testing.index_writer import IndexSeries, build_index
from storegate.testing.memory_store import MemoryStore
from storegate.testing.obvious import compile_matchers
from storegate.testing.strategies import label_values, matchers, patterns

RE, NRE = MatchType.RE, MatchType.NRE
POOL = sorted(
    {
        "a",
        "aa",
        "ab",
        "abc",
        "b",
        "ba",
        "a\nb",
        "\n",
        "ä",
        "äb",
        "A",
        "AB",
        "api",
        "api-1",
        "api-10",
        "1",
        "[",
        "^",
        "x$",
    }
)


def values_of(texts):
    """All these values of one label, as a header gives them."""
    data = build_index([IndexSeries(((b"k", text),), []) for text in sorted(texts)]).data
    header = build_index_header(MemoryStore({"k": data}), "k", len(data), None)
    assert header is not None
    return IndexHeader.from_bytes(header).postings.values(b"k")


VALUES = values_of([text.encode() for text in POOL])
PIECES = st.sampled_from(
    ("a", "b", "A", "ä", ".", ".*", ".+", "[^a]", "[^b]*", "[[^]", r"\[", r"\[^a", "^", "$", "|", "(?i)", "(?s)",
     "(?m)", "(?m:^)", "(?-s:.)", r"\b", r"\B", r"\A", r"\z", r"\Qa", r"\E", "(a|b)*", "\n", r"\n", r"\x00", r"\x01",
     r"\x{ff}", "x?", "(", ")", r"\pL", r"\C", "[[:upper:]]", "{2}")
)  # fmt: skip


def made(kind, value, name="k"):
    return Matcher(LabelMatcher(kind, name, value))


@given(matcher=matchers(), value=st.one_of(st.just(""), label_values()))
def test_a_matcher_passes_what_the_obvious_one_passes(matcher, value):
    assert Matcher(matcher).matches(value.encode()) == compile_matchers([matcher])[0].matches(value)


@given(pattern=st.one_of(patterns(), st.lists(PIECES, max_size=4).map("".join)))
@example(pattern=r"\[^a")
@example(pattern="(?m)a$\nb")
@example(pattern="a|(?m)^b")
def test_all_values_at_once_gives_what_one_by_one_gives(pattern):
    options = re2.Options()
    options.log_errors = False
    try:
        reference = re2.compile(f"^(?s:{pattern})$", options)
        re2.compile(pattern, options)
    except re2.error:
        assume(False)
    assume(r"\C" not in pattern)
    matcher = made(RE, pattern)
    expected = [i for i, text in enumerate(VALUES.texts()) if reference.search(text) is not None]
    assert matcher.positive_indexes(VALUES).tolist() == expected
    assert [i for i, text in enumerate(VALUES.texts()) if matcher.matches(text)] == expected


def test_values_that_hold_the_marks_are_matched_one_by_one():
    values = values_of([bytes([i]) + b"a" for i in range(20)])
    assert made(RE, ".a").positive_indexes(values).tolist() == list(range(20))
    assert made(RE, r"\x01.").positive_indexes(values).tolist() == [1]


@pytest.mark.parametrize(
    ("kind", "value", "passing"),
    [
        (MatchType.EQ, "a", ["a"]),
        (MatchType.NEQ, "a", ["", "b", "ab", "a\n"]),
        (MatchType.EQ, "", [""]),
        (MatchType.NEQ, "", ["a", "b", "ab", "a\n"]),
        (RE, "a.*", ["a", "ab", "a\n"]),
        (NRE, "a.*", ["", "b"]),
        (RE, "a|", ["", "a"]),
        (NRE, "a|", ["b", "ab", "a\n"]),
        (RE, "a$", ["a"]),
        (RE, ".+", ["a", "b", "ab", "a\n"]),
        (RE, "(?i)A", ["a"]),
        (RE, "", [""]),
    ],
)
def test_matchers_pass_values(kind, value, passing):
    values = ["", "a", "b", "ab", "a\n"]
    matcher = made(kind, value)
    assert [text for text in values if matcher.matches(text.encode())] == passing
    assert matcher.mask([text.encode() for text in values]).tolist() == [text in passing for text in values]
    assert matcher.matches_empty == ("" in passing)


@pytest.mark.parametrize(
    "pattern", ["(", "a)|(b", "[", "*", "a**", r"\k", "(?=a)", r"(a)\1", "a{1001}", r"\C", r"\\\C"]
)
def test_a_pattern_that_go_refuses_is_an_invalid_request(pattern):
    with pytest.raises(InvalidRequestError, match=r'matcher k=~".*": error parsing regexp: '):
        made(RE, pattern)


def test_an_escaped_backslash_before_a_c_is_no_single_byte():
    assert made(RE, r"\\C").matches(rb"\C")


def test_an_unknown_type_is_an_invalid_request():
    with pytest.raises(InvalidRequestError, match="matcher on 'k' has the unknown type 7"):
        made(7, "x")


def test_a_matcher_shows_as_it_is_written_in_queries():
    assert str(made(MatchType.NEQ, 'a"b\\c', "job")) == r'job!="a\"b\\c"'


def test_a_pattern_that_is_costly_elsewhere_takes_linear_time():
    assert not made(RE, "(a*)*b").matches(b"a" * 50_000)


def test_deeply_nested_patterns_are_matched():
    assert made(RE, "(" * 500 + "ab*" + ")" * 500).matches(b"abb")
    assert made(RE, "(" * 500 + "a" + ")" * 500).matches(b"a")


def test_a_pattern_that_is_almost_too_large_is_matched_value_by_value(monkeypatch):
    def compile_(pattern, options):
        if pattern.startswith("\\x00"):
            raise re2.error("pattern too large - compile failed")
        return re2_compile(pattern, options)

    re2_compile = re2.compile
    monkeypatch.setattr(re2, "compile", compile_)
    assert len(made(RE, "a.*").positive_indexes(VALUES)) == len([text for text in POOL if text.startswith("a")])


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        (MatchType.EQ, "a", True),
        (MatchType.NEQ, "a", True),
        (MatchType.EQ, "", False),
        (MatchType.NEQ, "", False),
        (RE, "a|b", True),
        (NRE, "a|b", True),
        (RE, "a.*", False),
    ],
)
def test_a_matcher_knows_whether_it_names_its_values(kind, value, named):
    assert made(kind, value).names_values is named


def test_compiled_patterns_are_kept():
    compiler = MatcherCompiler(10)
    first, second = (compiler.compile([LabelMatcher(RE, "k", "a.*b")])[0] for _ in range(2))
    assert first is second


def test_without_a_cache_every_request_compiles_anew():
    compiler = MatcherCompiler(0)
    first, second = (compiler.compile([LabelMatcher(RE, "k", "a.*b")])[0] for _ in range(2))
    assert first is not second


def test_the_pattern_that_was_not_used_for_longest_goes_first():
    compiler = MatcherCompiler(2)
    kept = [compiler.compile([LabelMatcher(RE, "k", text)])[0] for text in ("a.*", "b.*")]
    compiler.compile([LabelMatcher(RE, "k", "a.*")])
    compiler.compile([LabelMatcher(RE, "k", "c.*")])
    again = [compiler.compile([LabelMatcher(RE, "k", text)])[0] for text in ("a.*", "b.*")]
    assert [one is other for one, other in zip(kept, again, strict=True)] == [True, False]


def test_requests_hits_and_evictions_of_patterns_are_counted():
    registry = CollectorRegistry()
    compiler = MatcherCompiler(1, registry)
    compiler.compile([LabelMatcher(RE, "k", text) for text in ("a.*", "a.*", "b.*")] + [LabelMatcher(0, "k", "v")])
    counts = {
        name: registry.get_sample_value(f"thanos_matchers_cache_{name}")
        for name in ("requests_total", "hits_total", "evicted_total", "items", "max_items")
    }
    assert counts == {"requests_total": 3, "hits_total": 1, "evicted_total": 1, "items": 1, "max_items": 1}


def test_without_a_cache_there_are_no_metrics_of_it():
    registry = CollectorRegistry()
    MatcherCompiler(0, registry).compile([LabelMatcher(RE, "k", "a.*")])
    assert list(registry.collect()) == []


def test_a_compiler_tells_bad_patterns_every_time():
    compiler = MatcherCompiler(10)
    for _ in range(2):
        with pytest.raises(InvalidRequestError):
            compiler.compile([LabelMatcher(RE, "k", "(")])
