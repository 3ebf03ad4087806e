"""Requests that say who asks."""

from __future__ import annotations

import base64
import hashlib
import hmac

from storegate_azure.signing import SharedAccessSignature, SharedKey, string_to_sign

QUERY = {"restype": "container", "comp": "metadata", "timeout": "20"}
HEADERS = {"x-ms-version": "2015-02-21", "x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT"}


def test_the_text_that_is_signed_is_that_of_the_services_documentation() -> None:
    assert string_to_sign("myaccount", "GET", "/mycontainer", QUERY, HEADERS) == (
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
        "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
    )


def test_range_type_and_length_are_signed_in_their_places() -> None:
    headers = {"Range": "bytes=0-9", "Content-Type": "text/plain", "Content-Length": "3", "x-ms-date": "now"}
    assert string_to_sign("a", "PUT", "/c/%C3%BC", {}, headers) == (
        "PUT\n\n\n3\n\ntext/plain\n\n\n\n\n\nbytes=0-9\nx-ms-date:now\n/a/c/%C3%BC"
    )


def test_the_signature_of_a_key_is_a_header() -> None:
    headers = dict(HEADERS)
    target = SharedKey("myaccount", b"key").sign("GET", "/mycontainer", QUERY, headers)
    text = string_to_sign("myaccount", "GET", "/mycontainer", QUERY, HEADERS)
    digest = base64.b64encode(hmac.digest(b"key", text.encode(), hashlib.sha256)).decode()
    assert headers == {**HEADERS, "Authorization": f"SharedKey myaccount:{digest}"}
    assert target == "/mycontainer?restype=container&comp=metadata&timeout=20"


def test_a_signature_made_elsewhere_ends_the_query() -> None:
    signature = SharedAccessSignature("sv=2019&sig=a%3D")
    assert signature.sign("GET", "/c/key", {}, {}) == "/c/key?sv=2019&sig=a%3D"
    assert signature.sign("GET", "/c", {"comp": "list"}, {}) == "/c?comp=list&sv=2019&sig=a%3D"


def test_neither_can_be_renewed() -> None:
    assert not SharedKey("a", b"key").renew()
    assert not SharedAccessSignature("sig=a").renew()
