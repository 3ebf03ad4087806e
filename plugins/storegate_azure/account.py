"""Where the account is, and what its secrets are: from settings or from a connection string. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from storegate import ConfigurationError
from storegate_azure.config import AzureConfig


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Account:
    """`url` has no slash at its end. At most one of `key` and `signature` (a query string) is there."""

    name: str
    url: str
    key: bytes = b""
    signature: str = ""

    @classmethod
    def of(cls, config: AzureConfig) -> Account:
        """The account of the settings. Raises ConfigurationError, without a word of a secret."""
        if text := config.storage_connection_string.get_secret_value():
            return cls._of_connection_string(text, config.storage_account)
        name, endpoint = config.storage_account, config.endpoint.rstrip("/")
        return cls(
            name=name,
            url=endpoint if "://" in endpoint else f"https://{name}.{endpoint}",
            key=_decoded(config.storage_account_key.get_secret_value(), "storage_account_key"),
        )

    @classmethod
    def _of_connection_string(cls, text: str, name: str) -> Account:
        where = "storage_connection_string"
        parts = [part.partition("=") for part in text.strip().split(";") if part.strip()]
        if not all(key and equals and value for key, equals, value in parts):
            raise ConfigurationError(f"AZURE container: {where}: must be key=value pairs with ';' between them")
        values = {key.strip().lower(): value.strip() for key, _, value in parts}
        name = values.get("accountname", name)
        suffix = values.get("endpointsuffix", "core.windows.net")
        url = values.get("blobendpoint") or f"{values.get('defaultendpointsprotocol', 'https')}://{name}.blob.{suffix}"
        account = cls(
            name=name,
            url=url.rstrip("/"),
            key=_decoded(values.get("accountkey", ""), f"{where}: AccountKey"),
            signature=values.get("sharedaccesssignature", "").removeprefix("?"),
        )
        if not account.key and not account.signature:
            raise ConfigurationError(f"AZURE container: {where}: has neither AccountKey nor SharedAccessSignature")
        return account


def _decoded(key: str, where: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except binascii.Error:
        raise ConfigurationError(f"AZURE container: {where}: is not a key of an account, which is base64") from None
