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


def test_an_invalid_configuration_is_1_and_all_problems_are_reported(file):
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
def test_a_file_that_is_not_a_configuration_is_1(file, text):
    result = run("check", file(text))
    assert result.returncode == 1
    assert result.stdout + result.stderr


def test_check_takes_the_file_behind_c_and_from_stdin(file):
    path = file(ORDERS)
    assert run("check", "-c", path).stdout == run("check", path).stdout
    good = run("check", "-", stdin=ORDERS)
    assert (good.returncode, good.stdout) == (0, "<stdin>: good, 1 policy\n")
    bad = run("check", "-c", "-", stdin=ORDERS + "lisen: x\n")
    assert bad.returncode == 1 and bad.stderr.startswith("<stdin>:")
    assert run("check").returncode == 1


@pytest.mark.parametrize("text, told", [
    (ORDERS.replace("- POST", "- PSOT"), '"PSOT" is not a registered method; did you mean "POST"?'),
    (ORDERS.replace("/orders", "/orders/:id"), "did you mean path: /orders/{id}?"),
    (ORDERS + "limits: {body_bytes: 10MB}\n", "did you mean 10MiB?"),
    (ORDERS + "limits:\n  headers: 10\n    pending: 5\n", "the indentation is wrong"),
])
def test_a_policy_that_would_protect_nothing_is_reported_with_the_right_spelling(file, text, told):
    assert text != ORDERS
    result = run("check", file(text))
    assert result.returncode == 1 and told in result.stderr


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


def lines(result):
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_a_failed_start_is_logged_in_json_lines(file, directory):
    refused = lines(run("run", "-c", file(ORDERS + "lisen: x\nworkers: many\n")))
    assert [line["message"] for line in refused] == ["configuration problem"] * 2 + ["cannot start"]
    assert refused[0]["path"] == "lisen" and refused[-1]["problems"] == 2
    unreadable = lines(run("run", "-c", directory / "nowhere.yaml"))
    assert "nowhere.yaml" in unreadable[0]["error"]
    taken = file(ORDERS.replace("/tmp/data", "/dev/null/data"))
    failed = run("run", "-c", taken)
    assert failed.returncode == 3
    assert lines(failed)[-1]["message"] == "cannot start" and lines(failed)[-1]["level"] == "error"


def test_a_failed_start_is_logged_in_text_if_configured(file):
    result = run("run", "-c", file(ORDERS + "log: {format: text}\nlisen: x\n"))
    assert "lisen: unknown key" in result.stderr and not result.stderr.startswith("{")


@pytest.mark.parametrize("words, meant", [
    (["recrods", "list"], "records"), (["records", "lsit"], "list"),
    (["check", "--fromat", "json", "x"], "--format"), (["-c", "x", "cehck"], "check"),
])
def test_a_misspelt_command_is_reported_with_the_right_one(words, meant):
    result = run(*words)
    assert result.returncode == 1
    assert f'Did you mean "{meant}"?' in result.stderr


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


def test_explain_prints_the_fingerprint_that_the_upstream_gets(stage, upstream):
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


def test_explain_as_json_says_what_the_text_says(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    message = request(key="k-1", body={"a": 1}).decode()
    text = run("explain", "-c", proxy.config, "-", stdin=message).stdout
    result = run("explain", "-c", proxy.config, "--format", "json", "-", stdin=message)
    told = json.loads(result.stdout)
    labels = {line.split()[0] for line in text.splitlines() if not line.startswith(" ")}
    assert labels == told.keys() - {"fields"}
    assert told["policy"] == "orders" and told["fingerprint"] in text
    assert told["fields"]["fingerprint"] == [{"selector": "client_key: Idempotency-Key", "value": "k-1"}]
    bad = run("explain", "-c", proxy.config, "--format", "json", "-", stdin="GET / HTTP/1.1\r\n\r\n")
    assert bad.returncode == 1 and json.loads(bad.stdout)["bad_request"]["status"] == 400


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
    told = json.loads(run("explain", "-c", proxy.config, "--format", "json", "--answer", answered,
                          asked).stdout)
    assert told["answer"] == "200: release by outcome.rules[0]"
    assert told["fields"]["rules[0]"] == [{"selector": "body: /errors", "test": "is present"}]
    bad = run("explain", "-c", proxy.config, "--format", "json", "--answer", "-", asked, stdin="HTTP/9")
    assert bad.returncode == 1 and "does not end" in json.loads(bad.stdout)["bad_answer"]["detail"]
    both = run("explain", "-c", proxy.config, "--answer", "-", "-", stdin="")
    assert both.returncode != 0 and "only one" in both.stderr
