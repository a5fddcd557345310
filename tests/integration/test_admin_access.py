"""Who may use the admin port: the bearer token, and the names that the port answers to without one."""

import http.client

import pytest

from harness import StartFailed
from harness.admin import Admin
from harness.process import run


def test_an_admin_port_with_a_token_refuses_requests_without_it(stage, upstream, directory):
    token = directory / "token"
    token.write_text("first\n")
    proxy = stage.proxy(upstream, admin={"listen": "0.0.0.0:0", "token_file": str(token)})
    address = ("127.0.0.1", proxy.admin[1])
    assert Admin(address).call("GET", "/records")[0] == 401
    assert Admin(address, "other").call("POST", "/quitquitquit")[0] == 401
    assert Admin(address, "first").get("/records") == {"items": []}
    told = run("records", "list", "--admin", f"127.0.0.1:{address[1]}", "--token-file", token)
    assert (told.returncode, told.stdout) == (0, "No records.\n")
    token.write_text("second\n")
    assert Admin(address, "first").call("GET", "/records")[0] == 401
    assert Admin(address, "second").get("/records") == {"items": []}


def by_host(address, host, method="GET", target="/records"):
    """The status of a request to the admin port that calls it `host`."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request(method, target, headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def test_without_a_token_the_admin_port_answers_only_to_names_it_knows(stage, upstream):
    """A page whose name was made to resolve to this machine reads nothing."""
    proxy = stage.proxy(upstream, admin={"listen": "127.0.0.1:0", "hosts": ["ops.example"]})
    for host in ("attacker.example", "attacker.example:9901", "localhost.attacker.example", "10.0.0.1"):
        assert by_host(proxy.admin, host) == 421
        assert by_host(proxy.admin, host, "POST", "/healthcheck/fail") == 421
    assert proxy.operator.call("GET", "/ready")[0] == 200
    for host in ("localhost", "127.0.0.1:1", "[::1]:9901", "ops.example", "OPS.example:80"):
        assert by_host(proxy.admin, host) == 200
    assert by_host(proxy.admin, "ops.example", target="/stats/prometheus") == 200
    assert by_host(proxy.telemetry, "attacker.example", target="/metrics") == 200


def test_with_a_token_the_name_does_not_matter(stage, upstream, directory):
    token = directory / "token"
    token.write_text("first")
    proxy = stage.proxy(upstream, admin={"listen": "127.0.0.1:0", "token_file": str(token)})
    assert by_host(proxy.admin, "attacker.example") == 401


def test_a_token_that_is_not_there_stops_the_start(stage, upstream, directory):
    proxy = stage.proxy(upstream, start=False, admin={"listen": "127.0.0.1:0",
                                                      "token_file": str(directory / "none")})
    with pytest.raises(StartFailed) as failed:
        proxy.start()
    assert failed.value.code == 3
    assert f"admin.token_file {directory / 'none'}" in failed.value.output
