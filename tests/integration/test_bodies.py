"""How bodies are compared: according to their Content-Type."""

import pytest

from harness import policy, request
from harness.client import once

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FILE = b"one\r\n--two\r\n\x00\xff"


def send(proxy, body, headers=(), key="a", target="/orders"):
    return once(proxy.data, request(target=target, headers=headers, body=body, key=key))


def typed(content_type):
    return {"Content-Type": content_type}


def upload(boundary, content=FILE, name="file", filename="a.bin", kind="text/plain"):
    """The headers and the bytes of a form with a field and a file."""
    parts = (f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nreport\r\n'
             f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
             f"Content-Type: {kind}\r\n\r\n").encode()
    body = parts + content + f"\r\n--{boundary}--\r\n".encode()
    return body, typed(f"multipart/form-data; boundary={boundary}")


@pytest.fixture
def by_content(stage, upstream):
    return stage.proxy(upstream, [policy(fingerprint=[{"target": True}, {"content": True}])])


@pytest.mark.parametrize("content_type", ["text/plain", "text/csv; charset=utf-8", "application/xml"])
@pytest.mark.parametrize("one,two", [("1.10", "1.1"), ("1e3", "1000"), ("5", " 5\n"),
                                     ('{"a":1.0}', '{"a":1}')])
def test_text_that_spells_json_is_text(proxy, by_content, content_type, one, two):
    headers = typed(content_type)
    assert send(by_content, one, headers, key=None).decision == "forwarded"
    assert send(by_content, two, headers, key=None).decision == "forwarded"
    assert send(by_content, one, headers, key=None).decision == "replayed"
    assert send(proxy, one, headers).decision == "forwarded"
    assert send(proxy, two, headers).decision == "mismatch"
    assert send(proxy, one, headers).decision == "replayed"


@pytest.mark.parametrize("headers", [{}, typed("application/merge-patch+json; charset=utf-8"),
                                     typed("Text/JSON")])
def test_a_body_declared_as_json_or_not_at_all_is_json(proxy, headers):
    assert send(proxy, '{"a":1.0,"b":2}', headers).decision == "forwarded"
    assert send(proxy, '{ "b":2, "a" : 1 }', headers).decision == "replayed"


def test_fields_of_json_are_read_whatever_the_type(stage, upstream):
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"body": "/id"}])])
    for headers in ({}, typed("text/plain"), FORM, typed("application/octet-stream")):
        send(proxy, '{"id":1}', headers, key=None)
    assert sum(upstream.executions.values()) == 1


def test_a_form_counts_by_its_pairs_in_order(proxy, by_content):
    assert send(proxy, "a=1+2&b=%33", FORM).decision == "forwarded"
    for same in ("a=1%202&b=3", b"\xef\xbb\xbfa=1+2&b=3&", "%61=1+2&&b=3"):
        assert send(proxy, same, FORM).decision == "replayed", same
    for other in ("b=3&a=1+2", "a=1+2", "a=1%2B2&b=3", "a=1+2&b=3&b=3"):
        assert send(proxy, other, FORM).decision == "mismatch", other
    assert send(by_content, "a=1+2&b=%33", FORM, key=None).decision == "forwarded"
    assert send(by_content, "a=1%202&b=3", FORM, key=None).decision == "replayed"


def test_json_under_the_type_of_a_form_is_no_form(proxy):
    assert send(proxy, '{"a":"1+1"}', FORM).decision == "forwarded"
    assert send(proxy, '{"a":"1 1"}', FORM).decision == "mismatch"


def test_an_upload_counts_by_its_parts_and_not_by_its_boundary(proxy, upstream, by_content):
    assert send(proxy, *upload("----a1")).decision == "forwarded"
    assert send(proxy, *upload("----b2")).decision == "replayed"
    for change in ({"content": FILE + b"x"}, {"name": "other"}, {"filename": "b.bin"},
                   {"kind": "text/csv"}):
        assert send(proxy, *upload("----c3", **change)).decision == "mismatch", change
    assert send(by_content, *upload("----a1"), key=None).decision == "forwarded"
    assert send(by_content, *upload("----b2"), key=None).decision == "replayed"
    body, headers = upload("----a1")
    assert upstream.requests[0].body == body, "forwarded byte for byte"


def test_an_upload_that_readers_may_read_in_two_ways_counts_by_its_bytes(proxy):
    body, headers = upload("X")
    bare = body.replace(b"\r\n--X", b"\n--X")
    assert send(proxy, bare, headers).decision == "forwarded"
    assert send(proxy, bare, headers).decision == "replayed"
    other, headers = upload("Y")
    assert send(proxy, other.replace(b"\r\n--Y", b"\n--Y"), headers).decision == "mismatch"


def test_fields_of_an_upload_are_fields_of_a_form(stage, upstream):
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"form": "title"}])])
    assert send(proxy, *upload("X"), key=None).decision == "forwarded"
    assert send(proxy, *upload("Y", b"another file"), key=None).decision == "replayed"
    assert send(proxy, "title=report", FORM, key=None).decision == "replayed"
    cut_off = upload("X")[0][:-20]
    refused = send(proxy, cut_off, upload("X")[1], key=None)
    assert (refused.status, refused.decision) == (400, "unreadable")
    assert refused.problem == "unreadable-body"
    assert "not valid multipart/form-data: the last boundary is missing" in refused.json["detail"]
    assert send(proxy, *upload("X", name="title"), key=None).decision == "forwarded"
