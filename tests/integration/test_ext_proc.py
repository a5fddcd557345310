"""The port where an Envoy asks, in the hands of another client than Envoy (Python's grpcio): what is out of
phase, malformed, too large, or gone."""

import grpc
import pytest

from harness import eventually, policy
from harness.ext_proc import (METHOD, Call, Request, connect, request_body, request_head, response_body,
                              response_head)
from harness.frames import ACK, CANCEL, DATA, END_STREAM, RST_STREAM, SETTINGS, Peer, frame, message, number

Status = grpc.StatusCode


@pytest.fixture
def proxy(stage):
    return stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"}, limits={"body_bytes": "64KiB"})


@pytest.fixture
def channel(proxy):
    with connect(proxy.listeners["envoy"]) as made:
        yield made


def record(proxy, state):
    def found():
        records = proxy.operator.get("/records")["items"]
        return len(records) == 1 and records[0]["state"] == state
    eventually(found, f"one record, {state}")


def set_fields(mutation):
    return {field.header.key: field.header.raw_value.decode() for field in mutation.set_headers}


def test_a_request_from_its_head_to_the_end_of_its_answer(proxy, channel):
    call = Call(channel).say(request_head(end_of_stream=False))
    assert call.hear().HasField("mode_override")
    fields = set_fields(call.say(request_body(b"{}")).hear().request_body.response.header_mutation)
    assert int(fields["onceproxy-fence"]) > 0
    head = call.say(response_head(201, end_of_stream=False)).hear()
    assert set_fields(head.response_headers.response.header_mutation)["onceproxy-decision"] == "forwarded"
    assert call.say(response_body(b"done")).hear().HasField("response_body")
    assert call.finish().status() == Status.OK
    again = Call(channel).say(request_head(end_of_stream=False))
    again.hear()
    answer = again.say(request_body(b"{}")).hear().immediate_response
    assert (answer.status.code, answer.body, answer.details) == (201, b"done", "onceproxy_replayed")
    assert again.status() == Status.OK


@pytest.mark.parametrize("said, status", [
    (b"\xff\xff\xff", Status.INVALID_ARGUMENT), (Request(), Status.INVALID_ARGUMENT),
    # Envoy would forward a request whose head onceproxy has not seen.
    (request_body(b"x"), Status.FAILED_PRECONDITION),
], ids=["no protobuf", "nothing", "a body first"])
def test_what_is_no_first_message(channel, said, status):
    assert Call(channel).say(said).status() == status


def test_an_answer_to_a_request_that_never_came_by_goes_on(channel):
    call = Call(channel).say(response_body(b"x"))
    call.hear()
    assert call.finish().status() == Status.OK


def test_a_message_out_of_phase_leaves_the_outcome_unknown(proxy, channel):
    call = Call(channel).say(request_head())
    assert call.hear().HasField("request_headers")
    assert call.say(request_head()).status() == Status.INVALID_ARGUMENT
    record(proxy, "unknown")


def test_fields_that_are_not_known_are_skipped(channel):
    unknown = b"\xa2\x06\x03abc"  # field 100, three bytes
    call = Call(channel).say(request_head(path="/other").SerializeToString() + unknown)
    assert call.hear().HasField("request_headers")
    call.cancel()


def test_a_call_that_is_cancelled_in_each_phase(proxy, channel):
    Call(channel).say(request_head(end_of_stream=False)).cancel()
    within_body = Call(channel).say(request_head(end_of_stream=False))
    within_body.hear()
    within_body.cancel()
    proxy.decided("bad-request")
    assert not proxy.operator.get("/records")["items"]
    forwarded = Call(channel).say(request_head())
    forwarded.hear()
    forwarded.cancel()
    record(proxy, "unknown")


def test_a_deadline_that_passes_leaves_the_outcome_unknown(proxy, channel):
    call = Call(channel, timeout=1).say(request_head())
    call.hear()
    assert call.status() == Status.DEADLINE_EXCEEDED
    record(proxy, "unknown")


def test_a_message_that_is_too_large_or_compressed(channel):
    assert Call(channel).say(request_head(headers=[("x-large", "x" * 6_000_000)])).status() \
        == Status.RESOURCE_EXHAUSTED
    call = Call(channel, compression=grpc.Compression.Gzip).say(request_head(path="/other", headers=[("x", "x" * 5000)]))
    assert call.status() == Status.UNIMPLEMENTED


def test_another_method_and_another_service(channel):
    for path in ("/envoy.service.ext_proc.v3.ExternalProcessor/Other", "/envoy.service.auth.v3.Authorization/Check"):
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(path)(b"", timeout=60)
        assert error.value.code() == Status.UNIMPLEMENTED


def fields_of_a_call(peer):
    return peer.fields(METHOD, content_type="application/grpc", te="trailers")


def test_half_a_message_reserves_nothing(proxy):
    with Peer(proxy.listeners["envoy"]) as peer:
        head, _, trailers = peer.request(fields_of_a_call(peer), message(request_head().SerializeToString())[:-3])
        assert int((trailers or head)["grpc-status"]) == Status.INTERNAL.value[0]
    assert not proxy.operator.get("/records")["items"]


