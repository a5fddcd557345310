"""gRPC by foreign clients: grpcio, and frames where it does not do what a test needs."""

import concurrent.futures
import threading

import grpc
import pytest

from harness.echo import Echo
from harness.frames import DATA, END_STREAM, RST_STREAM, Peer, frame, message, number

SERVICE = "/test.Echo/"
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
WITHIN = 60


@pytest.fixture(scope="module")
def echo():
    with Echo() as server:
        yield server


@pytest.fixture
def channel(echo):
    with grpc.insecure_channel(echo.address, options=ANY_SIZE) as made:
        yield made


def unary(channel, method):
    return channel.unary_unary(SERVICE + method)


def error_of(call, *arguments, **more):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, timeout=more.pop("timeout", WITHIN), **more)
    return caught.value.code(), caught.value.details()


def test_messages_of_any_size_come_back_in_order(channel):
    sent = [b"", b"a", b"x" * 16_384, b"y" * 3_000_000, b"", b"last"]
    assert list(channel.stream_stream(SERVICE + "Bidi")(iter(sent), timeout=WITHIN)) == sent


def test_a_message_is_answered_before_the_next_one_is_sent(channel):
    turn = threading.Semaphore()

    def messages():
        for i in range(50):
            turn.acquire()
            yield b"%d" % i

    answers = channel.stream_stream(SERVICE + "Bidi")(messages(), timeout=WITHIN)
    for i, answer in enumerate(answers):
        assert answer == b"%d" % i
        turn.release()


@pytest.mark.parametrize("text", ["", "plain", "100 % sure", "zwei\nZeilen", "h\u00e9 \u2603 \U0001f600"])
def test_a_status_and_its_message_arrive(channel, text):
    code, details = error_of(unary(channel, "Status"), b"9:" + text.encode())
    assert (code, details) == (grpc.StatusCode.FAILED_PRECONDITION, text)


def test_a_status_behind_messages_is_in_the_trailers(channel):
    assert len(unary(channel, "Large")(b"2500000", timeout=WITHIN)) == 2_500_000


def test_an_unknown_method_is_unimplemented(channel):
    assert error_of(unary(channel, "Nope"), b"") == (grpc.StatusCode.UNIMPLEMENTED,
                                                    "unknown method /test.Echo/Nope")


@pytest.mark.parametrize("method", ["Throw", "Silent"])
def test_a_defect_of_a_handler_ends_its_call_alone(echo, channel, method):
    assert error_of(unary(channel, method), b"") == (grpc.StatusCode.INTERNAL, "internal error")
    line = echo.stderr.wait_for(lambda line: line.get("path") == SERVICE + method, "a log line")
    assert line["level"] == "error" and line["error"]
    assert unary(channel, "Bidi")(b"next", timeout=WITHIN) == b"next"


def test_a_handler_sees_what_the_peer_said(echo, channel):
    text = unary(channel, "About")(b"", timeout=WITHIN, metadata=[("x-test", "one"), ("x-test", "two")])
    path, authority, peer, field, timeout, deadline, certificate = text.decode().split("\n")
    assert (path, authority, peer) == (SERVICE + "About", echo.address, "127.0.0.1")
    # gRPC's own fields are not the handler's.
    assert (field, timeout, deadline, certificate) == ("one", "none", "deadline", "none")


def test_a_deadline_ends_the_call_on_both_sides(echo, channel):
    assert error_of(unary(channel, "Wait"), b"", timeout=0.3)[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    assert echo.gone("Wait") in ("deadline", "reset")  # whichever of the two comes first


def test_a_peer_that_only_waits_is_told_that_its_deadline_has_passed():
    with Echo() as echo, Peer(echo.place) as peer:
        stream = peer.open(peer.fields(SERVICE + "Wait", content_type="application/grpc",
                                       grpc_timeout="100m"))
        head, _, trailers = peer.answer(stream)
        assert head[":status"] == "200" and trailers["grpc-status"] == "4"
        assert echo.gone("Wait") == "deadline"


def test_a_cancelled_call_is_told_to_its_handler():
    with Echo() as echo, grpc.insecure_channel(echo.address) as channel:
        call = channel.unary_stream(SERVICE + "Wait")(b"")
        assert next(call) == b""
        call.cancel()
        assert echo.gone("Wait") == "reset"


def test_a_lost_connection_is_told_to_its_handlers():
    with Echo() as echo:
        with Peer(echo.place) as peer:
            peer.open(peer.fields(SERVICE + "Wait", content_type="application/grpc"))
            peer.synchronize()
        assert echo.gone("Wait") == "connection"


def test_ten_thousand_calls_at_once_are_all_served():
    """More than the connection may have; the client waits for its turn."""
    with Echo() as echo, grpc.insecure_channel(echo.address) as channel:
        call = channel.unary_unary(SERVICE + "Bidi")
        futures = [call.future(b"%d" % i, timeout=600) for i in range(10_000)]
        for i, future in enumerate(futures):
            assert future.result() == b"%d" % i
        with Peer(echo.place) as peer:
            assert peer.metrics().sum("onceproxy_grpc_calls_total", code="OK") >= 10_000


def test_calls_of_many_threads_do_not_disturb_each_other(echo):
    def talk(number):
        with grpc.insecure_channel(echo.address) as channel:
            sent = [b"%d-%d" % (number, i) * 100 for i in range(200)]
            got = list(channel.stream_stream(SERVICE + "Bidi")(iter(sent), timeout=WITHIN))
            return got == sent

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(talk, range(8)))


