"""Fields of a form, in the body or in the query of a request."""

from __future__ import annotations

from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qs

from starlette.requests import Request

MAX_FIELDS = 100


async def form_fields(request: Request) -> dict[str, str]:
    """The first value of each field; the body goes before the query. Raises ValueError for a body that is no form."""
    fields = _first(parse_qs(request.url.query, max_num_fields=MAX_FIELDS))
    body = await request.body()
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if kind.startswith("multipart/form-data"):
        return fields | _multipart(kind, body)
    if kind.startswith("application/x-www-form-urlencoded"):
        return fields | _first(parse_qs(body.decode(errors="replace"), max_num_fields=MAX_FIELDS))
    if body:
        raise ValueError("the body must be a form (application/x-www-form-urlencoded)")
    return fields


def _first(fields: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in fields.items()}


def _multipart(kind: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise ValueError("the body is not the multipart form that its Content-Type promises")
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and len(fields) < MAX_FIELDS:
            payload = part.get_payload(decode=True)
            fields.setdefault(name, payload.decode(errors="replace") if isinstance(payload, bytes) else "")
    return fields
