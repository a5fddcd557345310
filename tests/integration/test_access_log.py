"""The access log: one JSON line per request on standard output, without secrets and payloads."""

import os
import re
import subprocess

from harness import Client, Onceproxy, policy, request, settings
from harness.client import once
from harness.output import Lines
from harness.process import binary, environment


def line_of(proxy, count=1):
    return proxy.access_log(count)[count - 1]


def test_a_forwarded_request_is_one_line_with_all_its_fields(proxy, upstream):
    once(proxy.data, request(target="/orders?token=secret", key="key-1", body={"card": "4111"},
                             headers={"X-Request-Id": "id-1", "Authorization": "Bearer secret"}))
    line = line_of(proxy)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["request_id"] == "id-1"
    assert line["client"].startswith("127.0.0.1")
    assert (line["method"], line["path"]) == ("POST", "/orders")
    assert (line["policy"], line["decision"], line["status"]) == ("orders", "forwarded", 200)
    assert line["fingerprint"] == upstream.requests[0]["onceproxy-fingerprint"]
    assert line["duration_ms"] >= line["upstream_ms"] >= 0
    assert line["request_bytes"] > 0 and line["response_bytes"] > 0
    text = proxy.stdout.text()
    for secret in ("secret", "4111", "token"):
        assert secret not in text


def test_every_request_of_a_connection_is_one_line(proxy):
    with Client(proxy.data) as client:
        for n in range(50):
            client.call(key=f"key-{n % 10}")
    lines = proxy.access_log(50)
    assert len(lines) == len(proxy.stdout.all()) == 50
    decisions = [line["decision"] for line in lines]
    assert decisions == ["forwarded"] * 10 + ["replayed"] * 40


def test_a_replay_names_no_upstream_time(proxy):
    with Client(proxy.data) as client:
        client.call(key="a")
        client.call(key="a")
    line = line_of(proxy, 2)
    assert line["decision"] == "replayed"
    assert "upstream_ms" not in line


def test_an_uncovered_request_has_a_line_without_a_policy(proxy):
    once(proxy.data, request("GET", "/x"))
    line = line_of(proxy)
    assert (line["decision"], line["path"], line["status"]) == ("passed", "/x", 200)
    assert not line.get("policy") and not line.get("fingerprint")


def test_a_failure_says_why(stage):
    proxy = stage.proxy(stage.upstream(listening=False))
    once(proxy.data, request(key="a"))
    line = line_of(proxy)
    assert (line["decision"], line["status"]) == ("upstream-error", 502)
    assert line["error"]


def test_no_input_makes_a_second_line_or_field(proxy):
    odd = '"x", "decision":"forged'
    with Client(proxy.data) as client:
        client.call("GET", "/%0a%22%7b", headers={"X-Request-Id": odd})
        client.call("GET", "/x", headers={"X-Request-Id": "caf\xe9"})
    lines = proxy.access_log(2)
    assert len(proxy.stdout.all()) == 2
    assert [line["decision"] for line in lines] == ["passed", "passed"]
    assert lines[0]["request_id"] == odd


def test_a_reader_that_stops_does_not_stop_the_proxy(stage, upstream, directory):
    """Nobody reads stdout: requests go on, and what is lost is counted."""
    data = directory / "proxy"
    data.mkdir()
    proxy = Onceproxy(settings(upstream.address, data / "d", [policy()]), data)
    read, write = os.pipe()
    proxy.process = subprocess.Popen([binary(), "run", "-c", str(proxy.config)], stdout=write,
                                     stderr=subprocess.PIPE, env=environment())
    proxy.stderr = Lines(proxy.process.stderr)
    ready = proxy.stderr.wait_for(lambda line: line.get("listener") == "data", "listening")
    host, _, port = ready["address"].rpartition(":")
    with Client((host, int(port))) as client:
        for n in range(2000):
            assert client.call("GET", "/" + "p" * 200).status == 200
    proxy.process.terminate()
    assert proxy.process.wait(60) == 0
    os.close(read)
    os.close(write)
    proxy.process = None
