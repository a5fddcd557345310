"""CORS: pages of permitted origins can read the answers of onceproxy, also in a real browser."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from harness import policy, request
from harness.client import once
from harness.wait import PATIENCE

APP = "https://app.example"
OTHER = "https://other.example"
CORS = {"origins": [APP, "http://localhost:3000"]}
EXPOSED = {"idempotent-replayed", "retry-after", "onceproxy-decision", "x-request-id"}


def echoes_origin(exchange):
    """A service that allows every origin by itself."""
    origin = exchange.request["origin"]
    own = {"Access-Control-Allow-Origin": origin, "Vary": "Origin",
           "Access-Control-Expose-Headers": "X-Order"} if origin else {}
    exchange.answer(200, b"done", {"X-Order": "1", **own})


def ask(proxy, origin=APP, key="a", **kwargs):
    headers = {"Origin": origin} if origin else {}
    return once(proxy.data, request(key=key, headers={**headers, **kwargs.pop("headers", {})},
                                    **kwargs))


def exposed(answer):
    return {name.strip().lower() for value in answer.all("access-control-expose-headers")
            for name in value.split(",")}


def check_readable(answer, origin=APP):
    assert answer["access-control-allow-origin"] == origin
    assert "Origin" in ",".join(answer.all("vary"))
    assert EXPOSED <= exposed(answer)


REFUSALS = {
    "mismatch": ({"body": {"n": 2}}, 422),
    "missing-key": ({"key": None}, 400),
    "bad-key": ({"key": "a,b"}, 400),
    "a path that is refused": ({"target": "/orders/%2F", "key": "b"}, 400),
    "a body that is too large": ({"body": b"b" * 5000, "key": "c"}, 413),
    "replayed": ({}, 200),
    "suppressed": ({"target": "/fixed"}, 202),
}
FIXED = policy(name="fixed", match={"path": "/fixed"},
               on_duplicate={"status": 202, "headers": {"access-control-allow-origin": "*"}})


@pytest.fixture
def proxy(stage):
    return stage.proxy(stage.upstream(echoes_origin), [policy(), FIXED], cors=CORS,
                       limits={"body_bytes": "4KiB"})


@pytest.mark.parametrize("name", REFUSALS)
def test_every_answer_made_here_can_be_read_by_an_origin_that_is_allowed(proxy, name):
    sent, status = REFUSALS[name]
    for target in ("/orders", "/fixed"):
        ask(proxy, target=target)
    answer = ask(proxy, **sent)
    assert answer.status == status
    check_readable(answer)
    assert answer["access-control-allow-credentials"] is None


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("origin", [OTHER, None, "null", APP + ".evil"])
def test_and_by_no_other(proxy, name, origin):
    sent, status = REFUSALS[name]
    for target in ("/orders", "/fixed"):
        ask(proxy, target=target)
    answer = ask(proxy, origin, **sent)
    assert answer.status == status
    allowed = answer["access-control-allow-origin"]
    assert allowed in (None, "*") and (allowed is None or name == "suppressed")
    # A cache must not hand one's answer to another.
    assert "Origin" in ",".join(answer.all("vary"))


def test_a_page_can_read_that_the_service_is_down(stage):
    proxy = stage.proxy(stage.upstream(listening=False), cors=CORS)
    for target in ("/orders", "/uncovered"):
        answer = ask(proxy, target=target)
        assert answer.status == 502
        check_readable(answer)


def test_the_answers_of_the_service_are_not_changed(proxy):
    for origin in (APP, OTHER):
        answer = ask(proxy, origin, target="/uncovered")
        assert (answer["access-control-allow-origin"], exposed(answer)) == (origin, {"x-order"})


def test_a_replay_goes_to_another_origin_without_the_first_one_s_permission(stage):
    """Also where nothing is configured."""
    proxy = stage.proxy(stage.upstream(echoes_origin))
    assert ask(proxy, APP)["access-control-allow-origin"] == APP
    for origin in (OTHER, None):
        again = ask(proxy, origin)
        assert (again.decision, again.body) == ("replayed", b"done")
        assert again["access-control-allow-origin"] is None
        assert again["access-control-expose-headers"] is None
    assert ask(proxy, APP)["access-control-allow-origin"] == APP


def test_a_replay_can_be_read_by_each_origin_that_is_allowed(proxy):
    ask(proxy, APP)
    again = ask(proxy, "http://localhost:3000")
    assert again.decision == "replayed"
    check_readable(again, "http://localhost:3000")
    same = ask(proxy, APP)
    check_readable(same)
    assert "x-order" in exposed(same)


def test_credentials_and_further_fields_are_allowed_where_that_is_wanted(stage, upstream):
    proxy = stage.proxy(upstream, cors={**CORS, "credentials": True, "expose": ["X-Total"]})
    answer = ask(proxy, key=None)
    check_readable(answer)
    assert answer["access-control-allow-credentials"] == "true"
    assert "x-total" in exposed(answer)


def test_with_any_each_origin_is_echoed(stage, upstream):
    proxy = stage.proxy(upstream, cors={"origins": "any"})
    check_readable(ask(proxy, OTHER, key=None), OTHER)


def test_a_policy_s_own_rules_stand_in_for_those_of_all(stage, upstream):
    own = policy(name="own", match={"path": "/own"}, cors={"origins": [OTHER]})
    proxy = stage.proxy(upstream, [policy(), own], cors=CORS)
    check_readable(ask(proxy, OTHER, key=None, target="/own"), OTHER)
    assert ask(proxy, APP, key=None, target="/own")["access-control-allow-origin"] is None
    check_readable(ask(proxy, APP, key=None))


PREFLIGHT = {"Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type,idempotency-key"}


def preflight(proxy, origin=APP, target="/orders", **changes):
    headers = {"Origin": origin, **PREFLIGHT, **changes}
    return once(proxy.data, request("OPTIONS", target, headers=headers))


def test_a_preflight_of_a_covered_path_is_answered_here(proxy, stage):
    answer = preflight(proxy)
    assert (answer.status, answer.decision) == (204, "preflight")
    assert answer["access-control-allow-origin"] == APP
    assert answer["access-control-allow-methods"] == "POST"
    assert answer["access-control-allow-headers"] == "content-type,idempotency-key"
    assert answer["access-control-max-age"] == "600"
    assert answer["x-request-id"]
    refused = preflight(proxy, OTHER)
    assert (refused.status, refused.decision) == (403, "preflight")
    assert refused["access-control-allow-origin"] is None
    assert not stage.upstreams[0].requests
    assert [line["decision"] for line in proxy.access_log(2)] == ["preflight"] * 2
    proxy.decided("preflight", 2)


@pytest.mark.parametrize("changes", [
    {"target": "/uncovered"},
    {"Access-Control-Request-Method": "GET"},
    {"Access-Control-Request-Method": "P(ST"},
], ids=["no policy", "a method that none covers", "a method that is none"])
def test_a_preflight_of_anything_else_is_the_service_s(proxy, stage, changes):
    answer = preflight(proxy, **changes)
    assert (answer.status, answer.decision) == (200, None)
    assert stage.upstreams[0].requests[0].method == "OPTIONS"


@pytest.mark.parametrize("changes", [
    {"policies": [policy()]},
    {"policies": [policy(enforcement={"mode": "shadow"})], "cors": CORS},
    {"policies": [policy(enforcement={"mode": "off"})], "cors": CORS},
    {"policies": [policy(name="off", enforcement={"mode": "off"}),
                  policy(match={"path": "/{all}"})], "cors": CORS},
], ids=["no cors", "shadow", "off", "off before another"])
def test_a_preflight_is_forwarded_where_nothing_is_answered_here(stage, upstream, changes):
    proxy = stage.proxy(upstream, **changes)
    assert preflight(proxy).status == 200
    assert upstream.requests[0].method == "OPTIONS"


def test_a_preflight_is_answered_for_conditions_that_only_the_request_will_meet(stage, upstream):
    gold = policy(match={"headers": {"x-tier": "gold"}, "where": [{"body": "/a", "equals": "b"}]})
    proxy = stage.proxy(upstream, [gold], cors=CORS)
    assert preflight(proxy).status == 204


def test_an_options_request_that_is_no_preflight_is_one_as_others_are(proxy, stage):
    assert once(proxy.data, request("OPTIONS", "/orders", headers={"Origin": APP})).status == 200
    assert once(proxy.data, request("OPTIONS", "/orders", headers=PREFLIGHT)).status == 200
    assert len(stage.upstreams[0].requests) == 2


def test_a_reload_changes_the_permitted_origins(stage, upstream):
    proxy = stage.proxy(upstream)
    assert ask(proxy, key=None)["access-control-allow-origin"] is None
    proxy.settings["cors"] = CORS
    proxy.configure(proxy.settings)
    proxy.operator.post("/reload")
    check_readable(ask(proxy, key=None))


# Shows itself under its other name, too, in a frame.
PAGE = """<!doctype html><title>a page of another origin</title><body><script>
if (window === window.top) {
  const frame = document.createElement("iframe");
  frame.src = location.href.replace("127.0.0.1", "localhost");
  document.body.append(frame);
}
const url = "http://127.0.0.1:%d/orders";
async function call(key, body, more) {
  const headers = {"Content-Type": "application/json"};
  if (key) headers["Idempotency-Key"] = key;
  try {
    const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body), ...more});
    return {status: answer.status, body: await answer.text(),
            decision: answer.headers.get("Onceproxy-Decision"),
            replayed: answer.headers.get("Idempotent-Replayed"),
            retry: answer.headers.get("Retry-After"),
            id: answer.headers.get("x-request-id"), secret: answer.headers.get("X-Order")};
  } catch (error) { return {error: String(error)}; }
}
(async () => {
  const seen = {
    forwarded: await call("k", {n: 1}),
    replayed: await call("k", {n: 1}),
    mismatch: await call("k", {n: 2}),
    missing: await call(null, {n: 1}),
    lost: await call("lost", {n: 1}),
    held: await call("lost", {n: 1}),
    credentials: await call("k", {n: 2}, {credentials: "include"}),
  };
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
</script>"""


class Site(http.server.ThreadingHTTPServer):
    """The page's own origin, to which it tells what it saw."""

    daemon_threads = True

    def __init__(self, proxy_port):
        self.page = (PAGE % proxy_port).encode()
        self.seen = []
        self.told = threading.Condition()
        super().__init__(("127.0.0.1", 0), Pages)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, host):
        return f"http://{host}:{self.server_address[1]}"

    def wait(self, count):
        with self.told:
            assert self.told.wait_for(lambda: len(self.seen) >= count, 4 * PATIENCE), self.seen
        return self.seen[count - 1]


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(self.server.page if self.path == "/" else b"")

    def do_POST(self):
        seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"")
        with self.server.told:
            self.server.seen.append({"host": self.headers["Host"], **seen})
            self.server.told.notify_all()

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def loses(exchange):
    if exchange.request["idempotency-key"] == "lost":
        exchange.connection.reset()
    else:
        echoes_origin(exchange)


