"""onceproxy as a plain Envoy's upstream, with the configuration that deploy/envoy ships and a real Envoy."""

import copy
import json
import pathlib
import re
import threading

import pytest
import yaml

from harness import Client, eventually, policy, request
from harness import envoy as envoys
from harness.client import once
from harness.kube_apiserver import free_ports
from harness.process import run
from harness.upstream import executed, executed_after

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy" / "envoy"
SHIPPED = DEPLOY / "upstream.yaml"


@pytest.fixture(params=envoys.TESTED)
def envoy(request, directory, stage):
    """Starts an Envoy in front of a proxy, in the configuration that is shipped or a changed one. It ends
    before the proxies of the stage do, which then must have no connection left."""
    started = []

    def start(proxy, change=None):
        config = envoys.prepared(SHIPPED, {"onceproxy": proxy.data})
        if change:
            change(config)
        made = envoys.Envoy(config, directory / f"envoy-{len(started)}", request.param)
        started.append(made)
        return made

    start.version = request.param
    yield start
    for each in started:
        each.close()


def route_of(config):
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]


@pytest.mark.parametrize("version", envoys.TESTED)
def test_the_shipped_configuration_is_valid_as_it_stands(version, directory):
    assert "OK" in envoys.validate(SHIPPED, directory, version)


def test_a_first_request_and_its_duplicate(envoy, proxy, upstream):
    front = envoy(proxy)
    first = once(front.listener(), request(key="a", body={"n": 1}))
    second = once(front.listener(), request(key="a", body={"n": 1}))
    assert (first.status, first.decision) == (200, "forwarded")
    assert (second.status, second.decision) == (200, "replayed")
    assert second.body == first.body and second["idempotent-replayed"] == "true"
    assert len(upstream.requests) == 1
    other = once(front.listener(), request(key="a", body={"n": 2}))
    assert (other.status, other.problem) == (422, "key-reused")
    # One id all the way, and onceproxy's client is Envoy.
    assert upstream.requests[0]["x-request-id"] == first["x-request-id"]
    assert re.fullmatch(r"[\d.]+, ?127\.0\.0\.1", upstream.requests[0]["x-forwarded-for"])


def test_of_concurrent_equal_requests_one_is_executed(envoy, stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream)
    front = envoy(proxy)
    answers = []

    def send():
        answers.append(once(front.listener(), request(key="a")))

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    upstream.wait_for_requests(1)
    proxy.decided("in-flight", 49)
    finish.set()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] + 49 * [409]
    assert len(upstream.requests) == 1


def test_duplicates_that_wait_get_the_answer_of_the_first(envoy, stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream, [policy(in_flight={"action": "wait", "timeout": "20s"})])
    front = envoy(proxy)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(once(front.listener(), request(key="a"))))
               for _ in range(20)]
    for thread in threads:
        thread.start()
    upstream.wait_for_requests(1)
    eventually(lambda: front.stat("cluster.onceproxy.upstream_rq_active") == 20, "20 requests wait")
    finish.set()
    for thread in threads:
        thread.join()
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert len(upstream.requests) == 1


def test_retries_of_envoys_router_are_duplicates(envoy, stage):
    """Whatever Envoy retries on, the service sees the request once."""
    upstream = stage.upstream(lambda exchange: exchange.connection.close())
    proxy = stage.proxy(upstream)

    def retry_everything(config):
        route_of(config)["retry_policy"] = {
            "retry_on": "5xx,reset,connect-failure,retriable-4xx", "num_retries": 3,
            "retry_back_off": {"base_interval": "0.01s"}}

    front = envoy(proxy, retry_everything)
    answer = once(front.listener(), request(key="a"))
    assert (answer.status, answer.decision, answer.problem) == (409, "held", "outcome-unknown")
    assert front.stat("cluster.onceproxy.upstream_rq_retry") == 3
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("change, status, problem", [
    ({}, 502, "upstream-unreachable"),
    ({"upstream": {"response_timeout": "200ms"}}, 504, "upstream-timeout"),
], ids=["reset", "timeout"])
def test_a_failure_of_the_service_reaches_the_client_as_onceproxy_tells_it(envoy, stage, change, status,
                                                                            problem):
    over = threading.Event()

    def fail(exchange):
        if not change:
            exchange.connection.close()
        over.wait(60)

    upstream = stage.upstream(fail)
    proxy = stage.proxy(upstream, **change)
    front = envoy(proxy)
    answer = once(front.listener(), request(key="a"))
    assert (answer.status, answer.decision, answer.problem) == (status, "upstream-error", problem)
    held = once(front.listener(), request(key="a"))
    assert (held.status, held.decision) == (409, "held")
    assert len(upstream.requests) == 1
    over.set()


