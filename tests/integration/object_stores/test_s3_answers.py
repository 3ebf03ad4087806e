"""The object store S3 and answers that no sound server gives."""

from __future__ import annotations

import dataclasses
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from http_store_suite import CALLS, KEY, TEN, HttpStoreSuite, part
from servers.s3 import ACCESS_KEY, SECRET_KEY
from servers.scripted import Answer

from storegate import ConfigurationError, DeniedError, UnavailableError

MIB = 1024 * 1024
WITHOUT_A_BODY = ("head", "delete")  # the latter begins with HEAD: S3 gives no reason there


@pytest.fixture
def open_at(open_s3: Any) -> Callable[..., Any]:
    def open_at(address: str, **settings: Any) -> Any:
        place = {"bucket": "metrics", "endpoint": address, "insecure": True, "region": "eu-west-1"}
        return open_s3(**{**place, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **settings})

    return open_at


class TestS3Answers(HttpStoreSuite):
    @staticmethod
    def refusal(status: int, reason: str, **headers: str) -> Answer:
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{reason}</Code></Error>'
        return Answer(status, body.encode(), headers)

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("status", [401, 403])
    def test_refused_credentials_are_no_missing_object(self, scripted: Any, call: str, status: int) -> None:
        if call not in WITHOUT_A_BODY:
            super().test_refused_credentials_are_no_missing_object(scripted, call, status)
            return
        _, store = scripted(lambda asked: self.refusal(status, "forbidden"))
        with pytest.raises(DeniedError, match=rf"status {status}.*check the credentials.*s3:ListBucket"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_missing_bucket_is_no_missing_object(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: self.refusal(404, "NoSuchBucket"))
        expected = FileNotFoundError if call in WITHOUT_A_BODY else ConfigurationError
        with pytest.raises(expected, match="'metrics'"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_bucket_in_another_region_is_told(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: Answer(301, headers={"x-amz-bucket-region": "eu-north-1"}))
        with pytest.raises(ConfigurationError, match="'eu-north-1': set `region`"):
            CALLS[call](store)

    def test_reads_go_on_after_a_connection_broke(self, scripted: Any) -> None:
        server, store = scripted(lambda asked: dataclasses.replace(part(asked), sent=5))
        with pytest.raises(UnavailableError):
            store.get_range(KEY, 0, 10)
        server.script = part
        assert store.get_range(KEY, 0, 10) == TEN

    def test_a_listing_that_breaks_off_is_unavailable(self, scripted: Any) -> None:
        _, store = scripted(lambda asked: Answer(body=b"<ListBucketResult></ListBucketResult>", sent=20))
        with pytest.raises(UnavailableError, match="'metrics'"):
            list(store.list())

    def test_a_listing_that_goes_in_circles_ends(self, scripted: Any) -> None:
        page = b"<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
        _, store = scripted(lambda asked: Answer(body=b"<ListBucketResult>%b</ListBucketResult>" % page))
        with pytest.raises(UnavailableError, match="same page"):
            list(store.list())

    def test_a_pool_that_is_used_up_does_not_block_for_ever(self, scripted: Any) -> None:
        held = threading.Event()
        limits = {"max_conns_per_host": 1, "response_header_timeout": "300ms"}
        _, store = scripted(lambda asked: Answer(body=TEN, held=held), http_config=limits)

        def read(number: int) -> str:
            with pytest.raises(UnavailableError) as caught:
                store.get(KEY)
            return str(caught.value)

        with ThreadPoolExecutor(3) as pool:
            texts = list(pool.map(read, range(3)))
        held.set()
        assert any("EmptyPoolError" in text for text in texts)

    def test_a_host_name_that_does_not_exist_is_unavailable(self, open_at: Callable[..., Any]) -> None:
        with pytest.raises(UnavailableError, match="gaierror"):
            open_at("store.invalid").get(KEY)

    def test_content_encoding_does_not_change_the_bytes(self, scripted: Any) -> None:
        _, store = scripted(lambda asked: Answer(body=TEN, headers={"Content-Encoding": "gzip"}))
        assert store.get(KEY) == TEN

    def test_a_large_read_makes_no_copy_of_its_own(self, scripted: Any) -> None:
        body = bytes(16 * MIB)
        headers = {"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"}
        _, store = scripted(lambda asked: Answer(206, body, headers))
        buffer = memoryview(bytearray(len(body)))
        store.read_into(KEY, 0, buffer)
        tracemalloc.start()
        try:
            assert store.read_into(KEY, 0, buffer) == len(body)
            assert tracemalloc.get_traced_memory()[1] < 2 * MIB
        finally:
            tracemalloc.stop()

    def test_a_code_goes_before_the_status(self, scripted: Any) -> None:
        _, store = scripted(lambda asked: self.refusal(400, "ExpiredToken"))
        with pytest.raises(DeniedError, match="session token is too old"):
            store.get(KEY)
