"""Configurations that a test changes, and what the program says of a reload."""

import http.client
import json
import os

import yaml

from . import eventually
from .config import merge

SUCCESSFUL = "onceproxy_config_last_reload_successful"


def ask(proxy, method, path, body=None):
    """Status and JSON of an answer of the admin port."""
    connection = http.client.HTTPConnection(*proxy.admin, timeout=30)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, body=data if data or method == "GET" else b"")
        response = connection.getresponse()
        text = response.read().decode()
        as_json = response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(text) if as_json else text
    finally:
        connection.close()


def changed(proxy, policies=None, **changes):
    """The proxy's configuration with changes."""
    config = merge(proxy.settings, changes)
    if policies is not None:
        config["policies"] = policies
    return config


def rename_over(path, config):
    """Writes a file as careful programs do."""
    fresh = path.with_suffix(".new")
    fresh.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    os.replace(fresh, path)


def lines(proxy, message):
    return [line for line in proxy.stderr.json() if line["message"] == message]


def wait_for_line(proxy, message, count=1):
    return eventually(lambda: lines(proxy, message)[count - 1 : count], f"{message!r} in the log")[0]


def reload(proxy, config):
    """By POST, which answers when the file is in force."""
    rename_over(proxy.config, config)
    status, answer = ask(proxy, "POST", "/reload")
    assert status == 200, answer
    return answer