def test_a_client_that_leaves_envoy_finds_the_answer_later(envoy, stage):
    finish = threading.Event()
    upstream = stage.upstream(executed_after(finish))
    proxy = stage.proxy(upstream)
    front = envoy(proxy)
    with Client(front.listener()) as client:
        client.send(request(key="a"))
        upstream.wait_for_requests(1)
    eventually(lambda: front.stat("cluster.onceproxy.upstream_rq_active") == 0, "Envoy gave up")
    finish.set()
    proxy.decided("forwarded")
    retry = once(front.listener(), request(key="a"))
    assert (retry.status, retry.decision) == (200, "replayed")
    assert len(upstream.requests) == 1


def test_onceproxy_drains_and_comes_back_behind_envoy(envoy, stage):
    """What is under way ends, what comes meanwhile waits in Envoy, and nothing is forgotten."""
    finish = threading.Event()

    def answer(exchange):
        if exchange.request["idempotency-key"] == "slow":
            finish.wait(60)
        executed(exchange)

    upstream = stage.upstream(answer)
    port, = free_ports(1)
    proxy = stage.proxy(upstream, listen=f"127.0.0.1:{port}")

    def retry_for_long(config):
        # A debug build under a sanitizer takes longer to start than a released one.
        route_of(config)["retry_policy"]["num_retries"] = 300
        route_of(config)["timeout"] = "120s"

    front = envoy(proxy, retry_for_long)
    assert once(front.listener(), request(key="before")).decision == "forwarded"
    answers = {}

    def send(key):
        answers[key] = once(front.listener(), request(key=key))

    slow = threading.Thread(target=send, args=("slow",))
    slow.start()
    upstream.wait_for_requests(2)
    proxy.begin_drain()
    assert proxy.stderr.wait_for(lambda line: line.get("message") == "draining", "draining")
    finish.set()
    slow.join()
    assert answers["slow"].status == 200
    assert proxy.wait() == 0
    refused = front.stat("cluster.onceproxy.upstream_cx_connect_fail")
    meanwhile = threading.Thread(target=send, args=("meanwhile",))
    meanwhile.start()
    eventually(lambda: front.stat("cluster.onceproxy.upstream_cx_connect_fail") > refused,
               "Envoy finds onceproxy away")
    proxy.restart()
    meanwhile.join()
    assert (answers["meanwhile"].status, answers["meanwhile"].decision) == (200, "forwarded")
    for key in ("before", "slow", "meanwhile"):
        assert once(front.listener(), request(key=key)).decision == "replayed"
    assert len(upstream.requests) == 3


def test_large_bodies_and_answers_pass_unchanged(envoy, stage):
    body = "x" * 700_000
    upstream = stage.upstream(lambda exchange: exchange.answer(
        200, exchange.request.body * 2, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], chunked=True))
    front = envoy(stage.proxy(upstream))
    answer = once(front.listener(), request(key="a", body=body.encode()))
    assert answer.status == 200 and answer.body == upstream.requests[0].body * 2
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    again = once(front.listener(), request(key="a", body=body.encode()))
    assert (again.status, again.problem) == (409, "not-replayable"), "larger than replay.max_body"


# onceproxy doctor --envoy.

