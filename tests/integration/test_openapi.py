"""proxy/admin/openapi.yaml agrees with /help, with the answers, and with the arguments of the client."""

import http.client
import json
import pathlib
import re
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest
import yaml

from harness import policy, request
from harness.client import once
from harness.process import run

DOCUMENT = yaml.safe_load(
    (pathlib.Path(__file__).parents[2] / "proxy/admin/openapi.yaml").read_text())
METHODS = {"get", "post", "patch", "put", "delete"}
RIDES = policy(name="rides", match={"path": "/rides/{ride}"}, fingerprint="client_key",
               entity={"type": "ride", "id": [{"path": "ride"}], "closes": "1h"})


def follow(node):
    """What a reference stands for."""
    while "$ref" in node:
        target = DOCUMENT
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node


def operations():
    """(method, path, operation, its parameters), of every operation."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            operation = item[method]
            parameters = item.get("parameters", []) + operation.get("parameters", [])
            yield method.upper(), path, operation, [follow(each) for each in parameters]


def operation_of(method, target):
    """The operation and parameters of a request's method and path."""
    path = urlsplit(target).path
    exact = [each for each in operations() if each[:2] == (method, path)]
    by_name = [each for each in operations() if each[0] == method
               and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each[1]), path)]
    assert exact or by_name, f"{method} {path} is no operation of openapi.yaml"
    return (exact or by_name)[0][2:]


def valid(value, schema):
    resolver = jsonschema.RefResolver.from_schema(DOCUMENT)
    jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)


def check_arguments(method, target):
    """A request has the arguments that its operation takes, each with a value that it may have."""
    known = {each["name"]: each for each in operation_of(method, target)[1] if each["in"] == "query"}
    given = dict(parse_qsl(urlsplit(target).query, strict_parsing="?" in target))
    for name, value in given.items():
        assert name in known, f"{method} {target}: {name} is not in openapi.yaml"
        schema = follow(known[name]["schema"])
        valid(int(value) if schema.get("type") == "integer" else value, schema)
    for name, parameter in known.items():
        assert name in given or not parameter.get("required"), f"{method} {target}: {name} is missing"


