"""Real Envoys that ask onceproxy: bodies, trailers and protocols."""

import concurrent.futures
import contextlib
import json
import subprocess
import types

import grpc
import pytest

from harness import PATIENCE, Client, eventually, policy, request
from harness.certificates import Authority
from harness.client import once
from harness.door import find
from harness.upstream import executed


def test_bodies_above_the_limit(door):
    door.open(limits={"body_bytes": "64KiB"})
    assert (answer := door.ask(key="a", body=b"x" * 70_000)).status == 413 and answer.decision == "bad-request"
    chunked = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n"
    assert once(door.data, chunked + body).status == 413
    # Above what Envoy itself holds.
    assert once(door.data, request(key="c", body=b"x" * 4_000_000)).status == 413
    assert door.ask("PUT", "/other", body=b"x" * 4_000_000).status == 200
    assert not door.records() and len(door.upstream.requests) == 1


def test_chunked_and_large_bodies_go_through_whole(door):
    large = bytes(range(256)) * 800

    def handler(exchange):
        exchange.answer(200, large if exchange.request["idempotency-key"] == "kept" else large * 20, chunked=True)

    door.open(handler)
    chunked = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: kept\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = chunked + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    first, again = once(door.data, data), once(door.data, data)
    assert (first.decision, again.decision) == ("forwarded", "replayed")
    assert first.body == large and again.body == large
    assert door.upstream.requests[0].body == b"hello world"
    assert door.ask(key="large").body == large * 20
    assert door.ask(key="large").decision == "not-replayable"


def let_trailers_pass(config):
    """Envoy drops those of HTTP/1.1 unless it is told otherwise."""
    find(config, "HttpConnectionManager")["http_protocol_options"] = {"enable_trailers": True}
    service = config["static_resources"]["clusters"][0]
    service["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}}


CHUNKED = b"POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_trailers_of_a_request_reach_the_service(door):
    sent = []

    def handler(exchange):
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += exchange.connection.receive()
        sent.append(data)
        executed(exchange)

    door.open(upstream=door.stage.upstream(handler, streams=True), change=let_trailers_pass)
    body = b"4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"
    assert [once(door.data, CHUNKED + body).decision for _ in range(2)] == ["forwarded", "replayed"]
    assert sent == [body]


def test_trailers_without_a_body_are_refused(door):
    door.open(change=let_trailers_pass)
    answer = once(door.data, CHUNKED + b"0\r\nx-sum: 1\r\n\r\n")
    assert (answer.status, answer.decision) == (400, "bad-request")
    assert not door.upstream.requests


def test_of_an_answer_that_is_not_kept_only_the_head_is_told(door):
    door.open(lambda exchange: exchange.answer(200, bytes(4_000_000)))
    assert len(door.ask(key="a", body={"n": 1}).body) == 4_000_000
    assert door.told_messages() == 3
    assert door.ask(key="a", body={"n": 1}).decision == "not-replayable"


def test_trailers_pass_and_end_an_answer(door):
    def handler(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                      b"4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n")

    door.open(handler, change=let_trailers_pass)
    with Client(door.data) as client:
        client.send(request(key="a"))
        door.record("completed")
        eventually(lambda: b"\r\n\r\n" in client.buffer[-40:] and client.buffer.endswith(b"\r\n\r\n")
                   or not client.receive() or None, "an answer")
        assert b"0\r\nx-sum: 1\r\n\r\n" in client.buffer
    again = door.ask(key="a")
    assert (again.decision, again.body) == ("replayed", b"body")


def test_fields_that_are_repeated_stay_so(door):
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    door.open(lambda exchange: exchange.answer(200, b"x", headers=cookies), [policy(replay={"drop_headers": []})])
    for decision in ("forwarded", "replayed"):
        answer = door.ask(key="a")
        assert (answer.decision, answer.all("set-cookie")) == (decision, ["a=1", "b=2"])


def test_bodiless_answers_and_other_statuses(door):
    def handler(exchange):
        exchange.answer(int(exchange.request["idempotency-key"]), headers={"X-Custom": "1"})

    door.open(handler)
    for status in (204, 404, 503):
        first, again = door.ask(key=str(status)), door.ask(key=str(status))
        assert first.status == again.status == status
        # A failure of the service frees the key.
        assert again.decision == ("forwarded" if status == 503 else "replayed")
        assert again["x-custom"] == "1"


def test_a_unix_socket(door):
    door.open(envoy=f"unix:{door.directory}/envoy.sock")
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded", "replayed"]


def test_tls_with_certificates_of_both(door):
    authority = Authority()
    certificate, key = authority.issue("onceproxy").write(door.directory, "onceproxy")
    own_certificate, own_key = authority.issue("envoy").write(door.directory, "envoy")
    ca = str(authority.write_ca(door.directory))

    def change(config):
        chain = [{"certificate_chain": {"filename": str(own_certificate)}, "private_key": {"filename": str(own_key)}}]
        config["static_resources"]["clusters"][1]["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "common_tls_context": {"tls_certificates": chain,
                                       "validation_context": {"trusted_ca": {"filename": ca}}}}}

    tls = {"certificate": str(certificate), "key": str(key), "client_ca": ca, "client_certificate": "required"}
    door.open(envoy={"listen": {"address": "127.0.0.1:0", "tls": tls}}, change=change)
    assert [door.ask(key="a").decision for _ in range(2)] == ["forwarded", "replayed"]
    assert door.proxy.metrics().sum("onceproxy_tls_handshakes_total", listener="envoy") > 0


