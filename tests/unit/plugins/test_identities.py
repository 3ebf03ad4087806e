"""What tells one bucket from another, so that gateways can share a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from storegate.cache.opening import bucket_namespace
from storegate.config.settings import ObjectStoreRef
from storegate.manager import PluginManager
from storegate.objstore.opening import open_store

KEY = "c2VjcmV0"
S3 = {"bucket": "metrics", "endpoint": "s3.example.com", "access_key": "id", "secret_key": "x"}
GCS = {"bucket": "metrics", "endpoint": "http://gcs.example.com"}
AZURE = {"container": "metrics", "storage_account": "acme", "storage_account_key": KEY}


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager.load(allow=["storegate"])


def namespace(plugins: PluginManager, type: str, config: dict[str, Any], prefix: str = "") -> str:
    ref = ObjectStoreRef(type=type, config=config, prefix=prefix)
    store = open_store(plugins, ref, CollectorRegistry())
    try:
        return bucket_namespace(plugins, type, store)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("type", "config", "other"),
    [
        ("S3", S3, {"bucket": "logs"}),
        ("S3", S3, {"endpoint": "s3.example.org"}),
        ("GCS", GCS, {"bucket": "logs"}),
        ("GCS", GCS, {"endpoint": "http://gcs.example.org"}),
        ("AZURE", AZURE, {"container": "logs"}),
        ("AZURE", AZURE, {"storage_account": "other"}),
        ("AZURE", AZURE, {"endpoint": "blob.core.chinacloudapi.cn"}),
    ],
)
def test_another_bucket_has_another_namespace(
    plugins: PluginManager, type: str, config: dict[str, Any], other: dict[str, str]
) -> None:
    assert namespace(plugins, type, config) != namespace(plugins, type, config | other)


@pytest.mark.parametrize(
    ("type", "config", "other"),
    [
        ("S3", S3, {"access_key": "id2", "secret_key": "y", "region": "eu-west-1"}),
        ("AZURE", AZURE, {"storage_account_key": "b3RoZXI="}),
        (
            "AZURE",
            AZURE,
            {"storage_connection_string": f"AccountName=acme;AccountKey={KEY}", "storage_account_key": ""},
        ),
    ],
)
def test_another_way_to_log_in_leads_to_the_same_namespace(
    plugins: PluginManager, type: str, config: dict[str, Any], other: dict[str, str]
) -> None:
    assert namespace(plugins, type, config) == namespace(plugins, type, config | other)


def test_a_prefix_is_a_bucket_of_its_own(plugins: PluginManager, tmp_path: Path) -> None:
    config = {"directory": str(tmp_path)}
    found = {namespace(plugins, "FILESYSTEM", config, prefix) for prefix in ("", "a", "b", "a/b")}
    assert len(found) == 4


def test_two_folders_have_two_namespaces(plugins: PluginManager, tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        found.add(namespace(plugins, "FILESYSTEM", {"directory": str(tmp_path / name)}))
    assert len(found) == 2


def test_the_case_of_the_type_does_not_matter(plugins: PluginManager, tmp_path: Path) -> None:
    config = {"directory": str(tmp_path)}
    assert namespace(plugins, "FILESYSTEM", config) == namespace(plugins, "filesystem", config)


def test_the_same_name_of_another_type_is_another_bucket(plugins: PluginManager) -> None:
    config = {"bucket": "metrics", "endpoint": "http://one.example.com"}
    assert namespace(plugins, "GCS", config) != namespace(
        plugins, "S3", S3 | {"endpoint": "one.example.com", "bucket": "metrics"}
    )
