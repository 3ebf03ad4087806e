"""The one place where errors of the operating system become storegate's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storegate import DeniedError, NotFoundError, StoregateError, UnavailableError

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP})


@contextmanager
def translated(key: str, bucket: str) -> Iterator[None]:
    """Raise what happened to `key` as NotFoundError, DeniedError or UnavailableError."""
    try:
        yield
    except StoregateError:
        raise
    except OSError as error:
        raise translate(error, key, bucket) from error


def translate(error: OSError, key: str, bucket: str) -> StoregateError:
    """The storegate error for an OSError about `key`."""
    where = f"{key!r} in {bucket!r}"
    if error.errno in ABSENT:
        return NotFoundError(f"no object {where}")
    if error.errno in DENIED:
        return DeniedError(f"no access to {where}: {error.strerror}; check owner and mode of the file and its folders")
    return UnavailableError(f"cannot reach {where}: {error.strerror or error}")
