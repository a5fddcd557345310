"""Envoy's manners: the options of its command line, and its admin port's shapes beside a real one's."""

import json
import re

import pytest
import yaml

from harness import Upstream, policy, request, settings
from harness import envoy as envoys
from harness.client import once
from harness.process import run

ORDERS = yaml.safe_dump(settings("127.0.0.1:8081", "/tmp/data", [policy()]), sort_keys=False)


@pytest.fixture
def file(directory):
    path = directory / "onceproxy.yaml"
    path.write_text(ORDERS)
    return path


@pytest.mark.parametrize("command", [(), ("run",)], ids=["alone", "run"])
def test_validate_says_and_exits_as_envoy(command, file, directory):
    good = run(*command, "--mode", "validate", "-c", file)
    assert (good.returncode, good.stdout, good.stderr) == (0, f"configuration '{file}' OK\n", "")
    file.write_text(ORDERS + "lisen: x\n")
    bad = run(*command, "-c", file, "--mode=validate")
    assert bad.returncode == 1 and "OK" not in bad.stdout and "lisen: unknown key" in bad.stderr
    nowhere = run(*command, "--config-path", directory / "nowhere", "--mode", "validate")
    assert nowhere.returncode == 1 and "nowhere" in nowhere.stderr
    assert not (directory / "data").exists()


@pytest.mark.parametrize("options, told", [
    (["--mode", "init_only"], "--mode: unknown mode 'init_only'; there are serve and validate"),
    (["--drain-time-s", "1.5"], '"1.5" is not a whole number of seconds'),
    (["--drain-time-s=-1"], "not a whole number of seconds"),
    (["--drain-time-s", "5", "--drain-time", "5s"], "say the same; give one of them"),
    (["-l", "loud"], 'unknown level "loud"; there are trace, debug, info, warning, error and critical'),
    (["--log-level", "off"], "off is not supported"),
    (["--log-format", "[%Y-%m-%d] %v"], "do not escape values"),
    (["--concurrency", "0"], "not a number from 1 to 1024"),
    (["--concurrency", "many"], "not a number from 1 to 1024"),
    (["--base-id", "3"], "no hot restart"),
    (["--use-dynamic-base-id"], "no hot restart"),
    (["--restart-epoch", "1"], "no hot restart"),
    (["--component-log-level", "upstream:debug"], "one level for all parts"),
    (["--config-yaml", "{}"], "one file"),
    (["--service-node", "a"], "no control plane"),
])
def test_what_cannot_be_meant_is_refused_with_its_reason(options, told, file):
    for command in ([], ["run"]):
        result = run(*command, "-c", file, *options)
        assert result.returncode not in (0, 3) and result.returncode > 0
        assert told in result.stderr, result.stderr


def test_envoys_options_are_obeyed_and_outlast_a_reload(stage, upstream):
    proxy = stage.proxy(upstream, workers=1, log={"level": "error", "format": "text"}, arguments=[
        "--mode", "serve", "--drain-time-s", "7", "--log-level", "info", "--log-format", "json",
        "--concurrency", "3", "--disable-hot-restart"])
    ready = proxy.stderr.wait_for(lambda line: line.get("message") == "ready", "ready")
    assert ready["workers"] == 3
    options = proxy.operator.get("/server_info")["command_line_options"]
    assert options == {"config_path": str(proxy.config), "concurrency": 3, "log_level": "info",
                       "drain_time": "7s", "mode": "Serve", "disable_hot_restart": True}
    assert proxy.operator.post("/reload") == (200, {"status": "unchanged", "changed": [], "kept": []})
    once(proxy.data, request("GET", "/x"))
    assert proxy.access_log(1)[0]["decision"] == "passed"
    proxy.begin_drain()
    drained = proxy.stderr.wait_for(lambda line: line.get("message") == "draining", "draining")
    assert drained["drain_time_ms"] == 7000
    assert proxy.wait() == 0


def test_critical_is_error_and_warnings_are_kept_out(stage, upstream):
    proxy = stage.proxy(upstream, start=False, arguments=["-l", "critical"])
    result = run("run", "-c", proxy.config, "-l", "critical", "--mode", "validate")
    assert result.returncode == 0
    proxy.configure({**proxy.settings, "listen": "256.0.0.1:0"})
    failed = run("run", "-c", proxy.config, "-l", "critical")
    assert failed.returncode != 0
    assert {json.loads(line)["level"] for line in failed.stderr.splitlines()} == {"error"}


