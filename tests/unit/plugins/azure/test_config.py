"""Settings of an AZURE container, and the account that they name."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from storegate import ConfigurationError
from storegate.config.validation import check
from storegate_azure.account import Account
from storegate_azure.config import AzureConfig

KEY = base64.b64encode(b"TOP-SECRET").decode()
SECRET_PARTS = (KEY, "TOP-SECRET")
CLIENT = {"az_tenant_id": "tenant", "client_id": "client", "client_secret": KEY}


def config(**settings: Any) -> AzureConfig:
    return check(AzureConfig, {"storage_account": "metrics", "container": "blocks", **settings})


def test_the_keys_of_thanos_are_taken() -> None:
    settings = config(
        storage_account_key=KEY,
        storage_connection_string="",
        storage_create_container=False,
        endpoint="",
        user_assigned_id="",
        max_retries=0,
        msi_resource="https://storage.azure.com/",
        reader_config={"max_retry_requests": 0},
        pipeline_config={"max_tries": 0, "try_timeout": "0s", "retry_delay": "4s", "max_retry_delay": "0s"},
        http_config={"idle_conn_timeout": "1m30s"},
    )
    assert (settings.endpoint, settings.storage_create_container) == ("blob.core.windows.net", False)


def test_account_and_container_are_all_that_is_needed() -> None:
    assert Account.of(config()).url == "https://metrics.blob.core.windows.net"


def test_keys_without_a_value_hold_their_defaults() -> None:
    assert config(storage_account_key=None, pipeline_config=None) == config()


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [
        ({}, 0),
        ({"max_retries": 3}, 3),
        ({"pipeline_config": {"max_tries": 5}}, 5),
        ({"max_retries": 3, "pipeline_config": {"max_tries": 5}}, 5),
        ({"max_retries": 3, "pipeline_config": {"max_tries": -1}}, 1),
    ],
)
def test_the_number_of_attempts_comes_from_the_pipeline_first(settings: dict[str, Any], attempts: int) -> None:
    assert config(**settings).attempts == attempts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"storage_account": ""}, "storage_account"),
        ({"container": ""}, "container"),
        ({"storage_key": KEY}, "storage_key: unknown key, did you mean 'storage_account_key'?"),
        ({"client_id": "c", "client_secret": KEY}, "client_id, client_secret set, but not az_tenant_id"),
        ({"storage_account_key": KEY, "user_assigned_id": "u"}, "storage_account_key and user_assigned_id exclude"),
        ({"storage_account_key": KEY, "storage_connection_string": "x"}, "exclude each other"),
        ({**CLIENT, "storage_account_key": KEY}, "storage_account_key and client_secret exclude"),
        ({"pipeline_config": {"max_tries": -2}}, "pipeline_config.max_tries"),
        ({"reader_config": {"retries": 1}}, "reader_config.retries: unknown key"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**settings)
    assert message in str(caught.value)
    assert KEY not in str(caught.value)


def of_string(text: str) -> Account:
    return Account.of(config(storage_connection_string=text))


def test_an_endpoint_is_a_domain_or_a_url() -> None:
    assert Account.of(config(endpoint="blob.core.chinacloudapi.cn")).url == "https://metrics.blob.core.chinacloudapi.cn"
    assert Account.of(config(endpoint="http://host:1/metrics/")).url == "http://host:1/metrics"


def test_a_connection_string_holds_account_and_key() -> None:
    text = f"DefaultEndpointsProtocol=https;AccountName=other;AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net"
    account = of_string(text)
    assert (account.name, account.url) == ("other", "https://other.blob.core.usgovcloudapi.net")
    assert account.key == b"TOP-SECRET"


def test_a_connection_string_may_hold_a_signature_and_an_endpoint() -> None:
    account = of_string("BlobEndpoint=https://host:1/metrics/;SharedAccessSignature=?sv=2019&sig=a%3D;")
    assert (account.name, account.url) == ("metrics", "https://host:1/metrics")
    assert account.signature == "sv=2019&sig=a%3D"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TOP-SECRET", "key=value"),
        (f"AccountName=a;AccountKey=;{KEY}", "key=value"),
        (f"AccountName=a;AccountKey={KEY}!", "storage_connection_string: AccountKey: is not a key"),
        ("AccountName=a", "neither AccountKey nor SharedAccessSignature"),
    ],
)
def test_a_wrong_connection_string_is_not_quoted(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        of_string(text)
    assert message in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRET_PARTS)


def test_a_key_that_is_not_base64_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="storage_account_key: is not a key") as caught:
        Account.of(config(storage_account_key="TOP-SECRET"))
    assert "SECRET" not in str(caught.value)


def test_secrets_are_in_no_repr() -> None:
    shown = (
        repr(config(storage_account_key=KEY))
        + repr(config(**CLIENT))
        + repr(Account.of(config(storage_account_key=KEY)))
    )
    assert not any(secret in shown for secret in SECRET_PARTS)
