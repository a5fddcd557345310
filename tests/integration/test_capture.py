"""`log.capture`: backtest can read the file that the proxy writes, and reports the same decisions that the
proxy made."""

import gzip
import json

import pytest
import yaml

from harness import eventually, policy, request
from harness.client import once
from harness.process import run


def capture(directory, **more):
    return {"log": {"capture": {"path": str(directory / "day.jsonl"), **more}}}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def captured(directory, count):
    """The lines of the capture, when there are that many."""
    path = directory / "day.jsonl"
    return eventually(lambda: len(lines(path)) == count and lines(path), f"{count} captured requests")


@pytest.fixture
def watching(stage, upstream, directory):
    return stage.proxy(upstream, [policy(enforcement={"mode": "shadow"})], **capture(directory))


def backtest(proxy, log, *policies):
    settings = yaml.safe_load(proxy.config.read_text())
    settings["policies"] = list(policies)
    path = proxy.directory / "other.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = run("backtest", "--format", "json", "-c", path, log)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_day_in_shadow_mode_can_be_replayed(watching, directory):
    for key in ("a", "b", "a", "a"):
        once(watching.data, request(key=key, body={"item": "té"}))
    once(watching.data, request("GET", "/uncovered?token=x"))
    found = captured(directory, 5)
    assert [each["status"] for each in found] == [200] * 5
    assert [each["decision"] for each in found] == ["forwarded"] * 4 + ["passed"]
    assert found[0]["body"] == json.dumps({"item": "té"}) and found[0]["policy"] == "orders"
    assert found[4]["target"] == "/uncovered?token=x"
    report = backtest(watching, directory / "day.jsonl", policy())
    assert report["policies"][0]["decisions"] == {"forwarded": 2, "replayed": 2}
    assert report["uncovered"] == 1


def test_a_compressed_capture_is_read_as_it_is(watching, directory):
    for key in ("a", "a", "b"):
        once(watching.data, request(key=key, body={"n": 1}))
    captured(directory, 3)
    plain = directory / "day.jsonl"
    packed = directory / "day.jsonl.gz"
    first, *rest = plain.read_bytes().splitlines(keepends=True)
    packed.write_bytes(gzip.compress(first) + gzip.compress(b"".join(rest)))
    reports = [backtest(watching, each, policy()) for each in (plain, packed)]
    for report in reports:
        del report["log"]
    assert reports[0] == reports[1]
    packed.write_bytes(packed.read_bytes()[:-10])
    cut = run("backtest", "-c", watching.config, packed)
    assert cut.returncode == 2 and "the gzip file breaks off" in cut.stderr


def test_secrets_are_replaced_and_still_tell_callers_apart(stage, upstream, directory):
    proxy = stage.proxy(upstream, [policy(enforcement={"mode": "shadow"})],
                        **capture(directory, redact=["authorization", "x-token"]))
    for caller in ("s3cret-a", "s3cret-b", "s3cret-a"):
        once(proxy.data, request(key="k", headers={"Authorization": caller, "X-Token": caller}))
    captured(directory, 3)
    text = (directory / "day.jsonl").read_text()
    assert "s3cret" not in text and "redacted-" in text
    report = backtest(proxy, directory / "day.jsonl", policy(scope=[{"header": "authorization"}]))
    # The third may have come while the first was still being recorded.
    decisions = report["policies"][0]["decisions"]
    assert decisions.pop("forwarded") == 2
    assert decisions in ({"replayed": 1}, {"in-flight": 1})


def test_answers_of_the_proxy_are_not_captured_as_the_services(stage, directory):
    def answer(exchange):
        exchange.connection.reset() if "lost" in exchange.request["idempotency-key"] else (
            exchange.answer(201, b"x"))

    upstream = stage.upstream(answer)
    proxy = stage.proxy(upstream, [policy(lease="1h")], **capture(directory))
    for key in ("good", "good", "lost"):
        once(proxy.data, request(key=key))
    upstream.close()
    once(proxy.data, request(key="never"))
    good, again, lost, never = captured(directory, 4)
    assert good["status"] == 201 and good["response_bytes"] == 1
    assert again["decision"] == "replayed" and "status" not in again
    assert lost["status"] == 0
    assert never["sent"] is False and "status" not in never


def test_a_streamed_body_is_captured_with_its_size(watching, directory):
    once(watching.data, request("POST", "/uncovered", body=b"x" * 1000))
    (line,) = captured(directory, 1)
    assert line["body_bytes"] == 1000 and "body" not in line
    other = policy(match={"path": "/uncovered"}, fingerprint=[{"body": "/id"}])
    report = backtest(watching, directory / "day.jsonl", other)
    assert report["bodies_left_out"] == 1
    assert report["policies"][0]["missing"] == [{"selector": "body: /id", "requests": 1}]


def test_fields_that_a_policy_needs_and_the_log_lacks_are_reported(watching, directory):
    log = directory / "bare.jsonl"
    log.write_text('{"time": 1767323045, "method": "POST", "target": "/orders", "status": 200}\n' * 2)
    path = watching.config
    text = run("backtest", "-c", path, log).stdout
    assert "orders: client_key: Idempotency-Key is missing in 2 of 2 requests" in text
    picky = policy(match={"headers": {"x-kind": "new"}})
    report = backtest(watching, log, picky)
    assert report["with_headers"] == 0 and report["uncovered"] == 2


def test_a_reload_begins_and_ends_a_capture(stage, upstream, directory):
    proxy = stage.proxy(upstream)
    plain = proxy.config.read_text()
    once(proxy.data, request(key="a"))
    proxy.config.write_text(plain + yaml.safe_dump(capture(directory)))
    assert proxy.operator.call("POST", "/reload")[0] == 200
    once(proxy.data, request(key="b"))
    captured(directory, 1)
    proxy.config.write_text(plain)
    assert proxy.operator.call("POST", "/reload")[0] == 200
    once(proxy.data, request(key="c"))
    assert len(lines(directory / "day.jsonl")) == 1
    proxy.config.write_text(plain + "log: {capture: {path: /nowhere/day.jsonl}}\n")
    assert proxy.operator.call("POST", "/reload")[0] == 500


def test_a_full_capture_ends_and_says_so(stage, upstream, directory):
    proxy = stage.proxy(upstream, **capture(directory, max_bytes="1MiB"))
    for key in range(12):
        once(proxy.data, request(key=f"k{key}", body=b"x" * 100_000))
    eventually(lambda: proxy.metrics().sum("onceproxy_capture_dropped_total", reason="full"),
               "the capture is full")
    assert (directory / "day.jsonl").stat().st_size <= 1024 * 1024
    proxy.stderr.wait_for(lambda line: "the capture is full" in line.get("message", ""), "its end")