@pytest.fixture(scope="module", params=envoys.TESTED)
def real(request, tmp_path_factory):
    """An Envoy with one listener and one cluster."""
    upstream = Upstream()
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = {"name": "router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
    routes = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]}]}
    config = {"static_resources": {
        "listeners": [{"name": "data", "filter_chains": [{"filters": [{"name": "http", "typed_config": {
            "@type": f"type.googleapis.com/{manager}", "stat_prefix": "http",
            "route_config": routes, "http_filters": [router]}}]}]}],
        "clusters": [{"name": "upstream", "load_assignment": {"cluster_name": "upstream", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": {}}}]}]}}]}}
    made = envoys.Envoy(envoys.prepared(config, {"upstream": upstream.address}),
                        tmp_path_factory.mktemp("envoy"), request.param)
    once(made.listener(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    yield made
    made.close()
    upstream.close()


def fits(ours, theirs, place, own=()):
    """Every member of ours is one of Envoy's, of the same type; of lists, the first."""
    assert type(ours) is type(theirs) or {type(ours), type(theirs)} <= {int, float}, place
    if isinstance(ours, dict):
        for name in ours.keys() - set(own):
            assert name in theirs, f"{place}.{name} is none of Envoy's"
            fits(ours[name], theirs[name], f"{place}.{name}", own)
    elif isinstance(ours, list) and ours and theirs:
        fits(ours[0], theirs[0], f"{place}[0]", own)


def test_answers_have_the_members_of_a_real_envoys(real, stage, upstream):
    proxy = stage.proxy(upstream)
    once(proxy.data, request("GET", "/x"))
    fits(proxy.operator.get("/server_info"), real.ask("/server_info"), "server_info",
         own=("connections", "drained"))
    ours, theirs = (each("/clusters?format=json") for each in (proxy.operator.get, real.ask))
    # Envoy leaves out a host's name where it is configured by its address, and defaults everywhere.
    fits(ours, theirs, "clusters", own=("hostname", "value"))
    stats = {each["name"]: each.get("type") for each in
             ours["cluster_statuses"][0]["host_statuses"][0]["stats"]}
    known = {each["name"]: each.get("type") for each in
             theirs["cluster_statuses"][0]["host_statuses"][0]["stats"]}
    # Earlier Envoys count waiting requests for the cluster alone.
    known.setdefault("rq_pending_active", "GAUGE")
    assert stats.items() <= known.items()
    fits(proxy.operator.get("/listeners?format=json"), real.ask("/listeners?format=json"), "listeners")
    stats = proxy.operator.get("/stats?format=json&filter=^onceproxy_requests_total")["stats"]
    fits(stats, [each for each in real.ask("/stats?format=json")["stats"] if "value" in each], "stats")
    assert stats and all(each["name"].startswith("onceproxy_requests_total") for each in stats)


def test_clusters_lines_are_those_of_a_real_envoy(real, stage, upstream):
    proxy = stage.proxy(upstream)
    once(proxy.data, request("GET", "/x"))

    def subjects(text):
        return {re.sub(r"::[^:]+:\d+::", "::host::", line).rpartition("::")[0]
                for line in text.splitlines()}

    text = proxy.operator.get("/clusters")
    # Earlier Envoys count waiting requests for the cluster alone.
    assert subjects(text) - {"upstream::host::rq_pending_active"} <= subjects(real.ask("/clusters"))
    assert f"upstream::{upstream.address}::rq_success::1\n" in text
    assert f"upstream::{upstream.address}::cx_active::1\n" in text


def test_a_failed_health_check_is_draining_as_in_envoy(real, proxy):
    for each in (lambda path: proxy.operator.post(path), lambda path: real.ask(path, "POST")):
        each("/healthcheck/fail")
    assert proxy.operator.get("/server_info")["state"] == real.ask("/server_info")["state"] == "DRAINING"
    proxy.operator.post("/healthcheck/ok")
    real.ask("/healthcheck/ok", "POST")
    assert proxy.operator.get("/server_info")["state"] == real.ask("/server_info")["state"] == "LIVE"
