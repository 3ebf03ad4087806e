"""From the metadata of an RPC to a `Call`: who asks, and for how long."""

from __future__ import annotations

import time
from typing import Any

from storegate.query.call import Call

TENANT_KEY = "thanos-tenant"
REQUEST_ID_KEY = "request-id"
TRACE_KEY = "traceparent"
DEFAULT_TENANT = "default-tenant"


def open_call(context: Any) -> Call:
    """The caller as its metadata tells it. The tenant is unchecked text; a request id counts only when it is one."""
    tenants, request_ids, traces = [], [], []
    for key, value in context.invocation_metadata() or ():
        if key == TENANT_KEY:
            tenants.append(value)
        elif key == REQUEST_ID_KEY:
            request_ids.append(value)
        elif key == TRACE_KEY:
            traces.append(value)
    remaining = context.time_remaining()
    return Call(
        tenant=tenants[0] if tenants and tenants[0] else DEFAULT_TENANT,
        request_id=request_ids[0] if len(request_ids) == 1 else "",
        traceparent=traces[0] if len(traces) == 1 else "",
        deadline=None if remaining is None else time.monotonic() + remaining,
    )
