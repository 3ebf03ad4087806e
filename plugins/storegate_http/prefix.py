"""The path under which a proxy shows the pages (operations 1.5, 4.4)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.types import Scope

from storegate.config.settings import WebSettings

SCOPE_KEY = "storegate.prefix"
"""Where applications find the prefix of a request: `scope["storegate.prefix"]`, empty or such as `/thanos/store`."""


def prefix_of(scope: Scope, web: WebSettings) -> str:
    """The prefix for the links of a page; the setting goes before the header."""
    if web.external_prefix:
        return sanitised(web.external_prefix)
    if web.prefix_header:
        wanted = web.prefix_header.lower().encode("latin-1", "replace")
        for name, value in scope["headers"]:
            if name == wanted:
                return sanitised(value.decode("latin-1"))
    return ""


def sanitised(text: str) -> str:
    """The path of a URL, with single slashes, one in front and none at the end. Anything but a path is dropped."""
    try:
        path = urlsplit(text.strip()).path
    except ValueError:
        return ""
    path = re.sub(r"[^\w./~%+@:-]", "", path, flags=re.ASCII)
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "".join(f"/{part}" for part in parts)