def exhausted(head, trailers):
    return int((trailers or head)["grpc-status"]) == Status.RESOURCE_EXHAUSTED.value[0]


def of_bodies(proxy, metric):
    return proxy.metrics().sum(metric, of="bodies")


def with_windows(proxy):
    """A connection whose streams have the windows of onceproxy's SETTINGS."""
    peer = Peer(proxy.listeners["envoy"])
    assert peer.until(SETTINGS)
    peer.send(frame(SETTINGS, ACK))
    return peer


def begin(peer, said, stream):
    """All but the last byte of a message, which is less than the stream's window."""
    for at in range(0, len(said) - 1, 16_000):
        peer.send(frame(DATA, 0, stream, said[at:min(at + 16_000, len(said) - 1)]))


def large(said):
    """The same with an unknown field, so that it is 200,000 bytes longer."""
    return message(said.SerializeToString() + b"\xa2\x06\xc0\x9a\x0c" + b"x" * 200_000)


def test_messages_that_arrive_slowly_share_one_limit(stage):
    """Flow control does not bound them: what has arrived of a message is taken out of the window."""
    proxy = stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"},
                        limits={"body_bytes": "64KiB", "buffered_bytes": "256KiB"})
    with with_windows(proxy) as slow, connect(proxy.listeners["envoy"]) as channel:
        streams = []
        # One message of the largest size would fit, so twenty of these do.
        for count in range(1, 26):
            streams.append(slow.open(fields_of_a_call(slow)))
            begin(slow, large(request_head()), streams[-1])
            eventually(lambda: of_bodies(proxy, "onceproxy_buffered_bytes") >= min(count, 20) * 200_000
                       and of_bodies(proxy, "onceproxy_buffers_shed_total") == max(count - 20, 0), f"{count} have come")
            assert of_bodies(proxy, "onceproxy_buffered_bytes") <= \
                of_bodies(proxy, "onceproxy_buffered_bytes_limit") == 2**22
        assert exhausted(*slow.answer(streams[0])[::2])
        call = Call(channel).say(request_head(end_of_stream=False))
        call.hear()
        assert call.say(request_body(b"x" * 50_000)).hear().HasField("request_body")
        call.cancel()
    eventually(lambda: of_bodies(proxy, "onceproxy_buffered_bytes") == 0, "all is given back")


def test_a_single_message_fits_below_a_small_limit(stage):
    proxy = stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"},
                        limits={"body_bytes": "64KiB", "buffered_bytes": "64KiB"})
    with connect(proxy.listeners["envoy"]) as channel:
        call = Call(channel).say(request_head(path="/other"))
        call.hear()
        # Envoy may send more of an answer at once than is ever stored.
        call.say(response_head(200, end_of_stream=False)).hear()
        assert call.say(response_body(b"x" * 2_000_000)).hear().HasField("response_body")
        assert call.finish().status() == Status.OK


def test_an_answer_that_arrives_slowly_is_not_given_up(stage):
    """The service has executed the request. Without its answer, a retry might execute it again."""
    proxy = stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"},
                        limits={"body_bytes": "64KiB", "buffered_bytes": "1MiB", "body_timeout": "1s"})
    answer = large(response_head(204))
    with with_windows(proxy) as peer:
        executed = peer.open(fields_of_a_call(peer))
        peer.send(frame(DATA, 0, executed, message(request_head().SerializeToString())))
        record(proxy, "reserved")
        begin(peer, answer, executed)
        eventually(lambda: of_bodies(proxy, "onceproxy_buffered_bytes") >= 200_000, "it counts")
        with with_windows(proxy) as other:
            late = other.open(fields_of_a_call(other))
            begin(other, large(request_head(key="late")), late)
            assert exhausted(*other.answer(late)[::2])  # after its second
            for _ in range(30):
                begin(other, large(request_head(key="b")), other.open(fields_of_a_call(other)))
                assert other.synchronize()
            eventually(lambda: of_bodies(proxy, "onceproxy_buffers_shed_total") > 0, "there are too many")
            peer.send(frame(DATA, END_STREAM, executed, answer[-1:]))
            head, _, trailers = peer.answer(executed)
            assert (trailers or head)["grpc-status"] == "0"
    record(proxy, "completed")


def test_a_message_that_does_not_end_is_given_up(stage):
    proxy = stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"}, limits={"body_timeout": "1s"})
    with Peer(proxy.listeners["envoy"]) as peer:
        first = peer.open(fields_of_a_call(peer))
        peer.send(frame(DATA, 0, first, message(request_head().SerializeToString())[:-1]))
        assert exhausted(*peer.answer(first)[::2])
        within_body = peer.open(fields_of_a_call(peer))
        head, body = request_head(end_of_stream=False), request_body(b"x" * 1000)
        peer.send(frame(DATA, 0, within_body, message(head.SerializeToString())))
        peer.send(frame(DATA, 0, within_body, message(body.SerializeToString())[:-1]))
        assert exhausted(*peer.answer(within_body)[::2])
    assert "limits.body_timeout" in proxy.access_log(1)[0]["error"]
    assert not proxy.operator.get("/records")["items"]


