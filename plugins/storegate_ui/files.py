"""Scripts, styles and the icon, read once."""

from __future__ import annotations

import hashlib
from importlib import resources

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


class StaticFiles:
    """Answers from memory. `version` changes with any of the files."""

    def __init__(self) -> None:
        folder = resources.files(__package__) / "static"
        self._files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if _type(entry.name)}
        digest = hashlib.blake2b(digest_size=8)
        for name in sorted(self._files):
            digest.update(self._files[name])
        self.version = digest.hexdigest()
        self._headers = {"Cache-Control": "no-cache", "ETag": f'W/"{self.version}"'}

    def answer(self, request: Request) -> Response:
        """One file; 304 when the browser has it already."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        if request.headers.get("if-none-match") == self._headers["ETag"]:
            return Response(status_code=304, headers=self._headers)
        return Response(self._files[name], headers=self._headers, media_type=_type(name))


def _type(name: str) -> str:
    return TYPES.get(name.rpartition(".")[2], "")
