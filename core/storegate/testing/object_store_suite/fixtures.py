"""What the tests of the suite share: the store, a writer, a folder for each test."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from storegate.types import ObjectStore

LARGE = 20 * 1024 * 1024
SMALL = bytes(range(256)) * 4


def random_bytes(size: int, seed: int = 1) -> bytes:
    """The same bytes for the same arguments; no part of them repeats."""
    return Random(seed).randbytes(size)


class Suite:
    """The base of all tests. Subclasses may change the attributes below."""

    many = 1005
    """Objects of one folder, more than a page of the store's listings."""
    odd_names = (
        "with space",
        "plus+and&=;@:,",
        "percent%41%2F100%",
        "hash#question?star*",
        "quote'(brackets)[x]{y}",
        "ümläut-日本語-Ελλ",
        "\U0001f680",
        "UPPER.lower_~-",
    )
    """Names of objects that need care on the way to a server."""

    @pytest.fixture(scope="class")
    @classmethod
    def writer(cls, store: ObjectStore) -> ObjectStore:
        """What puts objects there; the store itself, unless a subclass says otherwise."""
        return store

    @pytest.fixture
    def folder(self) -> str:
        """A prefix that no other test uses."""
        return f"test-{secrets.token_hex(4)}/"

    @pytest.fixture(scope="class")
    @classmethod
    def large(cls, writer: ObjectStore) -> tuple[str, bytes]:
        """Key and content of a large object."""
        key, data = f"large-{secrets.token_hex(4)}/object", random_bytes(LARGE)
        writer.put(key, data)
        return key, data

    @pytest.fixture(scope="class")
    @classmethod
    def crowded(cls, writer: ObjectStore) -> tuple[str, list[str]]:
        """A prefix, and the keys of the objects below it, in order: more than a page."""
        prefix = f"many-{secrets.token_hex(4)}/"
        keys = [f"{prefix}{i:05}" for i in range(cls.many)]
        fill(writer, dict.fromkeys(keys, b""))
        return prefix, keys


def fill(writer: ObjectStore, objects: Mapping[str, bytes]) -> None:
    """Put all objects, several at a time."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(writer.put, objects.keys(), objects.values()))
