"""Metrics of the requests that came on top of what the gateway asked for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class ResilienceMetrics:
    """`storegate_objstore_*`, one instance per registry; the label `bucket` is the name of the store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.retries = Counter(
            "storegate_objstore_retries_total",
            "Requests that were sent again after a failure.",
            ["bucket", "operation", "reason"],
            registry=registry,
        )
        self.hedged = Counter(
            "storegate_objstore_hedged_requests_total",
            "Requests that were sent in addition to slow ones.",
            ["bucket"],
            registry=registry,
        )
        self.won = Counter(
            "storegate_objstore_hedged_requests_won_total",
            "Requests that were sent in addition and answered first.",
            ["bucket"],
            registry=registry,
        )
        self.limit = Gauge(
            "storegate_objstore_throttled_concurrency",
            "Requests at once that the gateway keeps to while the store throttles; 0 while it does not.",
            ["bucket"],
            registry=registry,
        )
