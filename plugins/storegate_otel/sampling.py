"""The samplers of the configuration."""

from __future__ import annotations

import os

from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from storegate_otel.config import OtlpConfig

_PARENT_BASED = "parentbased"


def sampler(config: OtlpConfig) -> Sampler | None:
    """The sampler; None leaves the choice to the environment. By default the caller's decision holds, else all."""
    name = config.sampler_type
    if not name and OTEL_TRACES_SAMPLER in os.environ:
        return None
    name = name or "parentbasedtraceidratiobased"
    root = _root(name.removeprefix(_PARENT_BASED), config.ratio)
    return ParentBased(root) if name.startswith(_PARENT_BASED) else root


def _root(name: str, ratio: float) -> Sampler:
    if name == "alwayssample":
        return ALWAYS_ON
    return ALWAYS_OFF if name == "neversample" else TraceIdRatioBased(ratio)
