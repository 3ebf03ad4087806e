"""Tokens of Microsoft Entra ID. Imported only where there is neither a key nor a signature."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from storegate import ConfigurationError, DeniedError, UnavailableError
from storegate_azure.config import AzureConfig
from storegate_azure.signing import target

SCOPE = "https://storage.azure.com/.default"
MARGIN = 300.0  # s before its end at which a token is renewed
HINT = "check az_tenant_id, client_id, client_secret, or user_assigned_id, or the identity of this machine"


def find_credential(config: AzureConfig) -> Any:
    """The way to tokens that the settings name, or the default one of the SDK. Asks nobody yet."""
    http = config.http_config
    limits: dict[str, Any] = {"connection_timeout": http.connect_timeout, "read_timeout": http.read_timeout}
    try:
        if config.user_assigned_id:
            return ManagedIdentityCredential(client_id=config.user_assigned_id, **limits)
        if config.client_id:
            secret = config.client_secret.get_secret_value()
            return ClientSecretCredential(config.az_tenant_id, config.client_id, secret, **limits)
        return DefaultAzureCredential(**limits)
    except ValueError as error:  # about the form of an id
        raise ConfigurationError(f"AZURE container: {error}") from None


class BearerToken:
    """Adds a token. Thread-safe: one thread gets it, the others wait for it."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def sign(self, method: str, path: str, query: Mapping[str, str], headers: dict[str, str]) -> str:
        """See `Authorization.sign`."""
        headers["Authorization"] = f"Bearer {self._current()}"
        return target(path, query)

    def renew(self) -> bool:
        """See `Authorization.renew`."""
        self._renew_at = 0.0
        return True

    def close(self) -> None:
        """Give connections back."""
        self._credential.close()

    def _current(self) -> str:
        if time.time() < self._renew_at:
            return self._token
        with self._lock:
            if time.time() >= self._renew_at:
                self._token, self._renew_at = self._new()
            return self._token

    def _new(self) -> tuple[str, float]:
        try:
            token = self._credential.get_token(SCOPE)
        except ClientAuthenticationError as error:
            raise DeniedError(f"cannot get a token: {_reason(error)}; {HINT}") from None
        except AzureError as error:
            raise UnavailableError(f"cannot get a token: {type(error).__name__}") from None
        return token.token, token.expires_on - MARGIN


def _reason(error: ClientAuthenticationError) -> str:
    """The code of Entra ID where there is one: the texts are pages."""
    text = " ".join(str(error.message).split())
    codes = re.findall(r"AADSTS\d+", text)
    return codes[0] if codes else text[:200]