@pytest.fixture
def browser(directory):
    """Opens a page in a browser of its own."""
    program = shutil.which("chromium")
    assert program, "Debian's chromium is needed: deploy/setup.sh --tests installs it"
    started = []

    def open_page(url):
        started.append(subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run", "--remote-debugging-port=0",
             f"--user-data-dir={directory / 'browser'}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={"HOME": str(directory), "PATH": "/usr/bin:/bin"}))

    yield open_page
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_page_in_a_browser_reads_the_answer_if_its_origin_is_allowed(stage, browser):
    """One site under two names, which are two origins: 127.0.0.1, and localhost, which is not
    allowed."""
    upstream = stage.upstream(loses)
    proxy = stage.proxy(upstream)
    site = Site(proxy.data[1])
    try:
        proxy.settings["cors"] = {"origins": [site.url("127.0.0.1")], "credentials": True}
        proxy.configure(proxy.settings)
        assert proxy.operator.post("/reload")[0] == 200
        browser(site.url("127.0.0.1"))
        site.wait(2)
        by_host = {seen["host"].split(":")[0]: seen for seen in site.seen}
        allowed, other = by_host["127.0.0.1"], by_host["localhost"]
    finally:
        site.shutdown()
        site.server_close()

    assert {name: answer.get("status") for name, answer in allowed.items() if name != "host"} == {
        "forwarded": 200, "replayed": 200, "mismatch": 422, "missing": 400, "lost": 502,
        "held": 409, "credentials": 422}
    # What the service answered is read as the service allows.
    assert (allowed["forwarded"]["secret"], allowed["forwarded"]["decision"]) == ("1", None)
    assert (allowed["replayed"]["decision"], allowed["replayed"]["replayed"]) == ("replayed", "true")
    assert allowed["replayed"]["secret"] == "1"
    assert allowed["mismatch"]["decision"] == "mismatch"
    assert "key-reused" in allowed["mismatch"]["body"]
    assert allowed["held"]["retry"] and allowed["held"]["id"]

    # The other one's preflights are refused, so the service is asked nothing for it.
    for name, answer in other.items():
        assert name == "host" or "Failed to fetch" in answer["error"], (name, answer)
    assert {seen["origin"] for seen in upstream.requests} == {site.url("127.0.0.1")}
