"""Imports an SDK that is not installed."""

import no_such_sdk  # noqa: F401
