"""The acceptance suite of object stores over the store in memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from storegate.testing.memory_store import MemoryStore
from storegate.testing.object_store_suite import ObjectStoreReadSuite, ObjectStoreSuite


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return MemoryStore()


class TestMemoryStore(ObjectStoreSuite):
    pass


class TestMemoryStoreThatOthersFill(ObjectStoreReadSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def writer(cls, store: MemoryStore) -> MemoryStore:
        return store


# --- the suite finds what is wrong ---


BROKEN = [
    ("Unordered", "test_a_recursive_listing_holds_all_objects_in_key_order"),
    ("Unordered", "test_a_flat_listing_holds_objects_and_folders_in_key_order"),
    ("OnePage", "test_a_listing_goes_on_after_its_first_page"),
    ("Careless", "test_a_prefix_ends_at_its_slash"),
    ("Strict", "test_a_range_ends_where_the_object_ends"),
    ("Inclusive", "test_a_range_of_a_large_object_is_exact"),
    ("Silent", "test_a_delete_of_what_is_not_there_is_not_found"),
    ("Quoting", "test_odd_names_are_read"),
    ("Quoting", "test_odd_names_are_listed"),
    ("Nameless", "test_what_is_not_there_is_not_found"),
]


@pytest.fixture(scope="module")
def failures() -> set[tuple[str, str]]:
    """Class and test of all that fails over stores that break one promise each."""
    file = Path(__file__).with_name("broken_stores.py")
    options = ["-q", "--tb=no", "-rf", "-p", "no:cacheprovider", "-c", "/dev/null", "--noconftest"]
    options += ["-k", " or ".join({"Silent", *(test for _, test in BROKEN)})]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return set(re.findall(r"^FAILED \S+?::Test(\w+)::(\w+)", ended.stdout, re.MULTILINE))


@pytest.mark.parametrize(("store", "test"), BROKEN)
def test_a_broken_promise_is_found(failures: set[tuple[str, str]], store: str, test: str) -> None:
    assert (store, test) in failures


def test_a_broken_promise_fails_no_other_test(failures: set[tuple[str, str]]) -> None:
    found = {test for store, test in failures if store == "Silent"}
    assert found == {"test_a_delete_of_what_is_not_there_is_not_found"}
