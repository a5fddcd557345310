"""log.access_format: Envoy's command operators on real requests, their failures, and a reload."""

import json
import pathlib
import re
import socket
import struct

import pytest

from harness import Client, eventually, policy, request
from harness.client import BrokenOff, once
from harness.process import run

ENVOYS_DEFAULT = ('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
                  '%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
                  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
                  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n')
FLAGS = ("%ONCEPROXY_DECISION% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
         "%UPSTREAM_REQUEST_ATTEMPT_COUNT%")


def lines(proxy, count):
    eventually(lambda: len(proxy.stdout.all()) >= count, f"{count} access log lines")
    return proxy.stdout.all()


def formatted(stage, target, access_format, policies=None, **changes):
    log = {"access_format": access_format}
    return stage.proxy(target, policies, log=log, **changes)


def test_envoys_default_format_gives_envoys_line(stage, upstream):
    proxy = formatted(stage, upstream, ENVOYS_DEFAULT)
    answer = once(proxy.data, request(target="/orders?a=1", key="k", body={"a": 1}, headers={
        "User-Agent": "tests", "X-Request-Id": "id-1"}))
    assert answer.status == 200
    found = re.fullmatch(
        r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "POST /orders\?a=1 HTTP/1\.1" 200 - (\d+) (\d+) '
        r'\d+ (\d+) "-" "tests" "id-1" "([^"]+)" "([^"]+)"', lines(proxy, 1)[0])
    assert found, proxy.stdout.text()
    received, sent, _, _, host = found.groups()
    assert int(received) == len(upstream.requests[0].body)
    assert int(sent) == len(answer.body)
    assert host == upstream.address


def test_a_map_becomes_json_with_types_and_nesting(stage, upstream):
    proxy = formatted(stage, upstream, {
        "code": "%RESPONSE_CODE%", "none": "%RESP(X-NONE)%", "text": "%PROTOCOL% %RESP(X-NONE)%",
        "once": {"decision": "%ONCEPROXY_DECISION%", "policy": "%ONCEPROXY_POLICY%",
                 "fingerprint": "%ONCEPROXY_FINGERPRINT%"},
        "peer": "%DOWNSTREAM_REMOTE_ADDRESS%", "type": "%RESP(Content-Type)%", "fixed": 1})
    with Client(proxy.data) as client:
        port = client.socket.getsockname()[1]
        client.call(key="k")
        client.call(key="k")
    first, second = map(json.loads, lines(proxy, 2))
    assert list(first) == ["code", "none", "text", "once", "peer", "type", "fixed"]
    assert first["code"] == 200 and first["none"] is None and first["text"] == "HTTP/1.1 -"
    assert first["once"] == {"decision": "forwarded", "policy": "orders",
                             "fingerprint": upstream.requests[0]["onceproxy-fingerprint"]}
    assert first["peer"] == f"127.0.0.1:{port}"
    assert first["type"] == second["type"] == "application/json"
    assert second["once"]["decision"] == "replayed"


def test_no_value_forges_a_line_or_a_field(stage, upstream):
    text = formatted(stage, upstream, '"%REQ(X-A)%" %ONCEPROXY_DECISION%')
    as_json = formatted(stage, upstream, {"a": "%REQ(X-A)%", "b": "<%REQ(X-A)%>"})
    odd = 'x" forwarded \\ \x85 \xe2\x80\xa8 {'
    for proxy in (text, as_json):
        once(proxy.data, request("GET", "/x", headers={"X-A": odd}))
        assert len(lines(proxy, 1)) == 1
    line = text.stdout.all()[0]
    quoted = re.fullmatch(r'("(?:[^"\\]|\\.)*") passed', line)
    assert quoted and json.loads(quoted[1]).startswith('x" forwarded \\ ')
    told = json.loads(as_json.stdout.all()[0])
    assert told["b"] == f"<{told['a']}>"


def test_a_malformed_request_and_one_without_a_head(stage, upstream):
    proxy = formatted(stage, upstream, FLAGS + " %REQ(HOST)% %PROTOCOL% %PATH%")
    once(proxy.data, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    line = lines(proxy, 1)[0]
    assert line.startswith("bad-request 400 DPE onceproxy_bad_request 0 ")


def test_a_refused_connection_is_uf_and_nothing_was_sent(stage):
    proxy = formatted(stage, stage.upstream(listening=False), FLAGS + " %UPSTREAM_HOST%")
    for message in (request(key="a"), request("GET", "/x")):
        assert once(proxy.data, message).status == 502
    for line in lines(proxy, 2):
        assert line == ("upstream-error 502 UF upstream_reset_before_response_started{connection_failure}"
                        " 0 -")


@pytest.mark.parametrize("message", [request(key="a"), request("GET", "/x")], ids=["covered", "passed"])
def test_a_service_that_hangs_up_is_uc_and_one_that_is_silent_is_ut(stage, message):
    closing = formatted(stage, stage.upstream(lambda exchange: exchange.connection.close()), FLAGS)
    assert once(closing.data, message).status == 502
    assert lines(closing, 1) == ["upstream-error 502 UC upstream_reset_before_response_started"
                                 "{connection_termination} 1"]
    silent = formatted(stage, stage.upstream(lambda exchange: exchange.connection.over.wait(60)), FLAGS,
                       upstream={"response_timeout": "100ms"})
    assert once(silent.data, message).status == 504
    assert lines(silent, 1) == ["upstream-error 504 UT upstream_response_timeout 1"]


@pytest.mark.parametrize("message", [request(key="a"), request("GET", "/x")], ids=["covered", "passed"])
def test_a_malformed_answer_is_upe(stage, message):
    upstream = stage.upstream(lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n"))
    proxy = formatted(stage, upstream, FLAGS)
    assert once(proxy.data, message).status == 502
    assert lines(proxy, 1) == ["upstream-error 502 UPE upstream_reset_before_response_started"
                               "{protocol_error} 1"]


def test_an_answer_that_breaks_off_is_uc_after_it_began(stage):
    def break_off(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50000)
        exchange.connection.close()

    proxy = formatted(stage, stage.upstream(break_off), FLAGS)
    with pytest.raises(BrokenOff):
        once(proxy.data, request("GET", "/x"))
    assert lines(proxy, 1) == ["passed 200 UC upstream_reset_after_response_started"
                               "{connection_termination} 1"]


def test_a_client_that_leaves_is_dc(stage):
    def endless(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not exchange.connection.over.is_set():
            exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    proxy = formatted(stage, stage.upstream(endless), FLAGS)
    with Client(proxy.data) as client:
        client.send(request("GET", "/x"))
        assert client.receive()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert lines(proxy, 1) == ["passed 200 DC downstream_remote_disconnect 1"]


def test_a_rate_limit_is_rl_and_other_refusals_are_their_decision(stage, upstream):
    limited = policy(rate_limit={"limit": 1, "per": "1h", "by": [{"method": True}]})
    proxy = formatted(stage, upstream, FLAGS, [limited])
    with Client(proxy.data) as client:
        client.call(key="a")
        assert client.call(key="b").status == 429
        assert client.call(key="a", body={"other": 1}).status == 422
    assert lines(proxy, 3)[1:] == ["rate-limited 429 RL request_rate_limited 0",
                                   "mismatch 422 - onceproxy_mismatch 0"]


def test_a_reload_changes_the_format_and_a_bad_one_changes_nothing(stage, upstream):
    proxy = formatted(stage, upstream, "one %RESPONSE_CODE%")
    once(proxy.data, request("GET", "/x"))
    proxy.configure({**proxy.settings, "log": {"access_format": "%NO_SUCH%"}})
    status, told = proxy.operator.post("/reload")
    assert status == 500 and "%NO_SUCH% cannot be used" in json.dumps(told)
    once(proxy.data, request("GET", "/x"))
    # Each worker has lines of its own, which may overtake those of others.
    lines(proxy, 2)
    proxy.configure({**proxy.settings, "log": {"access_format": {"two": "%RESPONSE_CODE%"}}})
    assert proxy.operator.post("/reload")[0] == 200
    once(proxy.data, request("GET", "/x"))
    lines(proxy, 3)
    proxy.configure({**proxy.settings, "log": {}})
    assert proxy.operator.post("/reload")[0] == 200
    once(proxy.data, request("GET", "/x"))
    first, second, third, fourth = lines(proxy, 4)
    assert (first, second, third) == ("one 200", "one 200", '{"two":200}')
    assert json.loads(fourth)["decision"] == "passed"


def test_a_format_that_cannot_be_is_told_with_its_place(directory):
    path = directory / "f.yaml"
    path.write_text("listen: 127.0.0.1:0\nupstream: {address: 127.0.0.1:1}\n"
                    "store: {rocksdb: {path: /tmp/x}}\n"
                    "log:\n  access_format: '%START_TIME% %DYNAMIC_METADATA(a)%'\n")
    result = run("check", path)
    assert result.returncode == 1
    assert f"{path}:5:18: log.access_format: at character 14: %DYNAMIC_METADATA% cannot be used: " in \
        result.stderr


def test_the_reference_lists_the_operators_that_there_are(directory):
    telemetry = pathlib.Path(__file__).parents[2] / "proxy/telemetry"
    table = (telemetry / "REFERENCE.md").read_text().partition("| operator | value |")[2].partition("\n\n")[0]
    told = set(re.findall(r"%([A-Z_]+)(?:\([^)]*\))?(?::Z)?%", table))
    known = set(re.findall(r'KnownOperator\{\s*"(\w+)"', (telemetry / "access_operators.cpp").read_text()))
    direct = {name for name in known if name.startswith("DOWNSTREAM_DIRECT_")}
    assert told == known - direct and len(direct) == 3
    path = directory / "f.yaml"
    for name in known:
        operator = f"%{name}(A)%" if name in ("REQ", "RESP") else f"%{name}%"
        path.write_text("listen: 127.0.0.1:0\nupstream: {address: 127.0.0.1:1}\n"
                        f"store: {{rocksdb: {{path: /tmp/x}}}}\nlog: {{access_format: '{operator}'}}\n")
        assert run("check", path).returncode == 0, operator