def test_requests_that_are_given_up_do_not_end_their_neighbours(proxy):
    """Envoy resets a stream for each client that leaves, which strangers can make it do at will."""
    with Peer(proxy.listeners["envoy"]) as peer:
        fields = fields_of_a_call(peer)
        neighbour = peer.open(fields)
        peer.send(frame(DATA, 0, neighbour, message(request_head().SerializeToString())))
        record(proxy, "reserved")
        for _ in range(15):
            for _ in range(1000):
                peer.send(frame(RST_STREAM, 0, peer.open(fields), number(CANCEL)))
            assert peer.synchronize()
        assert proxy.metrics().sum("onceproxy_http2_floods_total", listener="envoy") == 0
        last = message(response_head(204).SerializeToString())
        peer.send(frame(DATA, END_STREAM, neighbour, last))
        head, _, trailers = peer.answer(neighbour)
        assert (trailers or head)["grpc-status"] == "0"
    record(proxy, "completed")


def test_duplicates_that_wait_for_nobody_leave_room_for_others(stage):
    """More than a connection may have streams: each waits until its time is over."""
    proxy = stage.proxy(stage.upstream(), [policy(in_flight={"action": "wait", "timeout": "5m"})],
                        envoy={"listen": "127.0.0.1:0"})
    with Peer(proxy.listeners["envoy"]) as peer:
        fields = fields_of_a_call(peer)
        head = message(request_head().SerializeToString())
        first = peer.open(fields)
        peer.send(frame(DATA, 0, first, head))
        record(proxy, "reserved")
        for _ in range(3):
            waiting = [peer.open(fields) for _ in range(500)]
            peer.send(b"".join(frame(DATA, 0, stream, head) for stream in waiting))
            assert peer.synchronize()
            peer.send(b"".join(frame(RST_STREAM, 0, stream, number(CANCEL)) for stream in waiting))
            assert peer.synchronize()
        other = peer.open(fields)
        peer.send(frame(DATA, END_STREAM, other, message(request_head(path="/other").SerializeToString())))
        answered, _, trailers = peer.answer(other)
        assert (trailers or answered)["grpc-status"] == "0"
        peer.send(frame(DATA, END_STREAM, first, message(response_head(204).SerializeToString())))
        answered, _, trailers = peer.answer(first)
        assert (trailers or answered)["grpc-status"] == "0"
    proxy.decided("replayed", 1500)


def test_a_drain_ends_waits_and_streams_in_time(stage):
    proxy = stage.proxy(stage.upstream(), [policy(in_flight={"action": "wait", "timeout": "5m"})],
                        envoy={"listen": "127.0.0.1:0"}, arguments=["--drain-time-s", "1"])
    with connect(proxy.listeners["envoy"]) as channel:
        first = Call(channel).say(request_head())
        assert first.hear().HasField("request_headers")
        waiting = Call(channel).say(request_head())
        assert waiting.hear().HasField("override_message_timeout")
        within_body = Call(channel).say(request_head(key="b", end_of_stream=False))
        within_body.hear()
        eventually(lambda: proxy.metrics().sum("onceproxy_http2_streams", listener="envoy") == 3, "three streams")
        proxy.begin_drain()
        assert proxy.wait() == 0
        for call in (first, waiting, within_body):
            call.cancel()
    decisions = sorted(line["decision"] for line in proxy.access_log(3))
    assert decisions == ["bad-request", "in-flight", "upstream-error"], decisions


def test_the_body_of_a_request_is_kept_no_longer_than_until_its_decision(proxy, channel):
    """The service may take long to answer. JSON, so that it is parsed, too."""
    count, body = 200, b'["%s"]' % (b"x" * 60_000)

    def allocated():
        return int(proxy.operator.get("/memory")["allocated"])

    before = allocated()
    calls = [Call(channel).say(request_head(key=f"k{n}", end_of_stream=False)) for n in range(count)]
    for call in calls:
        call.hear()
        assert call.say(request_body(body)).hear().HasField("request_body")
    assert allocated() - before < count * len(body)
    for call in calls:
        call.say(response_head(204)).hear()
        assert call.finish().status() == Status.OK


def test_the_access_log_has_the_format_of_the_configuration(stage):
    proxy = stage.proxy(stage.upstream(), envoy={"listen": "127.0.0.1:0"},
                        log={"access_format": "%REQ(:METHOD)% %REQ(:PATH)% %REQ(X-A)% %RESPONSE_CODE_DETAILS%"})
    with connect(proxy.listeners["envoy"]) as channel:
        call = Call(channel).say(request_head(path="/orders?b=c", headers=[("x-a", "1")]))
        call.hear()
        assert call.say(response_head(204)).hear().HasField("response_headers")
        assert call.finish().status() == Status.OK
    proxy.stdout.wait_for_text(r"^POST /orders\?b=c 1 via_upstream$")
