"""An upgrade: stores that earlier versions left, recorded in stores/, opened by this program. The clock stands
at the time of the recording, since records expire."""

import shutil
import time

import pytest
import yaml

from harness import Onceproxy, settings
from harness.client import once
from harness.earlier_store import (POLICIES, STORES, Service, alert, decline, dispatch, hook, order, payment,
                                   unpack)
from harness.process import run
from harness.wall_clock import WallClock

NAMES = sorted(path.name.removesuffix(".tar.xz") for path in STORES.glob("*.tar.xz"))


@pytest.fixture(params=NAMES)
def upgraded(request, directory):
    """The program on such a store, and the service that has answered what it remembers."""
    clock = WallClock(directory)
    told = unpack(request.param, directory)
    clock.set(told["recorded"] + 5 - time.time())
    service = Service()
    made = Onceproxy(settings(service.upstream.address, directory / "data", POLICIES), directory,
                     variables=clock.variables)
    made.told, made.service, made.clock = told, service.upstream, clock
    yield made.start()
    if getattr(request.node, "failed", False):
        made.abandon()
    made.close()
    service.upstream.close()


def decision(proxy, data):
    return once(proxy.data, data).decision


def check_remembered(proxy):
    """Nothing that was done before the upgrade is done again."""
    told = proxy.told
    for what, data in (("small", order("small")), ("large", order("large")), ("late", order("late")),
                       ("alert", alert("first"))):
        answer = once(proxy.data, data)
        assert (answer.status, answer.decision, answer.body.decode()) == (201, "replayed", told[what]), what
    assert once(proxy.data, order("small", amount=2)).status == 422
    assert decision(proxy, hook("d-1")) == "suppressed"
    # No answer came, or the process was killed before it did: an operator decides.
    assert {decision(proxy, payment(key)) for key in ("lost", "cut-off")} == {"held"}
    answer = once(proxy.data, dispatch("1", "anna", 7))
    assert (answer.decision, answer.body.decode()) == ("replayed", told["ride 1"])
    assert decision(proxy, dispatch("1", "carl", 6)) == "stale"
    assert decision(proxy, dispatch("2", "carl", 9)) == "closed"
    assert decision(proxy, decline("2")) == "replayed"
    assert decision(proxy, alert("second")) == "rate-limited"
    assert proxy.service.requests == []


def test_an_upgrade_forgets_nothing(upgraded):
    check_remembered(upgraded)
    # From now on records have this version's format. They are found beside the earlier ones.
    assert decision(upgraded, order("new")) == "forwarded"
    assert decision(upgraded, dispatch("1", "dora", 8)) == "forwarded"
    assert min(int(each["onceproxy-fence"]) for each in upgraded.service.requests) > upgraded.told["fence"]
    upgraded.service.requests.clear()
    upgraded.kill9()
    upgraded.restart()
    check_remembered(upgraded)
    assert decision(upgraded, order("new")) == "replayed"
    assert decision(upgraded, dispatch("1", "anna", 7)) == "replayed"


def test_operators_see_and_settle_what_an_earlier_version_wrote(upgraded):
    unknown = upgraded.operator.get("/records?state=unknown")["items"]
    ids = {record["request_id"]: record["fingerprint"] for record in unknown}
    assert "payment-lost" in ids
    status, _ = upgraded.operator.post(f"/records/{ids['payment-lost']}/release")
    assert status == 200
    # Released: the service is asked again, and does not answer again.
    assert once(upgraded.data, payment("lost")).status == 502
    assert upgraded.service.executions["lost"] == 1
    assert upgraded.operator.get("/entities/ride/2")["closed"]
    forwards = upgraded.operator.get("/audit?decision=forwarded&limit=1000")["items"]
    assert {"payment-lost", "payment-cut-off"} <= {item["request_id"] for item in forwards}


def test_what_an_earlier_version_left_is_backed_up_and_restored(upgraded, directory):
    """The way back over a change of the format: the backup that was made before the upgrade."""
    assert upgraded.terminate() == 0
    made = run("backup", directory / "backup", "--offline", "-c", upgraded.config, **upgraded.variables)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(directory / "data")
    restored = run("restore", directory / "backup", "-c", upgraded.config, **upgraded.variables)
    assert restored.returncode == 0, restored.stderr
    upgraded.restart()
    check_remembered(upgraded)


@pytest.mark.parametrize("name", NAMES)
def test_what_another_store_would_not_find_is_not_moved_by_accident(name, directory, database):
    clock = WallClock(directory)
    clock.set(unpack(name, directory)["recorded"] + 5 - time.time())
    files = []
    for what, changes in (("old", {}), ("shared", {"store": database.store()})):
        files.append(directory / f"{what}.yaml")
        files[-1].write_text(yaml.safe_dump(settings("127.0.0.1:1", directory / "data", POLICIES, **changes)))
    move = ("store", "move", "-c", files[0], "--to", files[1])
    for arguments in (move, (*move, "--dry-run")):
        refused = run(*arguments, **clock.variables)
        assert refused.returncode == 1
        assert "--forget-earlier" in refused.stderr and "nothing was moved" in refused.stderr
    assert database.value("SELECT count(*) FROM onceproxy.operations") == "0"
    moved = run(*move, "--forget-earlier", **clock.variables)
    assert moved.returncode == 0 and "are forwarded again" in moved.stderr, moved
    assert int(database.value("SELECT count(*) FROM onceproxy.operations")) > 0


def test_there_are_earlier_stores():
    assert NAMES, "otherwise the tests above would test nothing"
