"""`onceproxy doctor`: what it reports on this machine, before the start and while the program runs."""

import json
import os
import socket

import pytest
import yaml

from harness import policy
from harness.process import run


@pytest.fixture
def report(stage, upstream):
    """What it finds with the configuration of a proxy, changed as the test wants it."""
    proxy = stage.proxy(upstream, start=False)

    def ask(change=lambda settings: None):
        settings = yaml.safe_load(proxy.config.read_text())
        change(settings)
        proxy.config.write_text(yaml.safe_dump(settings))
        result = run("doctor", "-c", proxy.config, "--format", "json")
        found = {}
        document = json.loads(result.stdout)
        for each in document["checks"]:
            found.setdefault(each["check"], []).append(each)
            assert each["health"] == "ok" or each["remedy"], each
        assert result.returncode == (1 if document["health"] == "fail" else 0)
        return found

    ask.proxy = proxy
    return ask


def failed(found):
    return {check for check, all_of_it in found.items() for each in all_of_it
            if each["health"] == "fail"}


def test_a_working_setup_passes_all_checks_and_is_not_changed(report):
    found = report()
    assert not failed(found)
    assert set(found) == {"config", "policies", "files", "user", "store", "disk", "ports", "upstream",
                          "clock", "descriptors"}
    assert not (report.proxy.directory / "data").exists(), "it makes nothing"
    report.proxy.start()


def test_every_line_begins_with_a_word_and_a_check(report):
    result = run("doctor", report.proxy.config)
    assert result.returncode == 0
    for line in result.stdout.splitlines():
        assert line.split()[0] in ("ok", "warn", "fail"), line


def test_a_running_program_is_no_fault(stage, upstream):
    proxy = stage.proxy(upstream)
    settings = yaml.safe_load(proxy.config.read_text())
    host, port = proxy.data
    settings["listen"] = f"{host}:{port}"
    path = proxy.directory / "same.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = run("doctor", path)
    assert result.returncode == 0, result.stdout
    assert "another process has it open" in result.stdout
    assert f"listen {host}:{port} is in use, as expected" in result.stdout


def test_a_port_that_somebody_else_has(report):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = "127.0.0.1:%d" % other.getsockname()[1]
        found = report(lambda settings: settings.update(listen=address))
        assert failed(found) == {"ports"}
        assert "ss -ltnp" in found["ports"][0]["remedy"]


def test_a_service_that_is_not_there(report):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        found = report(lambda settings: settings["upstream"].update(address=address))
    assert failed(found) == {"upstream"}
    assert "Connection refused" in found["upstream"][0]["message"]
    found = report(lambda settings: settings["upstream"].update(address="nowhere.invalid:80"))
    assert "cannot be resolved" in found["upstream"][0]["message"]


def test_a_store_that_cannot_be(report):
    (report.proxy.directory / "data").write_text("")
    found = report()
    assert failed(found) == {"store"} and "is not a directory" in found["store"][0]["message"]


def test_a_store_that_others_may_enter(report):
    directory = report.proxy.directory / "data"
    directory.mkdir()
    os.chmod(directory, 0o755)
    found = report()
    assert found["store"][0]["health"] == "warn" and "chmod 700" in found["store"][0]["remedy"]


def test_tokens_and_policies_that_protect_nothing(report):
    token = report.proxy.directory / "token"
    token.write_text("t\n")
    os.chmod(token, 0o644)

    def change(settings):
        settings["admin"]["token_file"] = str(token)
        settings["policies"] = [policy(enforcement={"mode": "shadow"})]

    found = report(change)
    assert "chmod 600" in found["files"][0]["remedy"]
    assert "is in shadow mode" in found["policies"][0]["message"]
    token.write_text("")
    assert failed(report()) == {"files"}


def test_a_bad_configuration_is_all_that_is_reported(report):
    report.proxy.config.write_text("lisen: x\n")
    result = run("doctor", report.proxy.config)
    assert result.returncode == 1
    assert {line.split()[1] for line in result.stdout.splitlines()} == {"config"}
    assert run("doctor", report.proxy.directory / "nowhere.yaml").returncode == 2
