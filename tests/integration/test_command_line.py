"""The command line: exit codes, messages, and a schema that agrees with the program."""

import json

import jsonschema
import pytest
import yaml

from harness import policy, request, settings
from harness.client import once
from harness.process import run

ORDERS = yaml.safe_dump(settings("127.0.0.1:8081", "/tmp/data", [policy()]), sort_keys=False)


@pytest.fixture
def file(directory):
    def write(text, name="onceproxy.yaml"):
        path = directory / name
        path.write_text(text)
        return path

    return write


def test_a_good_configuration_is_0(file):
    assert run("check", file(ORDERS)).returncode == 0


def test_a_bad_configuration_is_1_and_every_problem_is_told_at_once(file):
    path = file("listen: 127.0.0.1:8080\nupstreem:\n  address: a:1\npolicies:\n"
                "  - name: orders\n    fingerprint: client_key\n    scope: shared\n    lease: 5 minutes\n")
    result = run("check", path)
    output = result.stdout + result.stderr
    assert result.returncode == 1
    assert f'{path}:2:1: upstreem: unknown key "upstreem"; did you mean "upstream"?' in output
    assert f"{path}:8:12: policies[0].lease: " in output
    assert "    lease: 5 minutes\n" in output
    assert "\n             ^" in output, "a caret under the value"


def test_problems_as_json(file):
    path = file(ORDERS + "lisen: x\n")
    result = run("check", "--format", "json", path)
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["problems"][0]["path"] == "lisen"
    assert document["problems"][0]["line"] == len(ORDERS.splitlines()) + 1


@pytest.mark.parametrize("text", ["", "[1, 2]", "listen: [", "a: 1\na: 2\n", "\x00", "%YAML 9\n---\n"],
                         ids=["empty", "a list", "broken", "duplicate keys", "NUL", "directive"])
def test_what_is_no_configuration_is_1(file, text):
    result = run("check", file(text))
    assert result.returncode == 1
    assert result.stdout + result.stderr


def test_an_unreadable_file_is_2(directory):
    result = run("check", directory / "nowhere.yaml")
    assert result.returncode == 2
    assert "nowhere.yaml" in result.stdout + result.stderr


def test_an_unset_variable_without_a_default_is_an_error(file):
    path = file(ORDERS.replace("127.0.0.1:8081", "${ONCEPROXY_TEST_UPSTREAM}"))
    assert run("check", path).returncode == 1
    assert run("check", path, ONCEPROXY_TEST_UPSTREAM="127.0.0.1:1").returncode == 0


def test_run_refuses_a_bad_configuration(file):
    result = run("run", "-c", file(ORDERS + "lisen: x\n"))
    assert result.returncode not in (0, None) and result.returncode > 0
    assert "lisen" in result.stderr


def test_version_and_help():
    result = run("--version")
    assert (result.returncode, result.stdout.startswith("onceproxy ")) == (0, True)
    result = run("--help")
    assert result.returncode == 0
    for command in ("run", "check", "explain", "schema"):
        assert command in result.stdout


def test_an_unknown_command_is_an_error():
    result = run("frobnicate")
    assert result.returncode != 0
    assert "frobnicate" in result.stderr


@pytest.fixture(scope="module")
def schema():
    return json.loads(run("schema").stdout)


def test_the_schema_is_valid_json_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_takes_what_check_takes_and_refuses_what_check_refuses(schema, file):
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(ORDERS)
    assert not list(validator.iter_errors(good))
    for change in (
        {"lisen": "x"},
        {"upstream": {"address": 7}},
        {"policies": [{"name": "no fingerprint"}]},
        {"policies": [policy(lease="soon")]},
        {"policies": [policy(in_flight={"action": "explode"})]},
        {"limits": {"headers": "many"}},
    ):
        bad = {**good, **change}
        assert list(validator.iter_errors(bad)), change
        assert run("check", file(yaml.safe_dump(bad))).returncode == 1, change


def test_explain_tells_the_fingerprint_that_the_upstream_is_told(stage, upstream):
    proxy = stage.proxy(upstream)
    message = request(key="k-1", body={"a": 1})
    assert once(proxy.data, message).decision == "forwarded"
    path = proxy.directory / "request.http"
    path.write_bytes(message)
    result = run("explain", "-c", proxy.config, path)
    assert result.returncode == 0
    assert upstream.requests[0]["onceproxy-fingerprint"] in result.stdout
    assert "orders" in result.stdout and "k-1" in result.stdout
    from_stdin = run("explain", "-c", proxy.config, "-", stdin=message.decode())
    assert from_stdin.stdout == result.stdout


def test_explain_touches_no_store_and_tells_what_is_missing(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    result = run("explain", "-c", proxy.config, "-", stdin=request(body={"a": 1}).decode())
    assert "Idempotency-Key" in result.stdout + result.stderr
    assert not (proxy.directory / "data").exists()


def test_explain_of_an_uncovered_request_says_that_no_policy_covers_it(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    result = run("explain", "-c", proxy.config, "-", stdin=request("GET", "/x").decode())
    assert "none" in result.stdout and "untouched" in result.stdout


def test_explain_tells_which_rule_an_answer_meets(stage, upstream):
    rules = [{"where": {"body": "/errors", "present": True}, "is": "release"}]
    proxy = stage.proxy(upstream, [policy(outcome={"rules": rules})], start=False)
    asked, answered = proxy.directory / "request.http", proxy.directory / "answer.http"
    asked.write_bytes(request(key="k", body={"a": 1}))
    answered.write_text('HTTP/1.1 200 OK\nContent-Type: application/json\n\n{"errors": []}')
    result = run("explain", "-c", proxy.config, "--answer", answered, asked)
    assert (result.returncode, result.stderr) == (0, "")
    assert "200: release by outcome.rules[0]" in result.stdout
    from_stdin = run("explain", "-c", proxy.config, "--answer", "-", asked,
                     stdin=answered.read_text())
    assert from_stdin.stdout == result.stdout
    both = run("explain", "-c", proxy.config, "--answer", "-", "-", stdin="")
    assert both.returncode != 0 and "only one" in both.stderr
