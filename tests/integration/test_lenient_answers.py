"""`upstream.http: lenient` accepts answers of old services if they have only one meaning. Answers that two
parsers could read differently are still refused, and clients get well-formed answers."""

import pytest

from harness import Client, policy, request
from harness.client import once
from test_upstream_failures import check_held, send

LENIENT = {"http": "lenient"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

TAKEN = {
    "lines that end in LF": b"HTTP/1.1 200 OK\nContent-Length: 2\nX-Old:yes\n\nok",
    "LF and chunks": b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n",
    "a length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "identity and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n"
                             b"Content-Length: 2\r\n\r\nok",
    "a space behind a chunk's size": CHUNKED + b"2 \r\nok\r\n0 \r\n\r\n",
    "spaces around a chunk's size": CHUNKED + b"  2   \r\nok\r\n 0\t\r\n\r\n",
}
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok"

REFUSED = {
    "a line break in a field": b"HTTP/1.1 200 OK\r\nLocation: /a\nTransfer-Encoding: chunked\r\n"
                               b"Content-Length: 2\r\n\r\nok",
    "an answer in a field": b"HTTP/1.1 200 OK\r\nX: a\n\nHTTP/1.1 200 OK\r\n"
                            b"Content-Length: 4\r\n\r\nevil",
    "CR LF among LF": b"HTTP/1.1 200 OK\nX: a\r\nContent-Length: 2\n\nok",
    "an end of CR LF behind LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\r\nok",
    "lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    "lengths spelled differently": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 02\r\n\r\nok",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "identity and chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "identity, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n"
                         b"2\r\nok\r\n0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\nX: 1\n 2\nContent-Length: 2\n\nok",
    "a space before a colon": b"HTTP/1.1 200 OK\nContent-Length : 2\n\nok",
    "a bare CR": b"HTTP/1.1 200 OK\nX: 1\r2\nContent-Length: 2\n\nok",
    "a space in a chunk's size": CHUNKED + b"0 2\r\nok\r\n0\r\n\r\n",
    "LF behind a chunk's size": CHUNKED + b"2\nok\r\n0\r\n\r\n",
    "a chunk's size with a sign": CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
}


def answers(data):
    def handler(exchange):
        exchange.send(data)
        exchange.connection.closed_by_proxy()

    return handler


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
@pytest.mark.parametrize("name", TAKEN)
def test_an_old_service_s_answer_reaches_the_client_clean(stage, name, target):
    """The harness takes nothing but strict HTTP."""
    upstream = stage.upstream(lambda exchange: exchange.send(TAKEN[name]))
    proxy = stage.proxy(upstream, upstream=LENIENT)
    with Client(proxy.data) as client:
        for key in ("a", "b"):
            answer = client.call(key=key, target=target)
            assert (answer.status, answer.body) == (200, b"ok")
            assert len(answer.all("content-length")) + len(answer.all("transfer-encoding")) == 1
            assert answer["x-old"] == ("yes" if "X-Old" in str(TAKEN[name]) else None)
        if target == "/orders":
            replayed = client.call(key="a")
            assert (replayed.decision, replayed.body) == ("replayed", b"ok")
        assert not client.buffer


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_identity_without_a_length_ends_with_the_connection(stage, target):
    def until_close(exchange):
        exchange.send(UNTIL_CLOSE)
        exchange.connection.close()

    proxy = stage.proxy(stage.upstream(until_close), upstream=LENIENT)
    answer = send(proxy, target=target)
    assert (answer.status, answer.body) == (200, b"ok")


def test_a_connection_on_which_identity_was_said_carries_no_other_request(stage):
    """Where its body ends is read in two ways: by the length, or by the end of the connection."""
    upstream = stage.upstream(lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    proxy = stage.proxy(upstream, upstream=LENIENT)
    for key in ("a", "b", "c"):
        assert send(proxy, key).body == b"ok"
    assert len(upstream.connections) == 3


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_answers_are_refused(stage, name):
    upstream = stage.upstream(answers(REFUSED[name]))
    proxy = stage.proxy(upstream, [policy(lease="60s")], upstream=LENIENT)
    answer = send(proxy)
    assert (answer.status, answer.decision) == (502, "upstream-error")
    check_held(send(proxy), lease=60)
    assert send(proxy, target="/uncovered").status == 502
    assert "evil" not in str(answer.body)


@pytest.mark.parametrize("name", list(TAKEN))
def test_a_strict_refusal_says_what_was_malformed_and_where(stage, name):
    upstream = stage.upstream(answers(TAKEN[name]))
    proxy = stage.proxy(upstream)
    answer = send(proxy)
    assert (answer.status, answer.decision) == (502, "upstream-error")
    detail = answer.json["detail"]
    assert "malformed in line" in detail or "malformed at byte" in detail
    assert ("upstream.http: lenient accepts it" in detail) == ("in line" in detail)
    assert proxy.access_log(1)[0]["error"] == detail
    uncovered = send(proxy, target="/uncovered")
    assert (uncovered.status, uncovered.json["detail"]) == (502, detail)


WHERE = {
    "line 3: Content-Length is repeated.":
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "line 1: The status line is malformed.": b"HTTP/1.1 20 OK\r\n\r\n",
    "line 2: A field name is not a token followed by a colon.":
        b"HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n",
    "byte 9: a chunk's size is not a hexadecimal number": CHUNKED + b"4\r\nfour\r\nzz\r\n",
    "byte 5: a chunk is longer than its size says": CHUNKED + b"2\r\nokk\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_both_ways_of_reading_name_the_place(stage, mode, place):
    proxy = stage.proxy(stage.upstream(answers(WHERE[place])), upstream={"http": mode})
    answer = send(proxy)
    wanted = place
    if mode == "lenient" and "repeated" in place:
        wanted = "line 3: Content-Length is repeated with another value."
    assert wanted in answer.json["detail"]
    assert proxy.access_log(1)[0]["error"] == answer.json["detail"]
    assert "lenient accepts it" not in answer.json["detail"]


def test_a_reload_changes_how_answers_are_read(stage):
    proxy = stage.proxy(stage.upstream(lambda exchange: exchange.send(TAKEN["a length twice"])))
    assert once(proxy.data, request(target="/uncovered")).status == 502
    proxy.settings["upstream"]["http"] = "lenient"
    proxy.configure(proxy.settings)
    proxy.operator.post("/reload")
    assert once(proxy.data, request(target="/uncovered")).status == 200


def test_requests_are_read_strictly_whatever_is_taken_of_answers(stage, upstream):
    proxy = stage.proxy(upstream, upstream=LENIENT)
    for data in (b"GET / HTTP/1.1\nHost: a\n\n",
                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nok",
                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                 b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n"):
        assert once(proxy.data, data, "POST").status == 400
    assert not upstream.requests