def ask(proxy, method, target, body=None):
    """Sends a request, and checks the answer; gives its status and document."""
    connection = http.client.HTTPConnection(*proxy.admin, timeout=60)
    try:
        connection.request(method, target, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    responses = operation_of(method, target)[0]["responses"]
    assert str(response.status) in responses, (method, target, response.status, text)
    content = follow(responses[str(response.status)])["content"]
    kind = response.headers.get_content_type()
    assert kind in content, (method, target, kind)
    if kind == "application/json":
        document = json.loads(text)
        valid(document, content[kind]["schema"])
        return response.status, document
    return response.status, text


@pytest.fixture
def busy_proxy(stage):
    """With a completed, an unknown and a replayed operation, and an entity that is closed."""
    def answer(exchange):
        if exchange.request["x-request-id"] == "lost":
            exchange.connection.close()
        else:
            exchange.answer(201, b"done")

    proxy = stage.proxy(stage.upstream(answer), [policy(), RIDES])
    for key in ("done", "lost", "done"):
        once(proxy.data, request(key=key, headers={"x-request-id": key}))
    once(proxy.data, request(target="/rides/42", key="ride", headers={"x-request-id": "ride"}))
    return proxy


def test_help_lists_the_operations_and_no_others(proxy):
    lines = re.findall(r"^  (\S+) (\S+): (.*)$", proxy.operator.get("/help"), re.M)
    # The path of an entity whose id has several parts; the operation stands for both.
    shown = {line for line in lines if line[:2] != ("POST", "/entities/*")}
    described = {(method, DOCUMENT["paths"][path].get("x-help-path", path), operation["summary"])
                 for method, path, operation, _ in operations()}
    assert shown == described


def test_every_answer_is_as_described(busy_proxy):
    proxy = busy_proxy
    for method, path, _, _ in operations():
        if method == "GET" and "{" not in path:
            assert ask(proxy, method, path)[0] == 200, path
    records = ask(proxy, "GET", "/records")[1]["items"]
    assert {record["state"] for record in records} == {"completed", "unknown"}
    lost = next(each for each in records if each["state"] == "unknown")["fingerprint"]
    done = next(each for each in records if each["state"] == "completed")["fingerprint"]
    assert ask(proxy, "GET", f"/records/{lost}")[0] == 200
    assert ask(proxy, "POST", f"/records/{done}/resolve")[0] == 409
    assert ask(proxy, "POST", f"/records/{lost}/resolve")[0] == 200
    assert ask(proxy, "DELETE", f"/records/{done}")[0] == 200
    assert ask(proxy, "POST", f"/records/{done}/release")[0] == 404
    assert ask(proxy, "GET", "/records/xyz")[0] == 400
    assert ask(proxy, "GET", "/entities/ride/42")[1]["closed"]
    assert ask(proxy, "POST", "/entities/ride/42/open")[0] == 200
    assert ask(proxy, "POST", "/entities/ride/42/open")[0] == 409
    assert ask(proxy, "GET", "/entities/ride/43")[0] == 404
    assert ask(proxy, "PATCH", "/policies/orders/enforcement", {"mode": "shadow"})[0] == 200
    assert ask(proxy, "PATCH", "/policies/orders/enforcement", {"mode": "on"})[0] == 400
    assert ask(proxy, "PATCH", "/policies/none/enforcement", {"percent": 1})[0] == 404
    assert ask(proxy, "POST", "/reload")[0] == 200
    decisions = {each["decision"] for each in ask(proxy, "GET", "/audit?limit=1000")[1]["items"]}
    assert {"forwarded", "operator", "started"} <= decisions
    proxy.config.write_text("listen: []\n")
    assert ask(proxy, "POST", "/reload")[0] == 500


def arguments_of(parameters):
    """One good value for each argument of a list."""
    for parameter in parameters:
        if parameter["in"] != "query":
            continue
        schema = follow(parameter["schema"])
        good = parameter.get("example") or next(iter(schema.get("enum", [])), None)
        if schema.get("type") == "integer":
            good = schema["minimum"]
        if parameter["name"] == "fingerprint":
            good = "0" * 64
        if good is not None:
            yield parameter["name"], good


def test_every_argument_is_taken_and_no_other(busy_proxy):
    for method, path, _, parameters in operations():
        if "{" in path:
            continue  # of one object; the next test has its arguments
        arguments = dict(arguments_of(parameters))
        for name, value in arguments.items():
            assert ask(busy_proxy, method, f"{path}?{name}={value}")[0] == 200, (path, name)
        if arguments:
            query = "&".join(f"{name}={value}" for name, value in [*arguments.items(), ("no-such", "1")])
            assert ask(busy_proxy, method, f"{path}?{query}")[0] == 400, path


def test_an_answer_is_given_with_its_arguments_and_no_others(busy_proxy):
    records = ask(busy_proxy, "GET", "/records")[1]["items"]
    lost = next(each for each in records if each["state"] == "unknown")["fingerprint"]
    path = f"/records/{lost}/resolve"
    operation, parameters = operation_of("POST", path)
    arguments = {name: str(value).replace(" ", "+") for name, value in arguments_of(parameters)}
    assert arguments.keys() == {"status", "header"} and "requestBody" in operation
    query = "&".join(f"{name}={value}" for name, value in arguments.items())
    assert ask(busy_proxy, "POST", f"{path}?{query}&no-such=1")[0] == 400
    assert ask(busy_proxy, "POST", f"{path}?{query}")[0] == 200


def test_cursors_are_those_of_the_page_before(busy_proxy):
    for path in ("/records", "/audit"):
        cursor = ask(busy_proxy, "GET", f"{path}?limit=1")[1]["next"]
        assert ask(busy_proxy, "GET", f"{path}?limit=1&cursor={cursor}")[0] == 200
        assert ask(busy_proxy, "GET", f"{path}?cursor=no-such")[0] == 400


def test_the_client_asks_for_operations_with_their_arguments(stage):
    record = {"fingerprint": "0" * 64, "state": "unknown", "held": False, "attempts": 1, "fence": 1,
              "created": "2026-01-02T03:04:05Z", "expires": "2026-01-02T03:04:05Z", "duplicates": 0}
    page = {"items": [record], "next": "0" * 64}

    def answer(exchange):
        listed = exchange.request.target.startswith("/records?")
        last = "cursor=" in exchange.request.target
        document = ({"items": [record]} if last else page) if listed else record
        exchange.answer(200, json.dumps(document).encode())

    fake = stage.upstream(answer)
    for action in (["list", "--policy", "a b", "--state", "unknown", "--limit", "2"],
                   ["show", "0" * 64], ["release", "0" * 64], ["resolve", "0" * 64],
                   ["forget", "0" * 64], ["release", "--dry-run", "0" * 64]):
        result = run("records", action[0], "--admin", fake.address, *action[1:])
        assert result.returncode == 0, result.stderr
    asked = [(each.method, each.target) for each in fake.requests]
    assert len(asked) == 7, "the list has two pages"
    for method, target in asked:
        check_arguments(method, target)
    assert any("policy=a%20b&state=unknown&cursor=" in target for _, target in asked)
