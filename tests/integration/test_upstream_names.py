"""An upstream name with several addresses: each one is tried, and addresses that disappear are no longer
used."""

import shlex
import shutil
import subprocess

import pytest

from harness import eventually, request
from harness.client import once
from harness.metrics import scrape

NAME = "service.test"


class Hosts:
    """A file /etc/hosts for one process alone, in a mount namespace of its own."""

    def __init__(self, directory):
        self.path = directory / "hosts"
        self.prefix = ["unshare", "-rm", "sh", "-c",
                       f'mount --bind {shlex.quote(str(self.path))} /etc/hosts && exec "$0" "$@"']

    def say(self, *addresses):
        # In place: the mount is of the file, not of its name.
        with open(self.path, "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"{a} {NAME}\n" for a in addresses))

    def usable(self):
        """Whether namespaces may be made here, and the resolver gives both addresses of two."""
        if not shutil.which("unshare"):
            return False
        self.say("127.0.0.2", "127.0.0.3")
        found = subprocess.run([*self.prefix, "getent", "ahostsv4", NAME], capture_output=True, text=True)
        return len({line.split()[0] for line in found.stdout.splitlines()}) == 2


@pytest.fixture
def hosts(directory):
    made = Hosts(directory)
    if not made.usable():
        pytest.skip("no mount namespaces here, or a resolver that gives one address of two")
    return made


def send(proxy, key):
    answer = once(proxy.data, request(key=key, body={"n": 1}))
    return answer.status, answer.decision


def failures(proxy):
    return scrape(proxy.telemetry).sum("onceproxy_upstream_lookup_failures_total")


@pytest.mark.parametrize("dead", ["127.0.0.2", "127.0.0.3"])
def test_an_address_where_no_process_listens_is_skipped(stage, hosts, dead):
    alive = {"127.0.0.2": "127.0.0.3", "127.0.0.3": "127.0.0.2"}[dead]
    upstream = stage.upstream(host=alive)
    hosts.say(dead, alive)
    proxy = stage.proxy(f"{NAME}:{upstream.port}", prefix=hosts.prefix)
    assert send(proxy, "a") == (200, "forwarded")
    assert len(upstream.connections) == 1


def test_a_vanished_address_is_left_and_a_failed_lookup_changes_nothing(stage, hosts):
    old = stage.upstream(host="127.0.0.2")
    hosts.say("127.0.0.2")
    proxy = stage.proxy(f"{NAME}:{old.port}", prefix=hosts.prefix)
    assert send(proxy, "a") == (200, "forwarded")
    # The same port at another address; lookups come every ten seconds.
    new = stage.upstream(host="127.0.0.3", listening=False, port=old.port)
    new.listen()
    hosts.say("127.0.0.3")
    # The connection that is kept to the old one lies idle, and is closed for it.
    eventually(lambda: old.connections[0].over.is_set(), "the old connection closed")
    assert send(proxy, "b") == (200, "forwarded")
    assert (old.executions["b"], new.executions["b"]) == (0, 1)
    assert failures(proxy) == 0
    hosts.say()
    eventually(lambda: failures(proxy) > 0, "a lookup that failed")
    assert send(proxy, "c") == (200, "forwarded")
    assert new.executions["c"] == 1
