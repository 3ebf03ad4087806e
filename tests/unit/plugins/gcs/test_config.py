"""Settings of a GCS bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storegate import ConfigurationError
from storegate.config.validation import check
from storegate_gcs.config import GcsConfig

ACCOUNT = {
    "type": "service_account",
    "client_email": "gateway@example.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nTOP-SECRET\n-----END PRIVATE KEY-----\n",
    "token_uri": "https://oauth2.example/token",
}


def config(**settings: Any) -> GcsConfig:
    return check(GcsConfig, {"bucket": "metrics", **settings})


def test_the_keys_of_thanos_are_taken() -> None:
    settings = config(
        service_account=json.dumps(ACCOUNT),
        use_grpc=True,
        grpc_conn_pool_size=4,
        http_config={"idle_conn_timeout": "1m30s", "tls_config": {"insecure_skip_verify": True}},
        chunk_size_bytes=0,
        max_retries=1,
    )
    assert settings.service_account_info == ACCOUNT
    assert settings.max_retries == 1


def test_a_key_may_stand_in_yaml_without_quotes() -> None:
    assert config(service_account=ACCOUNT).service_account_info == ACCOUNT


def test_a_bucket_is_all_that_is_needed() -> None:
    settings = config()
    assert settings.service_account_info is None
    assert (settings.endpoint, settings.max_retries, settings.use_grpc) == ("", 0, False)


def test_keys_without_a_value_hold_their_defaults() -> None:
    assert config(service_account=None, http_config=None, max_retries=None) == config()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bucket": ""}, "bucket"),
        ({"buckets": "x"}, "buckets: unknown key, did you mean 'bucket'?"),
        ({"endpoint": "storage.example:4443"}, "endpoint"),
        ({"max_retries": -1}, "max_retries"),
        ({"service_account": "/etc/gcs/key.json"}, "service_account: must be the JSON of a service account key"),
        ({"service_account": "[]"}, "service_account: must be JSON with"),
        ({"service_account": '{"type": "external_account"}'}, "GOOGLE_APPLICATION_CREDENTIALS"),
        ({"service_account": '{"type": "service_account", "client_email": "a"}'}, "lacks private_key, token_uri"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [json.dumps(ACCOUNT)[:-1], json.dumps({**ACCOUNT, "type": "other"})])
def test_the_key_is_in_no_error(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(service_account=text)
    assert "SECRET" not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    assert "SECRET" not in repr(config(service_account=json.dumps(ACCOUNT)))
