"""Selectors reach fields at any depth: in JSON inside a text, in base64, in XML, in part of a header. Fields
that change with every attempt can be excluded."""

import base64
import json
import urllib.parse

import pytest

from harness import policy, request
from harness.client import once
from harness.process import run

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def deliver(proxy, body, media=JSON, **headers):
    named = {"Content-Type": media, **{name.replace("_", "-"): v for name, v in headers.items()}}
    return once(proxy.data, request(target="/orders", body=body, headers=named))


def by(selector, **changes):
    return policy(**{"fingerprint": [selector], **changes})


def inner(attempt, order="o-1"):
    return json.dumps({"orderId": order, "attempt": attempt})


def sns(attempt, order="o-1"):
    return json.dumps({"MessageId": f"m{attempt}", "Message": inner(attempt, order)})


def pubsub(attempt, order="o-1"):
    data = base64.b64encode(inner(attempt, order).encode()).decode()
    return json.dumps({"message": {"messageId": str(attempt), "data": data}})


def form(attempt, order="o-1"):
    return "payload=" + urllib.parse.quote_plus(inner(attempt, order))


NESTED = {
    "SNS": ({"body": "/Message", "json": "/orderId"}, sns, "text/plain; charset=UTF-8"),
    "Pub/Sub": ({"body": "/message/data", "decode": "base64", "json": "/orderId"}, pubsub, JSON),
    "form": ({"form": "payload", "json": "/orderId"}, form, FORM),
    "text": ({"content": True, "capture": '"orderId": "([^"]*)"'}, inner, "text/plain"),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_field_of_json_in_a_text_names_the_operation(stage, upstream, name):
    selector, body, media = NESTED[name]
    proxy = stage.proxy(upstream, [by(selector)])
    assert deliver(proxy, body(1), media).decision == "forwarded"
    assert deliver(proxy, body(2), media).decision == "replayed"
    assert deliver(proxy, body(3, "o-2"), media).decision == "forwarded"
    assert deliver(proxy, "{}", media).decision == "missing-key"
    assert len(upstream.requests) == 2


def test_a_text_that_cannot_be_decoded_is_refused_with_the_place(stage, upstream):
    hidden = {"json": "/type", "equals": "order"}
    proxy = stage.proxy(upstream, [
        by({"form": "payload", "json": "/id"}, match={"where": [{"form": "payload", **hidden}]})])
    twice = "payload=" + urllib.parse.quote_plus('{"type":"x","type":"order","id":1}')
    refused = deliver(proxy, twice, FORM)
    assert (refused.status, refused.decision) == (400, "unreadable")
    assert refused.json["detail"] == (
        "The JSON in the text of `form: payload, json: /type` is not valid: a member name is "
        "repeated at byte 12.")
    assert upstream.requests == []


def test_text_that_is_not_base64_is_refused(stage, upstream):
    proxy = stage.proxy(upstream, [by({"body": "/data", "decode": "base64", "json": "/id"})])
    refused = deliver(proxy, {"data": "eyJpZCI6MX0*"})
    assert (refused.status, refused.decision) == (400, "unreadable")
    assert "is not base64 at byte 11." in refused.json["detail"]
    assert "eyJp" not in refused.body.decode()


def test_part_of_a_header_names_the_caller(stage, upstream):
    caller = {"header": "authorization", "capture": "^Basic ([^:]+)"}
    proxy = stage.proxy(upstream, [by({"body": "/id"}, scope=[caller])])
    assert deliver(proxy, {"id": 1}, authorization="Basic ann:1").decision == "forwarded"
    assert deliver(proxy, {"id": 1}, authorization="Basic ann:2").decision == "replayed"
    assert deliver(proxy, {"id": 1}, authorization="Basic bob:1").decision == "forwarded"
    assert deliver(proxy, {"id": 1}, authorization="Bearer x").decision == "missing-key"


def test_the_order_of_modifiers_is_not_that_of_the_file(stage, upstream):
    first = {"body": "/d", "decode": "base64", "json": "/m/*", "capture": "ID-(.*)", "trim": True,
             "lower": True, "sort": True}
    last = dict(reversed(first.items()))
    proxy = stage.proxy(upstream, [
        by(first, namespace="orders"), by(last, name="other", namespace="orders", match={"path": "/other"})])
    data = base64.b64encode(b'{"m":[" ID-B "," ID-a "]}').decode()
    assert deliver(proxy, {"d": data}).decision == "forwarded"
    again = once(proxy.data, request(target="/other", body=json.dumps({"d": data}).encode()))
    assert again.decision == "replayed"


def test_fields_of_one_element_stay_together(stage, upstream):
    taken = {"body": "/alerts/*", "take": ["/id", "/state"], "sort": True}
    proxy = stage.proxy(upstream, [by(taken)])

    def alerts(**states):
        return {"alerts": [{"id": key, "state": state} for key, state in states.items()]}

    assert deliver(proxy, alerts(a="resolved", b="firing")).decision == "forwarded"
    assert deliver(proxy, alerts(a="firing", b="resolved")).decision == "forwarded"
    assert deliver(proxy, alerts(b="firing", a="resolved")).decision == "replayed"


def test_fields_that_change_with_every_attempt_can_be_excluded(stage, upstream):
    counted = {"content": True, "except": ["/sentAt", "/meta/traceId", "/items/*/seenAt"]}
    proxy = stage.proxy(upstream, [by({"body": "/id"}, payload=[counted])])

    def order(attempt, amount=1):
        return {"id": 7, "sentAt": attempt, "meta": {"traceId": f"t{attempt}"},
                "items": [{"amount": amount, "seenAt": attempt}]}

    assert deliver(proxy, order(1)).decision == "forwarded"
    assert deliver(proxy, order(2)).decision == "replayed"
    assert deliver(proxy, {"id": 7, "meta": {}, "items": [{"amount": 1}]}).decision == "replayed"
    assert deliver(proxy, order(3, amount=2)).decision == "mismatch"


def test_a_target_in_normal_form_is_one_whatever_its_spelling(stage, upstream):
    where = {"target": "normal"}
    proxy = stage.proxy(upstream, [policy(match={"path": "/hooks/**"}, fingerprint=[where])])

    def post(target):
        return once(proxy.data, request(target=target, body=b"")).decision

    assert post("/hooks/a?tenant=1") == "forwarded"
    assert post("/hooks//b/../%61?tenant=1") == "replayed"
    assert post("/hooks/a?tenant=2") == "forwarded"
    assert post("/hooks/b?tenant=1") == "forwarded"


def envelope(attempt, prefix="soap", message="m-1"):
    return (f'<?xml version="1.0"?><{prefix}:Envelope xmlns:{prefix}="http://www.w3.org/2003/05/'
            f'soap-envelope" xmlns:w="http://www.w3.org/2005/08/addressing"><{prefix}:Header>'
            f"<w:MessageID>{message}</w:MessageID><Sent>{attempt}</Sent></{prefix}:Header>"
            f'<{prefix}:Body><Order id="{message}"/></{prefix}:Body></{prefix}:Envelope>')


@pytest.mark.parametrize("path", ["/Envelope/Header/MessageID", "/Envelope/Body/Order/@id"])
def test_a_field_of_xml_names_the_operation(stage, upstream, path):
    proxy = stage.proxy(upstream, [by({"xml": path})])
    media = "application/soap+xml; charset=utf-8"
    assert deliver(proxy, envelope(1), media).decision == "forwarded"
    assert deliver(proxy, envelope(2, "S"), media).decision == "replayed"
    assert deliver(proxy, envelope(3), "text/plain").decision == "replayed"
    assert deliver(proxy, envelope(4, message="m-2"), media).decision == "forwarded"
    assert deliver(proxy, '{"id":1}').decision == "missing-key"
    assert deliver(proxy, "<Envelope/>", media).decision == "missing-key"


HOSTILE = {
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a><id>&x;</id></a>',
    "external DTD": '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a><id>1</id></a>',
    "expanding entities": '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a><id>&c;</id></a>',
    "deep": "<a>" * 70 + "<id>1</id>" + "</a>" * 70,
    "many tags": "<a>" + "<b/>" * 250_000 + "</a>",
    "cut off": "<a><id>1</id>",
    "NUL": "<a><id>1</id></a>\0<a/>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_xml_that_cannot_be_read_is_refused_with_the_place(stage, upstream, name):
    proxy = stage.proxy(upstream, [by({"xml": "//id"})], limits={"body_bytes": "4MiB"})
    refused = deliver(proxy, HOSTILE[name], "application/xml")
    assert (refused.status, refused.decision) == (400, "unreadable")
    assert refused.json["detail"].startswith("The body cannot be read as XML: ")
    assert " at byte " in refused.json["detail"]
    assert upstream.requests == []
    assert deliver(proxy, "<a><id>1</id></a>", "application/xml").decision == "forwarded"


def test_explain_shows_what_was_found_inside(stage, upstream, directory):
    proxy = stage.proxy(upstream, [policy(fingerprint=[
        {"form": "payload", "json": "/orderId"}, {"form": "payload", "json": "/none", "default": "x"},
        {"target": "normal"}])])
    message = directory / "request.http"
    message.write_text(f"POST //orders?a=%41 HTTP/1.1\nHost: x\nContent-Type: {FORM}\n\n{form(1)}")
    shown = run("explain", "-c", proxy.config, message).stdout
    assert "  form: payload, json: /orderId = o-1\n" in shown
    assert "  form: payload, json: /none = x\n" in shown
    assert "  target: normal = /orders?a=%41\n" in shown


def test_explain_says_that_a_body_is_xml(stage, upstream, directory):
    proxy = stage.proxy(upstream, [by({"xml": "//MessageID"})])
    message = directory / "request.http"
    message.write_text(f"POST /orders HTTP/1.1\nHost: x\nContent-Type: text/xml\n\n{envelope(1)}")
    shown = run("explain", "-c", proxy.config, message).stdout
    assert "  xml: //MessageID = m-1\n" in shown
    assert "XML" in shown
