"""Who signs: the keys of the configuration, or those that the SDK's chain finds.

The chain (botocore's): environment, profile with a role to assume, web identity, SSO, shared credentials and
configuration files, container, instance role.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from storegate import ConfigurationError, DeniedError, StoregateError, UnavailableError
from storegate.http.answers import error_of_status
from storegate_s3.config import S3Config
from storegate_s3.endpoint import DEFAULT_REGION
from storegate_s3.errors import clipped

NONE_FOUND = (
    "no credentials: set access_key and secret_key, or give the environment, profile, web identity or instance a role"
)
WRONG_SETUP = frozenset(
    {"ProfileNotFound", "ConfigNotFound", "ConfigParseError", "InvalidConfigError", "PartialCredentialsError"}
    | {"InfiniteLoopConfigError", "UnknownCredentialError", "NoRegionError", "InvalidRegionError"}
)

Keys = Any
"""botocore's ReadOnlyCredentials: `access_key`, `secret_key`, `token`."""


def credentials_of(config: S3Config, region: str) -> Callable[[], Keys]:
    """What gives the keys of now. Thread-safe; may ask the network when keys run out, and when it is first called."""
    if config.access_key:
        from botocore.credentials import Credentials

        fixed = Credentials(
            config.access_key.get_secret_value(),
            config.secret_key.get_secret_value(),
            config.session_token.get_secret_value() or None,
        )
        keys: Callable[[], Keys] = fixed.get_frozen_credentials
        return keys
    return Chain(_session(region or DEFAULT_REGION, config.sts_endpoint)).keys


class Chain:
    """The SDK's chain. Thread-safe. Keys that expire are renewed in time; a failure is tried again at the next call."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._found: Any = None

    def keys(self) -> Keys:
        """Raises DeniedError when there are none, UnavailableError when who gives them cannot be reached."""
        with _translated():
            if self._found is None:
                with self._lock:  # one thread asks the network, not every one
                    self._found = self._found or self._session.get_credentials()
            if self._found is None:
                raise DeniedError(f"S3 bucket: {NONE_FOUND}")
            return self._found.get_frozen_credentials()


def _session(region: str, sts_endpoint: str) -> Any:
    import botocore.session

    class Session(botocore.session.Session):  # type: ignore[misc]
        """One whose client of STS asks the configured endpoint, in some region."""

        def create_client(self, service_name: str, region_name: str | None = None, **options: Any) -> Any:
            if service_name == "sts" and sts_endpoint:
                options.setdefault("endpoint_url", _url(sts_endpoint))
            return super().create_client(service_name, region_name=region_name or region, **options)

    return Session()


def _url(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"https://{endpoint}"


@contextmanager
def _translated() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(error) from error
    except BotoCoreError as error:
        raise _error(error) from error


def _refused(error: Any) -> StoregateError:
    """What it means that STS does not give keys."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    details = error.response.get("Error", {})
    said = f"{details.get('Code', '')}: {clipped(details.get('Message', ''))}"
    what = f"credentials of the S3 bucket, {error.operation_name}"
    return error_of_status(status, {}, what, code=said, hint="check the role and who may assume it")


def _error(error: Exception) -> StoregateError:
    kind = type(error).__name__
    if kind in WRONG_SETUP:
        return ConfigurationError(f"S3 bucket: the credentials of the SDK cannot be used: {error}")
    if kind.startswith(("SSO", "UnauthorizedSSO", "Token")):
        return DeniedError(f"S3 bucket: the credentials of the SDK cannot be used: {error}")
    return UnavailableError(f"S3 bucket: the credentials of the SDK cannot be fetched ({kind})")
