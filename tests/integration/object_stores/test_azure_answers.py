"""The object store AZURE and answers that no well-behaved emulator gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from http_store_suite import CALLS, HttpStoreSuite
from servers.azure import ACCOUNT, KEY
from servers.scripted import Answer, Asked

from storegate import ConfigurationError, UnavailableError


def refusal(status: int, reason: str, **headers: str) -> Answer:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{reason}</Code><Message>No.</Message></Error>'
    return Answer(status, body.encode(), {"x-ms-error-code": reason, **headers})


@pytest.fixture
def open_at(open_azure: Any) -> Callable[..., Any]:
    def open_at(address: str, **settings: Any) -> Any:
        place = {"storage_account": ACCOUNT, "container": "metrics", "endpoint": f"http://{address}/{ACCOUNT}"}
        return open_azure(**{**place, "storage_account_key": KEY, **settings})

    return open_at


class TestAzureAnswers(HttpStoreSuite):
    refusal = staticmethod(refusal)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_missing_container_is_no_missing_object(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: refusal(404, "ContainerNotFound"), storage_create_container=False)
        with pytest.raises(ConfigurationError, match="the container does not exist: check `container`"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", CALLS)
    def test_a_container_that_is_being_deleted_is_unavailable(self, scripted: Any, call: str) -> None:
        _, store = scripted(lambda asked: refusal(409, "ContainerBeingDeleted"))
        with pytest.raises(UnavailableError, match="is being deleted"):
            CALLS[call](store)

    @pytest.mark.parametrize("call", ["list", "put"])
    def test_a_container_that_may_not_be_created_is_told_so(self, scripted: Any, call: str) -> None:
        def script(asked: Asked) -> Answer:
            creating = asked.method == "PUT" and asked.query == {"restype": "container"}
            return refusal(403, "AuthorizationFailure") if creating else refusal(404, "ContainerNotFound")

        _, store = scripted(script)
        with pytest.raises(ConfigurationError, match=r"create it; storage_create_container was refused: no access"):
            CALLS[call](store)

    def test_a_container_that_another_created_meanwhile_will_do(self, scripted: Any) -> None:
        def script(asked: Asked) -> Answer:
            creating = asked.query == {"restype": "container"}
            return refusal(409, "ContainerAlreadyExists") if creating else refusal(404, "ContainerNotFound")

        _, store = scripted(script)
        assert list(store.list()) == []

    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            ("AuthenticationFailed", "clock of this machine"),
            ("KeyBasedAuthenticationNotPermitted", "use an identity"),
            ("AuthorizationPermissionMismatch", "Storage Blob Data Reader"),
        ],
    )
    def test_a_refusal_says_what_to_do(self, scripted: Any, code: str, advice: str) -> None:
        _, store = scripted(lambda asked: refusal(403, code))
        with pytest.raises(PermissionError, match=rf"\({code}\); .*{advice}"):
            store.get("object")

    def test_the_shorter_timeout_holds(self, scripted: Any) -> None:
        _, store = scripted(lambda asked: Answer(delay=5.0), pipeline_config={"try_timeout": "100ms"})
        with pytest.raises(UnavailableError, match="timed out"):
            store.get("object")

    @pytest.mark.parametrize("call", CALLS)
    def test_no_request_and_no_error_holds_the_key(self, scripted: Any, call: str) -> None:
        server, store = scripted(lambda asked: refusal(403, "AuthenticationFailed"))
        with pytest.raises(PermissionError) as caught:
            CALLS[call](store)
        assert KEY not in repr(server.asked)
        assert "sig" not in str(caught.value).replace("signature or token", "")
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
