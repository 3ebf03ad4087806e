"""What the pages can change here: running queries. Marks are written through `/api/v1/blocks/mark`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from storegate.gateway import Gateway

OWN_HEADER = "x-storegate-ui"
"""A page of another site cannot send it without a permission that is never given."""
MAX_DIGITS = 20


def cancel(gateway: Gateway, request: Request) -> Response:
    """End a running query: 204, or 404 when there is none of this id (any more)."""
    if gateway.settings.web.disable_admin_operations:
        return PlainTextResponse("Admin operations are disabled", 403)
    if OWN_HEADER not in request.headers:
        return PlainTextResponse(f"the header {OWN_HEADER} is missing: only the pages themselves may ask for this", 403)
    number = request.query_params.get("id", "")
    if not (number.isascii() and number.isdigit() and len(number) < MAX_DIGITS):
        return PlainTextResponse("id must be the number of a query", 400)
    if not gateway.cancel(int(number)):
        return PlainTextResponse("this query has ended already", 404)
    return Response(status_code=204)
