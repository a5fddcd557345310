"""Reload by SIGHUP, POST /reload or a change of the file: when the file is read, what is reported of it, and which
keys change."""

import json
import os
import signal
import threading

import pytest
import yaml

from harness import eventually, policy, request
from harness.client import once
from harness.reload import SUCCESSFUL, ask, changed, lines, reload, rename_over, wait_for_line

FIXED = {"on_duplicate": {"status": 208}}
SUCCESS_TIME = "onceproxy_config_last_reload_success_timestamp_seconds"


def duplicate_status(proxy, key):
    """What a duplicate of a request gets, which tells the policy's on_duplicate."""
    once(proxy.data, request(key=key))
    return once(proxy.data, request(key=key)).status


def by_signal(proxy):
    proxy.process.send_signal(signal.SIGHUP)


def by_request(proxy):
    assert ask(proxy, "POST", "/reload")[0] == 200


def by_the_file_alone(proxy):
    pass


@pytest.mark.parametrize("trigger", [by_signal, by_request, by_the_file_alone])
def test_every_trigger_loads_the_file_anew(proxy, trigger):
    before = proxy.metrics().sum(SUCCESS_TIME)
    assert duplicate_status(proxy, "k-1") == 200
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    trigger(proxy)
    line = wait_for_line(proxy, "configuration reloaded")
    assert line["changed"] == "policy orders"
    assert duplicate_status(proxy, "k-2") == 208
    metrics = proxy.metrics()
    assert metrics.sum(SUCCESSFUL) == 1
    assert metrics.sum(SUCCESS_TIME) > before


