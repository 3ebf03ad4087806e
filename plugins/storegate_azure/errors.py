"""The one place where answers of Azure and failures of connections become errors of storegate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from storegate import ConfigurationError, StoregateError, UnavailableError
from storegate.http.answers import BodyError, StatusError, error_of_status, unreachable

CODE = re.compile(rb"<Code>(\w+)</Code>")
HINT = "check the credentials; they need to read and list blobs, which Storage Blob Data Reader may"
HINTS = {
    "AuthenticationFailed": "the key, signature or token is wrong, or the clock of this machine",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys: use an identity",
    "AuthorizationFailure": f"the firewall of the account may refuse this machine; or {HINT}",
}


class ContainerMissing(ConfigurationError):
    """The container does not exist, which is no missing object."""


@contextmanager
def translated(container: str, key: str = "") -> Iterator[None]:
    """Raise what happened to `key` (empty: to the container) as an error of storegate.

    `from None`: what the service says may hold a signature.
    """
    what = f"{key!r} in AZURE container {container!r}" if key else f"AZURE container {container!r}"
    try:
        yield
    except StoregateError:
        raise
    except StatusError as error:
        raise _of_answer(error, what, whole=not key) from None
    except BodyError as error:
        raise UnavailableError(f"{what}: {error}") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(error, what) from None


def code_of(error: StatusError) -> str:
    """The reason in the words of the service; empty where it gave none."""
    if code := error.headers.get("x-ms-error-code"):
        return code
    match = CODE.search(error.body)
    return match[1].decode() if match else ""


def _of_answer(error: StatusError, what: str, *, whole: bool) -> StoregateError:
    code = code_of(error)
    if code == "ContainerNotFound" or (error.status == 404 and whole):
        return ContainerMissing(f"{what}: the container does not exist: check `container` or create it")
    if code == "ContainerBeingDeleted":
        return UnavailableError(f"{what}: the container is being deleted")
    return error_of_status(error.status, error.headers, what, code=code, hint=HINTS.get(code, HINT))