def doctor(proxy, envoy, **changes):
    """What it tells of the Envoy: {health: [what was told]}."""
    settings = copy.deepcopy(proxy.settings)
    settings["listen"] = f"{proxy.data[0]}:{proxy.data[1]}"
    settings.update(changes)
    path = proxy.directory / "doctor.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = run("doctor", "-c", path, "--envoy", f"{envoy.admin[0]}:{envoy.admin[1]}", "--format", "json")
    assert result.returncode == 0, result.stdout + result.stderr
    told = {}
    for each in json.loads(result.stdout)["checks"]:
        told.setdefault(each["health"], []).append(each["message"])
    return told


def test_the_doctor_finds_nothing_wrong_with_what_is_shipped(envoy, proxy):
    told = doctor(proxy, envoy(proxy))
    assert "warn" not in told, told
    assert "listener service forwards to onceproxy on 1 route" in told["ok"]


def test_the_doctor_finds_what_undermines_the_promise_in_a_real_dump(envoy, proxy):
    def undermine(config):
        resources = config["static_resources"]
        resources["listeners"][0]["per_connection_buffer_limit_bytes"] = 65536
        manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_filters"].insert(0, {"name": "ext", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "onceproxy"}},
            "failure_mode_allow": True, "allow_mode_override": True,
            "allowed_override_modes": [{"request_body_mode": "BUFFERED"}]}})
        host = manager["route_config"]["virtual_hosts"][0]
        host["retry_policy"] = {"retry_on": "5xx"}
        route = host["routes"][0]
        route["route"] = {"cluster": "onceproxy", "timeout": "1s",
                          "request_mirror_policies": [{"cluster": "onceproxy"}]}
        route["typed_per_filter_config"] = {"ext": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
            "overrides": {"failure_mode_allow": True}}}

    told = doctor(proxy, envoy(proxy, undermine))
    for what in ("filter ext: failure_mode_allow is true", "route service /: failure_mode_allow is true",
                 "allowed_override_modes does not admit", "message_timeout is 200 ms",
                 "response.code_details", "retry_on: 5xx", "request_mirror_policies",
                 "timeout ends a request after 1000 ms, before the longest lease",
                 "per_connection_buffer_limit_bytes is 65536"):
        assert any(what in each for each in told["warn"]), (what, told)


def with_istios_filter(config):
    """Puts the cluster and the filter of the EnvoyFilter where Istio puts them."""
    document = next(yaml.safe_load_all((DEPLOY / "istio-envoyfilter.yaml").read_text()))
    cluster, filter = (each["patch"]["value"] for each in document["spec"]["configPatches"])
    resources = config["static_resources"]
    resources["clusters"][0]["name"] = "service"
    resources["clusters"].append(cluster)
    listener = resources["listeners"][0]
    listener["per_connection_buffer_limit_bytes"] = 2 << 20
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"].insert(0, filter)
    route_of(config)["cluster"] = "service"


def test_the_filter_for_istio_is_taken_by_envoy_and_by_the_doctor(envoy, proxy):
    front = envoy(proxy, with_istios_filter)
    told = doctor(proxy, front, listen="127.0.0.1:1")
    assert told["ok"][-1] == "listener service asks an external processor in filter onceproxy.ext_proc"
    assert "warn" not in told, told
    # onceproxy's port for Envoy is not there: no request gets past it.
    assert once(front.listener(), request(key="a")).status >= 500


def test_every_document_for_kubernetes_has_a_kind_and_a_name():
    for file in ("istio-envoyfilter.yaml", "envoy-gateway.yaml"):
        for each in yaml.safe_load_all((DEPLOY / file).read_text()):
            assert each["apiVersion"] and each["kind"] and each["metadata"]["name"], file


def test_the_doctor_fails_where_no_envoy_answers(proxy, upstream):
    nobody, = free_ports(1)
    for address, told in ((f"127.0.0.1:{nobody}", "refused"), ("nonsense", "--envoy names"),
                          (upstream.address, "not the configuration of an Envoy")):
        result = run("doctor", "-c", proxy.config, "--envoy", address)
        assert result.returncode == 1
        failed = [line for line in result.stdout.splitlines() if line.startswith("fail")]
        assert len(failed) == 1 and "envoy" in failed[0] and told in failed[0], result.stdout
