"""Who the gateway is to Google, and headers that say so."""

from __future__ import annotations

import threading
from typing import Any

import google.auth
from google.auth.credentials import AnonymousCredentials, Credentials, TokenState
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account

from storegate import ConfigurationError, UnavailableError
from storegate_gcs.config import GcsConfig

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


def load_credentials(config: GcsConfig, endpoint: str, *, emulator: bool) -> Credentials:
    """Those of the configuration, or none for an emulator or plain HTTP, or application default credentials.

    Raises ConfigurationError. May ask the metadata server of the machine, for some seconds.
    """
    if (info := config.service_account_info) is not None:
        return _of_key(info)
    if emulator or endpoint.startswith("http://"):  # no token goes over a line that everyone can read
        return AnonymousCredentials()
    try:
        credentials: Credentials = google.auth.default(scopes=SCOPES)[0]
    except GoogleAuthError as error:
        raise ConfigurationError(
            "GCS bucket: no credentials found: set service_account, set GOOGLE_APPLICATION_CREDENTIALS to the path of a"
            f" file, or run where a metadata server gives them ({' '.join(str(error).split())[:200]})"
        ) from None
    return credentials


def _of_key(info: dict[str, str]) -> Credentials:
    try:
        credentials: Credentials = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
        return credentials
    except (ValueError, GoogleAuthError):  # their text may quote the key
        raise ConfigurationError("GCS bucket: service_account: its private_key cannot be read") from None


def universe_of(credentials: Credentials) -> str:
    """The domain of Google's services for these credentials. May ask the metadata server; raises UnavailableError."""
    try:
        return str(credentials.universe_domain)
    except GoogleAuthError as error:
        raise UnavailableError(f"GCS bucket: the metadata server does not answer: {type(error).__name__}") from None


class Authorization:
    """Headers for requests that go past the SDK. Thread-safe; one thread renews the token, the others wait for it."""

    def __init__(self, credentials: Credentials, request: Any) -> None:
        self._credentials = credentials
        self._request = request
        self._lock = threading.Lock()

    def headers(self, url: str) -> dict[str, str]:
        """New headers for a GET of `url`. Raises errors of google-auth."""
        headers: dict[str, str] = {}
        if self._credentials.token_state is TokenState.FRESH:
            self._credentials.before_request(self._request, "GET", url, headers)
        else:
            with self._lock:
                self._credentials.before_request(self._request, "GET", url, headers)
        return headers

    def renew(self, refused: dict[str, str]) -> bool:
        """Get another token than that of the headers `refused`; whether there is one. Raises errors of google-auth."""
        if isinstance(self._credentials, AnonymousCredentials):
            return False
        with self._lock:
            current: dict[str, str] = {}
            self._credentials.apply(current)
            if current["authorization"] == refused["authorization"]:  # no other thread was faster
                self._credentials.refresh(self._request)
        return True