def test_a_client_of_http2(door):
    door.open()
    url = "http://%s:%d/orders" % door.data
    for decision in ("forwarded", "replayed"):
        said = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-i", "-H", "Idempotency-Key: a", "-d", "{}", url],
                              capture_output=True, text=True, timeout=PATIENCE)
        head, _, body = said.stdout.replace("\r", "").partition("\n\n")
        assert head.startswith("HTTP/2 200") and f"onceproxy-decision: {decision}" in head, said
        assert json.loads(body) == {"execution": 1}


@contextlib.contextmanager
def calling(door, methods):
    """A channel to a gRPC service behind the door."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Orders", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def change(config):
        protocol = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        config["static_resources"]["clusters"][0]["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": protocol, "explicit_http_config": {"http2_protocol_options": {}}}}

    service = types.SimpleNamespace(address=f"127.0.0.1:{port}")
    door.open(policies=[policy(match={"path": "/shop.Orders/**"})], change=change, upstream=service)
    with grpc.insecure_channel("%s:%d" % door.data) as channel:
        yield channel
    server.stop(None)


KEY = (("idempotency-key", "a"),)


def code_of(call):
    with pytest.raises(grpc.RpcError) as error:
        call(b"x", metadata=KEY, timeout=PATIENCE)
    return error.value.code()


def test_a_unary_call_of_grpc_is_done_once(door):
    """Its answer is not replayed: what gRPC says stands in trailers."""
    done = []
    method = grpc.unary_unary_rpc_method_handler(lambda message, _: done.append(message) or b"done:" + message)
    with calling(door, {"Place": method}) as channel:
        call = channel.unary_unary("/shop.Orders/Place")
        assert call(b"x", metadata=KEY, timeout=PATIENCE) == b"done:x"
        door.record("completed")
        code_of(call)
        door.proxy.decided("not-replayable")
    assert done == [b"x"]


@pytest.mark.parametrize("after_a_message", [False, True], ids=["head alone", "trailers"])
def test_a_call_of_grpc_that_failed_is_not_remembered_as_done(door, after_a_message):
    """Its HTTP status is 200 all the same. The failure comes in the head if there is no message before it."""
    done = []

    def place(message, context):
        done.append(message)
        if len(done) == 1:
            if after_a_message:
                yield b"begun"
            context.abort(grpc.StatusCode.INTERNAL, "a fault of its own")
        yield b"done"

    with calling(door, {"Place": grpc.unary_stream_rpc_method_handler(place)}) as channel:
        stream = channel.unary_stream("/shop.Orders/Place")

        def call(*args, **kwargs):
            return list(stream(*args, **kwargs))

        assert code_of(call) == grpc.StatusCode.INTERNAL
        assert call(b"x", metadata=KEY, timeout=PATIENCE) == [b"done"]
        assert door.record("completed")["status"] == 200
    assert len(done) == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE],
                         ids=lambda code: code.name)
def test_a_call_of_grpc_that_may_have_been_executed_has_an_unknown_outcome(door, code):
    """A proxy in front of the service says UNAVAILABLE also when the service did not answer in time."""
    def place(_, context):
        context.abort(code, "of a call behind it")

    with calling(door, {"Place": grpc.unary_unary_rpc_method_handler(place)}) as channel:
        assert code_of(channel.unary_unary("/shop.Orders/Place")) == code
        door.record("unknown")