# --- what is wrong with a call

def failed(peer, body, **fields):
    """The status of a call with this body, and its message."""
    fields = peer.fields(SERVICE + "Bidi", content_type="application/grpc", **fields)
    head, _, trailers = peer.request(fields, body)
    said = trailers or head
    return int(said["grpc-status"]), said.get("grpc-message", ""), said


def test_a_message_over_the_limit_is_refused_before_it_is_read():
    with Echo(message_bytes=1_000) as echo, Peer(echo.place) as peer:
        assert peer.call("Bidi", b"x" * 1_000)[0] == [b"x" * 1_000]
        assert failed(peer, b"\0" + number(2**32 - 1))[:2] == (
            8, "a message of 4294967295 bytes is larger than the limit")


def test_compressed_messages_are_refused_with_what_would_be_taken(echo):
    with Peer(echo.place) as peer:
        code, text, said = failed(peer, b"\1" + number(1) + b"x", grpc_encoding="gzip")
        assert code == 12 and "identity" in text and said["grpc-accept-encoding"] == "identity"
        assert failed(peer, b"\1" + number(1) + b"x")[0] == 13
        # Who only could compress is served.
        assert failed(peer, message(b"x"), grpc_encoding="gzip")[0] == 0


@pytest.mark.parametrize("body", [b"\2" + number(1) + b"x", b"\0\0\0", message(b"whole") + b"\0" + number(5) + b"half"],
                         ids=["flags", "half a prefix", "half a message"])
def test_broken_framing_is_internal(echo, body):
    with Peer(echo.place) as peer:
        assert failed(peer, body)[0] == 13


@pytest.mark.parametrize("timeout", ["", "1", "S", "-1S", "123456789S", "1s"])
def test_a_malformed_timeout_is_internal(echo, timeout):
    with Peer(echo.place) as peer:
        assert failed(peer, b"", grpc_timeout=timeout)[:2] == (13, "grpc-timeout is not valid")


def test_what_is_no_call_is_refused_as_http(echo):
    with Peer(echo.place) as peer:
        grpc_type = {"content_type": "application/grpc"}
        assert peer.request(peer.fields(SERVICE + "Bidi", "GET", **grpc_type))[0] == {
            ":status": "405", "allow": "POST"}
        for kind in ("application/json", "application/grpc-web"):
            assert peer.request(peer.fields(SERVICE + "Bidi", content_type=kind))[0] == {":status": "415"}
        assert failed(peer, message(b"x"))[0] == 0


def test_messages_in_single_bytes_are_messages(echo):
    with Peer(echo.place) as peer:
        stream = peer.open(peer.fields(SERVICE + "Bidi", content_type="application/grpc"))
        body = message(b"one") + message(b"") + message(b"three")
        for i in range(len(body)):
            peer.send(frame(DATA, END_STREAM if i + 1 == len(body) else 0, stream, body[i:i + 1]))
        head, got, trailers = peer.answer(stream)
        assert (head["content-type"], got, trailers) == ("application/grpc", body, {"grpc-status": "0"})


def test_a_reset_within_a_message_leaves_the_connection(echo):
    with Peer(echo.place) as peer:
        stream = peer.open(peer.fields(SERVICE + "Bidi", content_type="application/grpc"))
        peer.send(frame(DATA, 0, stream, b"\0" + number(100) + b"half"))
        peer.send(frame(RST_STREAM, 0, stream, number(8)))
        assert peer.call("Bidi", b"next")[0] == [b"next"]
