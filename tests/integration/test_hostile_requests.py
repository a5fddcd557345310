"""Requests that two parsers could understand differently, and oversized requests: they are refused, the
connection is closed, and no byte of them is forwarded."""

import pytest

from harness import Client, Upstream, eventually, request
from harness.client import once

HOST = b"Host: shop.example\r\n"
KEY = b"Idempotency-Key: k\r\n"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"


def post(*fields, body=b"", target=b"/orders", version=b"HTTP/1.1", host=HOST):
    """A request whose fields are given as they are, without any help."""
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST " + target + b" " + version + b"\r\n" + host + KEY + lines + b"\r\n" + body


def te(*codings, body=CHUNKED, more=()):
    return post(*(b"Transfer-Encoding: " + coding for coding in codings), *more, body=body)


def cl(*lengths, body=b"abc"):
    return post(*(b"Content-Length: " + length for length in lengths), body=body)


def line(text):
    return text + b"\r\n" + HOST + KEY + b"Content-Length: 0\r\n\r\n"


# Name: (bytes, statuses that are right).
HEADS = {
    "length and chunked": (te(b"chunked", more=[b"Content-Length: 5"]), {400}),
    "chunked and length": (post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=CHUNKED), {400}),
    "coding gzip": (te(b"gzip"), {400, 501}),
    "coding gzip with length": (te(b"gzip", more=[b"Content-Length: 3"]), {400, 501}),
    "coding gzip, chunked": (te(b"gzip, chunked"), {400, 501}),
    "coding chunked, identity": (te(b"chunked, identity"), {400, 501}),
    "coding chunked, chunked": (te(b"chunked, chunked"), {400, 501}),
    "coding identity": (te(b"identity"), {400, 501}),
    "coding quoted": (te(b'"chunked"'), {400, 501}),
    "coding xchunked": (te(b"xchunked"), {400, 501}),
    "coding chunked;x=y": (te(b"chunked;x=y"), {400, 501}),
    "coding empty": (te(b""), {400, 501}),
    "coding with a tab inside": (te(b"chu\tnked"), {400, 501}),
    "coding with vertical tab": (te(b"\x0bchunked"), {400}),
    "two codings": (te(b"chunked", b"chunked"), {400, 501}),
    "two different codings": (te(b"identity", b"chunked"), {400, 501}),
    "chunked under 1.0": (post(b"Transfer-Encoding: chunked", body=CHUNKED, version=b"HTTP/1.0"), {400}),
    "space before the coding's colon": (post(b"Transfer-Encoding : chunked", body=CHUNKED), {400}),
    "length listed": (cl(b"3, 3"), {400}),
    "length twice": (cl(b"3", b"3"), {400}),
    "lengths that differ": (cl(b"3", b"4"), {400}),
    "length signed": (cl(b"+3"), {400}),
    "length negative": (cl(b"-1"), {400}),
    "length hexadecimal": (cl(b"0x3"), {400}),
    "length with a space": (cl(b"3 3"), {400}),
    "length empty": (cl(b""), {400}),
    "length above 64 bits": (cl(b"99999999999999999999999"), {400, 413}),
    "folded line": (post(b"X-A: 1", b" folded"), {400}),
    "folded first line": (b"POST /orders HTTP/1.1\r\n Host: a\r\n" + HOST + KEY + b"\r\n", {400}),
    "folded with a tab": (post(b"X-A: 1", b"\tfolded"), {400}),
    "space before a colon": (post(b"X-A : 1"), {400}),
    "no colon": (post(b"X-A"), {400}),
    "empty name": (post(b": 1"), {400}),
    "bare LF after a field": (post(b"X-A: 1\nX-B: 2"), {400}),
    "bare LF all over": (post(b"X: 1").replace(b"\r\n", b"\n") + b"\r\n\r\n", {400}),
    "bare CR in a value": (post(b"X-A: 1\rX-B: 2"), {400}),
    "NUL in a value": (post(b"X-A: 1\x002"), {400}),
    "NUL in a name": (post(b"X\x00A: 1"), {400}),
    "control character in a value": (post(b"X-A: \x01"), {400}),
    "DEL in a value": (post(b"X-A: \x7f"), {400}),
    "name above ASCII": (post(b"X\xc3\xa9: 1"), {400}),
    "parenthesis in a name": (post(b"X(A): 1"), {400}),
    "no host": (post(host=b""), {400}),
    "two hosts": (post(host=HOST + HOST), {400}),
    "two different hosts": (post(host=HOST + b"Host: other.example\r\n"), {400}),
    "host with a path": (post(host=b"Host: shop.example/x\r\n"), {400}),
    "host with user": (post(host=b"Host: a@shop.example\r\n"), {400}),
    "host with a space": (post(host=b"Host: a b\r\n"), {400}),
    "host with a list": (post(host=b"Host: a, b\r\n"), {400}),
    "host with a port that is none": (post(host=b"Host: a:b\r\n"), {400}),
    "fragment": (line(b"POST /orders#x HTTP/1.1"), {400}),
    "backslash": (line(b"POST /orders\\x HTTP/1.1"), {400}),
    "space in the target": (line(b"POST /orders x HTTP/1.1"), {400}),
    "two spaces": (line(b"POST  /orders HTTP/1.1"), {400}),
    "tab instead of a space": (line(b"POST\t/orders\tHTTP/1.1"), {400}),
    "target above ASCII": (line(b"POST /\xc3\xa9 HTTP/1.1"), {400}),
    "target with DEL": (line(b"POST /\x7f HTTP/1.1"), {400}),
    "target without a slash": (line(b"POST orders HTTP/1.1"), {400}),
    "asterisk for POST": (line(b"POST * HTTP/1.1"), {400}),
    "encoded slash": (line(b"POST /orders%2Fx HTTP/1.1"), {400}),
    "encoded backslash": (line(b"POST /orders%5cx HTTP/1.1"), {400}),
    "encoded NUL": (line(b"POST /orders%00 HTTP/1.1"), {400}),
    "broken percent": (line(b"POST /orders%2 HTTP/1.1"), {400}),
    "absolute form of another host": (line(b"POST http://other.example/orders HTTP/1.1"), {400}),
    "absolute form with user": (line(b"POST http://u@shop.example/orders HTTP/1.1"), {400}),
    "unknown scheme": (line(b"POST gopher://shop.example/orders HTTP/1.1"), {400}),
    "no version": (b"POST /orders\r\n" + HOST + b"\r\n", {400, 505}),
    "version 0.9": (line(b"POST /orders HTTP/0.9"), {400, 505}),
    "version 1.2": (line(b"POST /orders HTTP/1.2"), {505}),
    "version 2.0": (line(b"POST /orders HTTP/2.0"), {505}),
    "version 11": (line(b"POST /orders HTTP/1.11"), {400, 505}),
    "version in lower case": (line(b"POST /orders http/1.1"), {400, 505}),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n", {400}),
    "a method that is no token": (line(b"PO(ST /orders HTTP/1.1"), {400}),
    "empty method": (line(b" /orders HTTP/1.1"), {400}),
    "CONNECT": (b"CONNECT shop.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
    "TRACE": (b"TRACE /orders HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    "TRACE elsewhere": (b"TRACE /uncovered HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    "connection names the key": (post(b"Connection: Idempotency-Key"), {400}),
    "request line of 20 KB": (line(b"POST /" + b"a" * 20_000 + b" HTTP/1.1"), {414}),
    "field of 20 KB": (post(b"X-A: " + b"a" * 20_000), {431}),
    "1000 tiny fields": (post(*[b"A:"] * 1000), {431}),
    "101 fields": (post(*[b"A: 1"] * 101), {431}),
    "a head without end": (b"POST /orders HTTP/1.1\r\n" + b"A: aaaaaaaaaaaaaaaa\r\n" * 100_000, {431}),
    "a line without end": (b"P" * 2_000_000, {400, 414, 431}),
}

CHUNKS = {
    "size empty": b"\r\nhello\r\n0\r\n\r\n",
    "size not hexadecimal": b"xyz\r\nhello\r\n0\r\n\r\n",
    "size signed": b"+5\r\nhello\r\n0\r\n\r\n",
    "size negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "size 0x5": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size above 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size of 64 bits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR after the size": b"5\rhello\r\n0\r\n\r\n",
    "no CRLF after the data": b"5\r\nhelloXX0\r\n\r\n",
    "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension that is no token": b"5;{a}\r\nhello\r\n0\r\n\r\n",
    "extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "extension whose quotes stay open": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "NUL in an extension": b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    "extension of 10 MB": b"5;" + b"a" * 10_000_000 + b"\r\nhello\r\n0\r\n\r\n",
    "trailer of 70 KB": b"5\r\nhello\r\n0\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "500,000 trailers": b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 500_000 + b"\r\n",
    "folded trailer": b"5\r\nhello\r\n0\r\nA: 1\r\n 2\r\n\r\n",
    "bare LF in a trailer": b"5\r\nhello\r\n0\r\nA: 1\nB: 2\r\n\r\n",
    "trailer without a colon": b"5\r\nhello\r\n0\r\nbroken\r\n\r\n",
}


@pytest.fixture(scope="module")
def upstream(shared_stage):
    # Streamed bodies that break off are no executions; what arrives whole is.
    return shared_stage.upstream()


@pytest.fixture(scope="module")
def proxy(shared_stage, upstream):
    made = shared_stage.proxy(upstream)
    # What the process is like once warm: memory is measured from there.
    once(made.data, request(key="warm"))
    once(made.data, request(target="/uncovered"))
    made.rss_warm = made.rss()
    return made


def check_still_well(proxy):
    proxy.check_alive()
    assert proxy.rss() - proxy.rss_warm < 64 * 1024 * 1024


def check_refused(proxy, data, statuses):
    """Answered with one of the statuses, and nothing but the end after that."""
    with Client(proxy.data) as client:
        client.send(data)
        answer = client.read("POST")
        assert answer.status in statuses, answer
        assert answer.problem == "bad-request"
        assert answer.closes
        client.buffer.clear()
        assert client.ends() == b"", "something came after the refusal"
    check_still_well(proxy)


@pytest.mark.parametrize("name", HEADS)
def test_a_hostile_head_is_refused(proxy, upstream, name):
    before = upstream.bytes_received
    check_refused(proxy, *HEADS[name])
    assert upstream.bytes_received == before


@pytest.mark.parametrize("name", CHUNKS)
def test_a_hostile_chunked_body_of_a_covered_request_is_refused(proxy, upstream, name):
    before = upstream.bytes_received
    check_refused(proxy, post(b"Transfer-Encoding: chunked", body=CHUNKS[name]), {400, 413, 431})
    assert upstream.bytes_received == before


@pytest.mark.parametrize("name", CHUNKS)
def test_a_hostile_chunked_body_that_streams_breaks_the_request_off(proxy, upstream, name):
    """The upstream may see its beginning, but never a whole request."""
    before = len(upstream.requests)
    data = post(b"Transfer-Encoding: chunked", target=b"/uncovered", body=CHUNKS[name])
    check_refused(proxy, data, {400, 413, 431})
    assert len(upstream.requests) == before
    open_connections = lambda: [c for c in upstream.connections if c.count and not c.over.is_set()]
    streaming = lambda c: b"/uncovered" in c.kept and bytes(c.kept).endswith(b"hello\r\n")
    eventually(lambda: not any(streaming(c) for c in open_connections()),
               "the broken request's connection is closed")


@pytest.mark.parametrize("target", [b"/orders", b"/uncovered"])
def test_a_request_hidden_behind_a_refused_one_is_not_forwarded(proxy, upstream, target):
    hidden = request(target="/hidden", key="h")
    before = upstream.bytes_received
    for data in (te(b"chunked", more=[b"Content-Length: 0"], body=b"0\r\n\r\n"),
                 post(b"Content-Length: 0", b"Content-Length: 5", target=target)):
        with Client(proxy.data) as client:
            client.send(data + hidden)
            assert client.read("POST").status == 400
            assert client.ends() == b""
    assert upstream.bytes_received == before


@pytest.mark.parametrize("target", ["/orders", "/uncovered"])
def test_trailers_cannot_smuggle_fields(stage, target):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    trailers = (b"Idempotency-Key: other\r\nAuthorization: root\r\nX-Forwarded-For: 1.2.3.4\r\n"
                b"Onceproxy-Fence: 9\r\n")
    data = post(b"Transfer-Encoding: chunked", target=target.encode(),
                body=b"5;ext=1\r\nhello\r\n0\r\n" + trailers + b"\r\n")
    answer = once(proxy.data, data)
    assert answer.status == 200
    seen = upstream.requests[0]
    assert seen.body == b"hello"
    assert seen["idempotency-key"] == "k"
    assert seen["authorization"] is None
    assert seen["x-forwarded-for"] in (None, "127.0.0.1")
    received = bytes(upstream.connections[0].kept).lower()
    assert b"root" not in received and b"ext=1" not in received


def test_encoded_slashes_pass_where_the_configuration_says_so(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, limits={"encoded_slashes": "pass"})
    assert once(proxy.data, request("GET", "/files/a%2Fb")).status == 200
    assert upstream.requests[0].target == "/files/a%2Fb"
    assert once(proxy.data, request("GET", "/files/a%00b")).status == 400


def test_every_refusal_is_counted_and_logged(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream)
    once(proxy.data, te(b"gzip"))
    once(proxy.data, post(host=b""))
    for name in ("onceproxy_bad_requests_total", "onceproxy_requests_total"):
        eventually(lambda: proxy.metrics().sum(name) == 2, f"two in {name}")
    assert proxy.metrics().sum("onceproxy_requests_total", decision="bad-request") == 2
    assert [entry["decision"] for entry in proxy.access_log(2)] == ["bad-request"] * 2


def test_upstream_class_is_strict_itself():
    """The harness would notice: a malformed request is a fault that fails the test."""
    strict = Upstream()
    host, port = strict.address.split(":")
    with Client((host, int(port))) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")
        assert client.ends() == b""
    with pytest.raises(AssertionError, match="no HTTP"):
        strict.close()