def test_a_config_maps_swapped_link_is_a_change(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    mount = proxy.directory / "mount"

    def version(name, config):
        folder = mount / name
        folder.mkdir(parents=True)
        (folder / "onceproxy.yaml").write_text(yaml.safe_dump(config))
        # As the kubelet does: a new link beside the old one, renamed over it.
        (mount / "..data_tmp").symlink_to(name)
        os.replace(mount / "..data_tmp", mount / "..data")

    version("..2026_01", proxy.settings)
    (mount / "onceproxy.yaml").symlink_to("..data/onceproxy.yaml")
    proxy.config = mount / "onceproxy.yaml"
    proxy.start()
    version("..2026_02", changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert duplicate_status(proxy, "k-1") == 208


def test_a_bad_file_keeps_the_old_one_and_tells_every_error(proxy):
    before = proxy.metrics().sum(SUCCESS_TIME)
    bad = changed(proxy, [policy(**FIXED, lease="soon", colour="red")])
    rename_over(proxy.config, bad)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and answer["status"] == "failed"
    assert [problem["path"] for problem in answer["problems"]] == [
        "policies[0].colour", "policies[0].lease"]
    assert all(problem["line"] > 0 and problem["message"] for problem in answer["problems"])
    wait_for_line(proxy, "configuration not reloaded; the configuration in force is kept")
    logged = lines(proxy, "configuration problem")
    assert [line["path"] for line in logged] == ["policies[0].colour", "policies[0].lease"]
    assert duplicate_status(proxy, "k-1") == 200
    metrics = proxy.metrics()
    assert metrics.sum(SUCCESSFUL) == 0
    assert metrics.sum(SUCCESS_TIME) == before

    # The file's watcher knows that it was read already.
    rename_over(proxy.config, proxy.settings)
    wait_for_line(proxy, "configuration unchanged")
    assert len(lines(proxy, "configuration not reloaded; the configuration in force is kept")) == 1
    assert proxy.metrics().sum(SUCCESSFUL) == 1


def test_the_watcher_reports_an_invalid_file_once(proxy):
    rename_over(proxy.config, "listen: [\n")
    wait_for_line(proxy, "configuration not reloaded; the configuration in force is kept")
    rename_over(proxy.config, "listen: [\n")
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert len(lines(proxy, "configuration not reloaded; the configuration in force is kept")) == 1
    assert duplicate_status(proxy, "k-1") == 208

GONE = "the configuration file is missing or cannot be watched; the configuration in force is kept"


def test_a_missing_file_is_reported_once_and_its_return_is_noticed(proxy):
    os.unlink(proxy.config)
    wait_for_line(proxy, GONE)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and "cannot read" in answer["problems"][0]["message"]
    assert proxy.metrics().sum(SUCCESSFUL) == 0
    rename_over(proxy.config, changed(proxy, [policy(**FIXED)]))
    wait_for_line(proxy, "configuration reloaded")
    assert len(lines(proxy, GONE)) == 1
    assert duplicate_status(proxy, "k-1") == 208
    assert proxy.metrics().sum(SUCCESSFUL) == 1


def test_another_file_of_the_same_content_is_not_reloaded(proxy):
    text = proxy.config.read_text()
    os.unlink(proxy.config)
    wait_for_line(proxy, GONE)
    rename_over(proxy.config, text)
    wait_for_line(proxy, "the configuration file is back with the same content")
    assert lines(proxy, "configuration unchanged") == lines(proxy, "configuration reloaded") == []


def test_an_unchanged_file_says_so(proxy):
    assert ask(proxy, "POST", "/reload") == (
        200, {"status": "unchanged", "changed": [], "kept": []})
    assert ask(proxy, "GET", "/reload")[0] == 405
    proxy.config.write_text("# a comment\n" + proxy.config.read_text())
    assert ask(proxy, "POST", "/reload")[1]["status"] == "unchanged"


def test_keys_that_need_a_restart_are_reported_and_stay(proxy):
    answer = reload(proxy, changed(
        proxy, listen="127.0.0.1:1", workers=1, admin={"listen": "127.0.0.1:2"},
        telemetry={"listen": "127.0.0.1:3"}, limits={"pending": 7},
        store={"clock_ahead_max": "7d",
               "rocksdb": {"path": "/elsewhere", "sync": "none", "max_bytes": "1GiB"}}))
    kept = ["listen", "store.clock_ahead_max", "store.rocksdb.path", "store.rocksdb.sync",
            "store.rocksdb.max_bytes", "admin.listen", "telemetry.listen", "limits.pending",
            "workers"]
    assert answer["kept"] == kept
    wait_for_line(proxy, "configuration reloaded")
    assert [line["key"] for line in lines(proxy, "a changed key waits for a restart")] == kept
    assert ask(proxy, "GET", "/config_dump")[1]["waiting_for_restart"] == kept
    assert once(proxy.data, request(key="k-1")).status == 200
    # The warning is repeated until the change is undone.
    assert reload(proxy, proxy.settings)["kept"] == []


def test_the_log_changes_live(proxy):
    once(proxy.data, request(key="k-1"))
    assert proxy.access_log(1)[0]["status"] == 200
    reload(proxy, changed(proxy, log={"format": "text"}))
    once(proxy.data, request(key="k-1"))
    eventually(lambda: len(proxy.stdout.all()) == 2, "a second line")
    assert not proxy.stdout.all()[1].startswith("{")
    eventually(lambda: not proxy.stderr.all()[-1].startswith("{"), "a line of text in the log")


def test_the_configuration_in_force_is_shown_without_secrets(stage, upstream):
    hosts = policy(match={"headers": {"x-token": "s3cret-1"}})
    proxy = stage.proxy(upstream, [hosts], variables={"TOKEN": "s3cret-2"}, start=False)
    text = proxy.config.read_text() + "log: {level: '${LEVEL:-info}'}\n"
    proxy.config.write_text(text.replace("scope: shared", "scope: [{header: '${TOKEN}'}]"))
    proxy.start()
    status, dump = ask(proxy, "GET", "/config_dump")
    assert status == 200
    assert dump["file"] == str(proxy.config) and dump["waiting_for_restart"] == []
    config = dump["config"]
    assert config["workers"] == 2 and config["log"]["level"] == "info"
    assert config["limits"]["body_bytes"] == "1MiB", "defaults are shown too"
    assert config["policies"][0]["match"]["headers"] == {"x-token": "[redacted]"}
    assert config["policies"][0]["scope"] == [{"header": "[redacted]"}]
    assert "s3cret" not in json.dumps(dump)


def test_a_configuration_that_came_through_a_pipe_cannot_be_read_again(stage, upstream):
    proxy = stage.proxy(upstream, start=False)
    pipe = proxy.directory / "pipe"
    os.mkfifo(pipe)
    text, proxy.config = proxy.config.read_text(), pipe
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    proxy.start()
    writer.join(60)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 500 and "not a regular file" in answer["problems"][0]["message"]
    assert once(proxy.data, request(key="k-1")).status == 200
