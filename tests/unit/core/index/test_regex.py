"""What is read off a regular expression without running it must be what RE2 finds by running it."""

from __future__ import annotations

from itertools import product

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from storegate.index.regex import MAX_SET, finite_set, literal_prefix

ALPHABET = "ab-]\n"
WORDS = ["".join(letters) for size in range(4) for letters in product(ALPHABET, repeat=size)]
PIECES = st.sampled_from(
    ("a", "b", "ab", "-", "]", "|", "(", ")", "(?:", "[", "[ab]", "[a-b]", "[^a]", "[]a]", "[a-]", "[-a]", "[a-b-]",
     r"[\-a]", r"\-", r"\]", r"\n", r"\.", r"\\", r"\Qa\E", r"\x61", "(?i)", "(?i:a)", "(?P<n>a)", "*", "+", "?", "{2}",
     "{0,1}", "{", "}", ".", "^", "$", r"\b", r"\d", r"\a", "[[:alpha:]]", r"[\d]", "(?s)", "(?-s)", ",", "\n")
)  # fmt: skip
PATTERNS = st.lists(PIECES, max_size=6).map("".join)


def compiled(pattern):
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


@given(pattern=PATTERNS)
def test_a_finite_set_is_all_that_the_pattern_matches(pattern):
    regex = compiled(pattern)
    assume(regex is not None)
    found = finite_set(pattern)
    if found is not None:
        assert all(regex.fullmatch(text) for text in found)
        assert {word for word in WORDS if regex.fullmatch(word)} == {text for text in found if text in WORDS}
        assert list(found) == sorted(set(found))
        assert len(found) <= MAX_SET


@given(pattern=PATTERNS)
def test_every_match_begins_with_the_literal_prefix(pattern):
    regex = compiled(pattern)
    assume(regex is not None)
    prefix = literal_prefix(pattern)
    assert all(word.startswith(prefix) for word in WORDS if regex.fullmatch(word))


@pytest.mark.parametrize(
    ("pattern", "strings"),
    [
        ("", [""]),
        ("up", ["up"]),
        ("a|b|c", ["a", "b", "c"]),
        ("a|", ["", "a"]),
        ("x(a|b)", ["xa", "xb"]),
        ("x(?:a|b)y", ["xay", "xby"]),
        ("[ab]c", ["ac", "bc"]),
        ("[a-c]", ["a", "b", "c"]),
        (r"10\.0\.0\.1", ["10.0.0.1"]),
        (r"\n", ["\n"]),
        ("((a))", ["a"]),
        ("()", [""]),
        ("ä|ö", ["ä", "ö"]),
        ("a|a", ["a"]),
        ("]", ["]"]),
    ],
)
def test_plain_sets_are_seen(pattern, strings):
    assert finite_set(pattern) == tuple(strings)


@pytest.mark.parametrize(
    "pattern",
    ["a*", "a?", "a{2}", ".", ".*", "[^a]", "(?i)a", "(?i:a)", r"\d", r"\bx", "^a", "a$", "[a-z][a-z]", "[[:digit:]]"],
)
def test_other_patterns_are_no_plain_sets(pattern):
    assert finite_set(pattern) is None


def test_a_set_of_256_is_seen_and_a_larger_one_is_not():
    letters = "abcdefghijklmnop"
    assert len(finite_set(f"[{letters}][{letters}]") or ()) == 256
    assert finite_set(f"[{letters}][{letters}]|x") is None
    assert finite_set("|".join(map(str, range(257)))) is None


def test_deep_nesting_is_no_plain_set():
    assert finite_set("(" * 900 + "a" + ")" * 900) is None


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("api-.*", "api-"),
        ("ab*", "a"),
        ("ab?", "a"),
        ("ab{0,1}", "a"),
        ("ab+", "ab"),
        ("ab(?s)*", "a"),
        (r"a\.b.*", "a.b"),
        (r"a\.*", "a"),
        (r"a\d", "a"),
        ("a.*|b", ""),
        ("a(b|c).*", ""),
        ("(?i)ab", ""),
        ("^ab", ""),
        (".*ab", ""),
        ("", ""),
    ],
)
def test_literal_prefixes_are_seen(pattern, prefix):
    assert literal_prefix(pattern) == prefix


def test_long_literals_stay_whole():
    long = "a" * 5000
    assert finite_set(f"{long}[bc]{long}") == (f"{long}b{long}", f"{long}c{long}")
