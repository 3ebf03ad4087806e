"""Reading single values out of the XML that a store answers with."""

from __future__ import annotations

import html
import re

LONGEST_TEXT = 2000


def xml_text(body: bytes, name: str) -> str:
    """Text of the first element of that name, empty when there is none. `body` may be anything, cut off or hostile."""
    found = re.search(rb"<%b(?: [^<>]*)?>([^<]{1,%d})</" % (name.encode(), LONGEST_TEXT), body)
    return html.unescape(found[1].decode("utf-8", "replace")).strip() if found else ""
