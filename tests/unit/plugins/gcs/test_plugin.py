"""The provider GCS."""

from __future__ import annotations

import subprocess
import sys

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

import storegate
import storegate_gcs
from storegate_gcs.config import GcsConfig
from storegate_gcs.store import GcsStore, open_store


def opened(**settings: object) -> GcsStore:
    config = GcsConfig.model_validate({"bucket": "metrics", "endpoint": "http://127.0.0.1:1", **settings})
    log = structlog.get_logger()
    store = open_store(config, storegate.PluginContext(name="GCS", log=log, registry=CollectorRegistry()))
    store.close()
    return store


def test_hook_storegate_object_stores_registers_it() -> None:
    (provider,) = storegate_gcs.storegate_object_stores()
    assert (provider.name, provider.factory) == ("GCS", "storegate_gcs.store:open_store")


def test_registering_imports_no_library_of_the_store() -> None:
    program = "import sys, storegate_gcs; print({'google.auth', 'requests', 'urllib3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_opening_asks_nobody() -> None:
    store = opened(max_retries=3)
    assert (store.name, store.writable, store.max_retries) == ("metrics", True, 3)


@pytest.mark.parametrize("key", ["use_grpc", "grpc_conn_pool_size", "chunk_size_bytes"])
def test_a_key_without_effect_is_told(key: str) -> None:
    with capture_logs() as lines:
        opened(**{key: 1})
    assert [line["keys"] for line in lines] == [[key]]


def test_what_is_as_usual_is_not_told() -> None:
    with capture_logs() as lines:
        opened()
    assert lines == []


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        opened().get_range("key", -1, 10)
