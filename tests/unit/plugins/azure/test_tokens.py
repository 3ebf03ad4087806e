"""Tokens, and where they come from."""

from __future__ import annotations

import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from storegate import ConfigurationError, DeniedError, StoregateError, UnavailableError
from storegate_azure.config import AzureConfig
from storegate_azure.tokens import SCOPE, BearerToken, find_credential

PLACE = {"storage_account": "metrics", "container": "blocks"}
CLIENT = {"az_tenant_id": "tenant", "client_id": "client", "client_secret": "TOP-SECRET"}


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (CLIENT, ClientSecretCredential),
        ({"user_assigned_id": "identity"}, ManagedIdentityCredential),
        ({}, DefaultAzureCredential),
    ],
)
def test_the_settings_choose_the_credential(settings: dict[str, str], kind: type[Any]) -> None:
    with find_credential(AzureConfig.model_validate({**PLACE, **settings})) as credential:
        assert type(credential) is kind


def test_an_id_of_a_wrong_form_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"AZURE container: .*tenant") as caught:
        find_credential(AzureConfig.model_validate({**PLACE, **CLIENT, "az_tenant_id": "no tenant"}))
    assert "SECRET" not in str(caught.value)


class Credential:
    """Gives numbered tokens that live for some seconds."""

    def __init__(self, lifetime: float = 3600, error: Exception | None = None) -> None:
        self.lifetime = lifetime
        self.error = error
        self.given = 0
        self.closed = False

    def get_token(self, scope: str) -> AccessToken:
        assert scope == SCOPE
        if self.error:
            raise self.error
        self.given += 1
        return AccessToken(f"token-{self.given}", int(time.time() + self.lifetime))

    def close(self) -> None:
        self.closed = True


def sent_by(bearer: BearerToken) -> str:
    headers: dict[str, str] = {}
    assert bearer.sign("GET", "/c/key", {}, headers) == "/c/key"
    return headers["Authorization"]


def test_a_token_is_used_while_it_lives() -> None:
    bearer = BearerToken(Credential())
    assert [sent_by(bearer) for _ in range(3)] == ["Bearer token-1"] * 3


def test_a_token_near_its_end_is_renewed() -> None:
    bearer = BearerToken(Credential(lifetime=60))
    assert [sent_by(bearer) for _ in range(2)] == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_was_refused_is_renewed() -> None:
    bearer = BearerToken(Credential())
    assert sent_by(bearer) == "Bearer token-1"
    assert bearer.renew()
    assert sent_by(bearer) == "Bearer token-2"


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ClientAuthenticationError("AADSTS7000215: Invalid client secret provided."), DeniedError, "AADSTS7000215; "),
        (ClientAuthenticationError("no identity\nhere"), DeniedError, "no identity here; check az_tenant_id"),
        (ServiceRequestError("no route"), UnavailableError, "ServiceRequestError"),
    ],
)
def test_no_token_is_an_error_by_its_reason(error: Exception, kind: type[StoregateError], text: str) -> None:
    with pytest.raises(kind, match=f"cannot get a token: {text}"):
        sent_by(BearerToken(Credential(error=error)))


def test_closing_closes_the_credential() -> None:
    credential = Credential()
    BearerToken(credential).close()
    assert credential.closed
