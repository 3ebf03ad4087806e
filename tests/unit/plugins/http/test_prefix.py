"""Only the path of a prefix is kept."""

from __future__ import annotations

import pytest

from storegate_http.prefix import sanitised


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("/", ""),
        ("thanos", "/thanos"),
        ("/thanos/", "/thanos"),
        ("//evil.example/x", "/x"),
        ("https://evil.example/a//b/?q=1#f", "/a/b"),
        ("/a/../../b/./c", "/a/b/c"),
        ('/"><script>alert(1)</script>', "/scriptalert1/script"),
        ("/a\r\nSet-Cookie: x", "/aSet-Cookie:x"),
        ("http://[bad", ""),
    ],
)
def test_a_prefix_is_a_clean_path(text: str, path: str) -> None:
    assert sanitised(text) == path
