"""Wrappers around any object store: what every bucket gets, whichever plugin opens it. See `opening.py`."""

from __future__ import annotations

from storegate.objstore.instrumented import InstrumentedStore, ObjstoreMetrics
from storegate.objstore.prefix import PrefixedStore, with_prefix
from storegate.objstore.read_into import ReadableStore, ReadInto, read_into_of
from storegate.objstore.wrapper import StoreWrapper, identity_of

__all__ = [
    "InstrumentedStore",
    "ObjstoreMetrics",
    "PrefixedStore",
    "ReadInto",
    "ReadableStore",
    "StoreWrapper",
    "identity_of",
    "read_into_of",
    "with_prefix",
]
