"""The backtest of a log gives the same results as the proxy itself, in bounded memory."""

import datetime
import json
import os
import subprocess
import sys

import pytest
import yaml

from harness import policy, request, settings
from harness.client import once
from harness.process import PRESET, binary, environment, run

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
LINES = 1_000_000 if LONG else 50_000
MIB = 1024 * 1024
# Sanitizers keep freed memory for a while, and shadows of all of it.
SANITIZED = 4 if PRESET in ("asan", "tsan") else 1
START = 1_767_323_045


@pytest.fixture
def config(directory):
    def write(*policies, **changes):
        path = directory / "onceproxy.yaml"
        path.write_text(yaml.safe_dump(settings("127.0.0.1:1", directory / "data",
                                                policies or [policy()], **changes)))
        return path

    return write


def line(time, key, **more):
    headers = {"idempotency-key": key, "content-type": "application/json"}
    return json.dumps({"time": time, "method": "POST", "target": "/orders", "headers": headers,
                       "body": '{"item":"tea"}', "status": 201, "duration_ms": 5, **more}) + "\n"


def backtest(config, log, *arguments, **options):
    """The report, with each policy's decisions by its name."""
    result = run("backtest", "--format", "json", "-c", config, log, *arguments, **options)
    report = json.loads(result.stdout)
    report["code"] = result.returncode
    report["decisions"] = {each["name"]: each["decisions"] for each in report["policies"]}
    return report


# A process's peak counts what its parent held when it forked, and the tests' own process may hold
# much: a small one stands between.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def peak_memory(*arguments):
    """What a command of the program answered as JSON, and the bytes that it needed at most."""
    command = [sys.executable, "-c", MEASURE, binary(), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, env=environment(), timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), int(result.stderr.splitlines()[-1]) * 1024


def test_a_backtest_agrees_with_what_the_proxy_did(stage, upstream, config):
    """The same requests to the real program and, as a log of them, to the backtest."""
    proxy = stage.proxy(upstream)
    sent = [("a", {"n": 1}), ("a", {"n": 1}), ("a", {"n": 2}), ("b", {"n": 1}), (None, {}),
            ("x,y", {}), ("b", {"n": 1})]
    decisions, log = {}, ""
    for second, (key, body) in enumerate(sent):
        answer = once(proxy.data, request(key=key, body=body))
        decisions[answer.decision] = decisions.get(answer.decision, 0) + 1
        headers = {} if key is None else {"idempotency-key": key}
        log += line(START + second, "", headers=headers, body=json.dumps(body), status=200)
    assert set(decisions) == {"forwarded", "replayed", "mismatch", "missing-key", "bad-key"}
    report = backtest(proxy.config, "-", stdin=log)
    assert report["decisions"]["orders"] == decisions


def test_memory_does_not_grow_with_the_log(directory, config):
    """A minute's window over a log of hours: a tenth of it needs as much memory as all of it."""
    path = config(policy(window="1m"))
    log = directory / "past.jsonl"
    peaks = []
    for lines in (LINES // 10, LINES):
        with log.open("w") as file:
            file.writelines(line(START + number * 0.05, f"k-{number - number % 10 // 9}")
                            for number in range(lines))
        report, peak = peak_memory("backtest", "--format", "json", "-c", path, log)
        assert report["requests"] == lines
        assert report["policies"][0]["decisions"] == {"forwarded": lines - lines // 10,
                                                      "replayed": lines // 10}
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 8 * MIB * SANITIZED, peaks


def test_the_bound_on_what_is_remembered_is_honest(config):
    log = "".join(line(START + number, f"k-{number}") for number in range(20))
    report = backtest(config(), "-", "--max-operations", "10", stdin=log)
    assert (report["code"], report["complete"], report["requests"]) == (1, False, 10)
    assert report["error"].startswith("line 11: more than 10 operations")
    report = backtest(config(policy(window="2s")), "-", "--max-operations", "10", stdin=log)
    assert (report["code"], report["complete"], report["requests"]) == (0, True, 20)


def har_entry(second, key, status=200):
    started = datetime.datetime.fromtimestamp(START + second, datetime.timezone.utc)
    return {"startedDateTime": started.isoformat(), "time": 12.5,
            "request": {"method": "POST", "url": "https://shop.example/orders",
                        "headers": [{"name": "Idempotency-Key", "value": key}],
                        "postData": {"mimeType": "application/json", "text": '{"entries":["}"]}'}},
            "response": {"status": status, "content": {"size": 2, "text": "x" * 2000}}}


@pytest.mark.parametrize("indent", [None, 2])
def test_har_as_recorders_write_it(directory, config, indent):
    log = directory / "past.har"
    entries = [har_entry(0, "a"), har_entry(1, "a"), har_entry(2, "b", 500), har_entry(3, "b"), {}]
    log.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "test"}, "pages": [],
                                       "entries": entries, "comment": "end"}}, indent=indent))
    report = backtest(config(), log)
    assert report["decisions"]["orders"] == {"forwarded": 3, "replayed": 1}
    assert report["no_requests"]["count"] == 1
    assert report["code"] == 0


def test_a_large_har_file_is_never_held_whole(directory, config):
    log = directory / "past.har"
    entry = har_entry(0, "a")
    entry["response"]["content"]["text"] = "x" * MIB
    entry = json.dumps(entry)
    with log.open("w") as file:
        file.write('{"log":{"entries":[' + entry)
        file.writelines("," + entry for _ in range(149))
        file.write("]}}")
    report, peak = peak_memory("backtest", "--format", "json", "-c", config(), log)
    assert report["requests"] == 150
    assert peak < 80 * MIB * SANITIZED


def test_lines_that_are_not_requests_are_reported_with_their_numbers(config):
    result = run("backtest", "-c", config(), "-", stdin=line(START, "a") + "nonsense\n")
    assert result.returncode == 0
    assert result.stderr == "-:2: not a request: it is not a JSON object\n"
    assert "orders" in result.stdout


def test_no_store_is_touched(directory, config):
    backtest(config(), "-", stdin=line(START, "a"))
    assert not (directory / "data").exists()


def test_exit_codes_are_those_of_check(directory, config):
    path = config()
    assert run("backtest", "-c", path, "-", stdin="").returncode == 1
    assert run("backtest", "-c", path, directory / "nowhere").returncode == 2
    assert run("backtest", "-c", directory / "nowhere", "-", stdin="").returncode == 2
    path.write_text("nonsense: 1\n")
    assert run("backtest", "-c", path, "-", stdin="").returncode == 1
    assert run("backtest").returncode == 1
