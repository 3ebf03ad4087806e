"""The front end `grpc`: the StoreAPI, Info, health and reflection services over gRPC."""

from __future__ import annotations

from collections.abc import Iterable

import storegate
from storegate_grpc.config import GrpcConfig


@storegate.hookimpl
def storegate_frontends() -> Iterable[storegate.FrontendProvider]:
    yield storegate.FrontendProvider(
        name="grpc",
        summary="Thanos StoreAPI, Info, health and reflection over gRPC",
        config=GrpcConfig,
        factory="storegate_grpc.opening:open_frontend",
    )
