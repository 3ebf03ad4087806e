"""The provider AZURE."""

from __future__ import annotations

import subprocess
import sys

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

import storegate
import storegate_azure
from storegate_azure.config import AzureConfig
from storegate_azure.store import AzureStore, open_store

PLACE = {"storage_account": "metrics", "container": "blocks", "storage_account_key": "a2V5"}


def opened(**settings: object) -> AzureStore:
    config = AzureConfig.model_validate({**PLACE, **settings})
    log = structlog.get_logger()
    store = open_store(config, storegate.PluginContext(name="AZURE", log=log, registry=CollectorRegistry()))
    store.close()
    return store


def test_hook_storegate_object_stores_registers_it() -> None:
    (provider,) = storegate_azure.storegate_object_stores()
    assert (provider.name, provider.factory) == ("AZURE", "storegate_azure.store:open_store")


def imported(statement: str) -> str:
    program = f"import sys; {statement}; print(sorted({{'azure', 'msal', 'urllib3'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_registering_imports_no_library_of_the_store() -> None:
    assert imported("import storegate_azure") == "[]"


def test_the_library_for_tokens_is_imported_only_for_tokens() -> None:
    assert imported("import storegate_azure.store") == "['urllib3']"


def test_opening_asks_nobody() -> None:
    store = opened(max_retries=3)
    assert (store.name, store.writable, store.max_retries) == ("blocks", True, 3)


def test_the_resource_of_an_identity_is_ignored_with_a_line() -> None:
    with capture_logs() as lines:
        opened(msi_resource="https://storage.azure.com/")
    assert [line["event"] for line in lines] == ["AZURE: msi_resource is ignored; user_assigned_id chooses an identity"]


def test_a_url_that_is_none_is_told() -> None:
    with pytest.raises(storegate.ConfigurationError, match="AZURE container: endpoint: 'ftp://host' is not a URL"):
        opened(endpoint="ftp://host")


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        opened().get_range("key", -1, 10)
