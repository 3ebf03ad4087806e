"""The settings that may be shown: whole, and without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from storegate.config.flag_texts import REDACTED
from storegate.config.masking import KINDS, masked_settings
from storegate.config.settings import ComponentRef, Settings
from storegate.manager import PluginManager

STORE = {"type": "FILESYSTEM", "config": {"directory": "/blocks"}}


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager.load()


def shown(plugins: PluginManager, **sections: Any) -> dict[str, Any]:
    return masked_settings(Settings.model_validate({"object_store": STORE} | sections), plugins)


def test_settings_and_defaults_are_shown(plugins: PluginManager) -> None:
    found = shown(plugins)
    assert found["object_store"]["config"]["directory"] == "/blocks"
    assert found["sync"]["interval"] == 180.0
    assert found["frontends"][1]["config"]["address"] == "0.0.0.0:10902"


def test_the_result_fits_json_and_yaml(plugins: PluginManager) -> None:
    found = shown(plugins)
    assert yaml.safe_load(yaml.safe_dump(found)) == json.loads(json.dumps(found)) == found


def test_what_a_plugin_declares_secret_is_hidden(plugins: PluginManager) -> None:
    redis = {"type": "REDIS", "config": {"addr": "localhost:1", "password": "hunter2"}}
    found = shown(plugins, index_cache=redis)
    assert found["index_cache"]["config"]["password"] == REDACTED
    assert found["index_cache"]["config"]["addr"] == "localhost:1"


def test_an_absent_secret_is_not_pretended(plugins: PluginManager) -> None:
    found = shown(plugins, index_cache={"type": "REDIS", "config": {"addr": "localhost:1"}})
    assert found["index_cache"]["config"]["password"] == ""


def test_nothing_of_an_unknown_plugin_is_shown(plugins: PluginManager) -> None:
    found = shown(plugins, index_cache={"type": "ACME", "config": {"harmless": "hunter2"}})
    assert found["index_cache"]["config"] == REDACTED


def test_nothing_of_a_config_that_the_plugin_refuses_is_shown(plugins: PluginManager) -> None:
    found = shown(plugins, index_cache={"type": "REDIS", "config": {"pasword": "hunter2"}})
    assert found["index_cache"]["config"] == REDACTED


def test_credentials_in_urls_are_hidden(plugins: PluginManager) -> None:
    found = shown(plugins, web={"external_prefix": "https://ann:hunter2@acme.example/x"})
    assert found["web"]["external_prefix"] == f"https://{REDACTED}@acme.example/x"


def test_every_reference_of_the_settings_is_known() -> None:
    def is_reference(annotation: Any) -> bool:
        arguments = getattr(annotation, "__args__", ())
        return (isinstance(annotation, type) and issubclass(annotation, ComponentRef)) or any(
            map(is_reference, arguments)
        )

    assert {name for name, field in Settings.model_fields.items() if is_reference(field.annotation)} == set(KINDS)


def test_settings_do_not_show_secrets_when_printed() -> None:
    settings = Settings.model_validate({"object_store": {"type": "S3", "config": {"secret_key": "hunter2"}}})
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
