"""What can be known of a regular expression without running it: finite sets of literals, and literal prefixes."""

from __future__ import annotations

MAX_SET = 256
MAX_DEPTH = 20
"""Groups inside one another that are looked into; RE2 takes a thousand, which would exhaust the stack here."""
_META = set("\\.+*?()|[]{}^$")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class _NotFinite(Exception):
    pass


def finite_set(pattern: str) -> tuple[str, ...] | None:
    """The strings that `pattern` matches whole, when they are few literals; None when that is not plain to see.

    Understands literals, escapes of punctuation, alternation, groups without flags and small classes (StoreAPI 5.1);
    anything else, and more than 256 strings, gives None. `pattern` must be valid.
    """
    try:
        found, at = _alternation(pattern, 0, 0)
    except _NotFinite:
        return None
    if at != len(pattern):
        return None
    return tuple(sorted(set(found)))


def literal_prefix(pattern: str) -> str:
    """A string that every match of `pattern` begins with; empty when none is plain to see."""
    prefix = []
    i = 0
    while i < len(pattern):
        char, width = pattern[i], 1
        if char == "\\" and i + 1 < len(pattern) and _is_punctuation(pattern[i + 1]):
            char, width = pattern[i + 1], 2
        elif char in _META:
            break
        prefix.append(char)
        i += width
    if prefix and (pattern[i : i + 1] in ("*", "?", "{") or pattern.startswith("(?", i)):
        prefix.pop()  # a quantifier, perhaps behind flags, may make the last character optional
    return "" if _has_top_alternative(pattern[i:]) else "".join(prefix)


def _has_top_alternative(rest: str) -> bool:
    # A bar inside a group or class gives up some speed here, nothing else.
    return "|" in rest


def _is_punctuation(char: str) -> bool:
    return char.isascii() and not char.isalnum() and char.isprintable()


def _alternation(pattern: str, at: int, depth: int) -> tuple[list[str], int]:
    found: list[str] = []
    while True:
        branch, at = _concatenation(pattern, at, depth)
        found += branch
        if len(found) > MAX_SET:
            raise _NotFinite
        if at < len(pattern) and pattern[at] == "|":
            at += 1
            continue
        return found, at


def _concatenation(pattern: str, at: int, depth: int) -> tuple[list[str], int]:
    strings = [""]
    literal: list[str] = []  # what all strings go on with; joined late, for patterns may be long
    while at < len(pattern) and pattern[at] not in "|)":
        choices, at = _atom(pattern, at, depth)
        if at < len(pattern) and pattern[at] in "*+?{":
            raise _NotFinite
        if len(choices) == 1:
            literal += choices
            continue
        if len(strings) * len(choices) > MAX_SET:
            raise _NotFinite
        text = "".join(literal)
        literal.clear()
        strings = [a + text + b for a in strings for b in choices]
    text = "".join(literal)
    return [a + text for a in strings], at


def _atom(pattern: str, at: int, depth: int) -> tuple[list[str], int]:
    char = pattern[at]
    if char == "(":
        at += 1
        if pattern.startswith("?:", at):
            at += 2
        elif pattern.startswith("?", at) or depth == MAX_DEPTH:
            raise _NotFinite
        choices, at = _alternation(pattern, at, depth + 1)
        if at >= len(pattern) or pattern[at] != ")":
            raise _NotFinite
        return choices, at + 1
    if char == "[":
        return _char_class(pattern, at + 1)
    if char == "\\":
        literal, at = _escape(pattern, at)
        return [literal], at
    if char in _META and char != "]":
        raise _NotFinite
    return [char], at + 1


def _escape(pattern: str, at: int) -> tuple[str, int]:
    if at + 1 >= len(pattern):
        raise _NotFinite
    char = pattern[at + 1]
    if _is_punctuation(char):
        return char, at + 2
    if char in _ESCAPES:
        return _ESCAPES[char], at + 2
    raise _NotFinite


def _char_class(pattern: str, at: int) -> tuple[list[str], int]:
    chars: list[str] = []
    start = at
    if pattern.startswith("^", at):
        raise _NotFinite
    while at < len(pattern) and (pattern[at] != "]" or at == start):
        if pattern.startswith("[:", at):
            raise _NotFinite
        low, at = _escape(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
        if pattern.startswith("-", at) and not pattern.startswith("-]", at):
            at += 1
            if at >= len(pattern) or pattern.startswith("[:", at):
                raise _NotFinite
            high, at = _escape(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
            if ord(high) - ord(low) >= MAX_SET or high < low:
                raise _NotFinite
            chars += map(chr, range(ord(low), ord(high) + 1))
        else:
            chars.append(low)
        if len(chars) > MAX_SET:
            raise _NotFinite
    if at >= len(pattern):
        raise _NotFinite
    return chars, at + 1
