"""Marking blocks on behalf of an operator (operations 4.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import islice

import structlog

from storegate.block.marks import DELETION_MARK_FILE, MARK_VERSION, NO_COMPACT_MARK_FILE
from storegate.block.ulids import is_ulid
from storegate.errors import InvalidRequestError, NotFoundError
from storegate.types import ObjectStore

log = structlog.get_logger(component="blocks")

DELETION = "DELETION"
NO_COMPACTION = "NO_COMPACTION"
MAX_DETAILS = 4096  # characters; it is a sentence for people


def mark_block(
    store: ObjectStore, ulid: str, action: str, details: str = "", *, now: Callable[[], float] = time.time
) -> bool:
    """Write a mark into a block's folder; False when there was one, which stays as it is.

    `store` must be the bucket itself: a cache in front of it could hide a mark that is there (operations 18, 13).
    Raises InvalidRequestError for a request that is wrong, also when the bucket has nothing of the block: a mark alone
    would become a partial block. Raises what the store raises.
    """
    ulid, name = _checked(ulid, action, details)
    if not store.writable:
        raise InvalidRequestError(f"the object store {store.name} cannot be written to")
    if not any(islice(store.list(f"{ulid}/"), 1)):
        raise InvalidRequestError(f"the bucket holds no block {ulid}")
    key = f"{ulid}/{name}"
    if _exists(store, key):
        log.warning("the block has this mark already; it stays as it is", block=ulid, mark=name)
        return False
    store.put(key, _document(ulid, action, details, int(now())))
    log.info("marked a block", block=ulid, mark=name, details=details)
    return True


def _checked(ulid: str, action: str, details: str) -> tuple[str, str]:
    """The ULID in canonical form, and the name of the mark's file."""
    if not ulid:
        raise InvalidRequestError("ID cannot be empty")
    if not action:
        raise InvalidRequestError("Action cannot be empty")
    if not is_ulid(ulid.upper()):
        raise InvalidRequestError(f'ULID "{ulid[:64]}" is not valid: it has 26 letters and digits, the first up to 7')
    if action not in _FILES:
        raise InvalidRequestError(f"not supported marker {action[:64]}")
    if len(details) > MAX_DETAILS:
        raise InvalidRequestError(f"detail has {len(details)} characters, {MAX_DETAILS} are allowed")
    return ulid.upper(), _FILES[action]


def _exists(store: ObjectStore, key: str) -> bool:
    try:
        store.head(key)
    except NotFoundError:
        return False
    return True


def _document(ulid: str, action: str, details: str, now: int) -> bytes:
    mark: dict[str, object] = {"id": ulid, "version": MARK_VERSION}
    if details:
        mark["details"] = details
    if action == DELETION:
        mark["deletion_time"] = now
    else:
        mark |= {"no_compact_time": now, "reason": "manual"}
    return json.dumps(mark).encode()


_FILES = {DELETION: DELETION_MARK_FILE, NO_COMPACTION: NO_COMPACT_MARK_FILE}
