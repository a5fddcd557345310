"""The demo: the same traffic straight at a legacy service, and through onceproxy.

    demo.py ONCEPROXY CONFIG

In the middle of its traffic onceproxy is killed with SIGKILL and started again on the same data. After
that rides are declined, and a storm of alerts comes (scenes.py). Last, five listeners are to hear of events,
and one of them fails (fan_out.py).
Ends with a table, and with exit code 1 when a promise was broken.
"""

import collections
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import fan_out
import scenes
import traffic

HERE = pathlib.Path(__file__).parent
RINGS = 10  # the limit of alerts of one name in onceproxy.yaml


class Service:
    """The legacy service as a process, and the effects that it had."""

    def __init__(self, directory):
        self._effects = directory / "effects"
        self._process = subprocess.Popen(
            [sys.executable, HERE / "service.py", self._effects], stdout=subprocess.PIPE, text=True)
        self.address = ("127.0.0.1", int(self._process.stdout.readline()))

    def effects(self):
        """In the order in which they happened."""
        return self._effects.read_text().splitlines()

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Proxy:
    """onceproxy as a process that can be killed and started again."""

    def __init__(self, binary, config, upstream, directory, environment):
        self._command = [binary, "run", "-c", config]
        self._log = directory / "onceproxy.log"
        self._environment = {
            **os.environ,
            "ONCEPROXY_LISTEN": f"127.0.0.1:{free_port()}",
            "ONCEPROXY_UPSTREAM": f"{upstream[0]}:{upstream[1]}",
            "ONCEPROXY_DATA": str(directory / "data"),
            "ONCEPROXY_ADMIN": "127.0.0.1:0",
            "ONCEPROXY_TELEMETRY": "127.0.0.1:0",
            **environment,
        }
        host, port = self._environment["ONCEPROXY_LISTEN"].split(":")
        self.address = (host, int(port))
        self._process = None

    def start(self):
        log = open(self._log, "ab")
        self._process = subprocess.Popen(self._command, env=self._environment, stdout=log,
                                         stderr=subprocess.PIPE)
        log.close()
        lines = []
        for line in self._process.stderr:
            lines.append(line.decode())
            if line.startswith(b"{") and json.loads(line).get("message") == "ready":
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return
        raise SystemExit("onceproxy did not start:\n" + "".join(lines))

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def kill_and_start_again(self):
        self.kill()
        self.start()

    def stop(self):
        """Exit code after SIGTERM."""
        if self._process is None or self._process.poll() is not None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run:
    """One way of sending the traffic, and what came of it."""

    def __init__(self, senders, effects, crew):
        tally = senders.tally
        self.scenes = scenes.Outcome(effects)
        self.scenes.missed = crew.missed()
        wanted = {operation.name for operation in traffic.operations()}
        effects = collections.Counter(effect for effect in effects if effect in wanted)
        self.requests = tally.sent
        self.distinct = len(wanted)
        self.executed = sum(effects.values())
        self.twice = sum(1 for count in effects.values() if count > 1)
        self.in_doubt = len(tally.in_doubt)
        self.lost = len(wanted - effects.keys() - tally.in_doubt)
        self.replayed = tally.decisions["replayed"] + tally.decisions["suppressed"]
        self.refused = tally.sent - tally.failures - tally.answered
        self.broken = tally.failures
        self.unanswered = len(senders.unanswered)
        self.contradictions = sum(len(answers) > 1 for answers in tally.answers.values())


def without(directory):
    directory.mkdir()
    service = Service(directory)
    crew = fan_out.Crew()
    try:
        senders = traffic.Senders(lambda: service.address, retries=False)
        senders.run()
        scenes.play(service.address)
        crew.notify_one_after_the_other()
        return Run(senders, service.effects(), crew)
    finally:
        crew.stop()
        service.stop()


def through(binary, config, directory):
    directory.mkdir()
    service = Service(directory)
    crew = fan_out.Crew()
    proxy = Proxy(binary, config, service.address, directory, crew.environment())
    try:
        proxy.start()
        senders = traffic.Senders(lambda: proxy.address, retries=True)
        senders.run(half_way=proxy.kill_and_start_again)
        scenes.play(proxy.address)
        crew.notify_through(proxy.address)
        code = proxy.stop()
        return Run(senders, service.effects(), crew), code
    finally:
        proxy.stop()
        crew.stop()
        service.stop()


ROWS = [
    ("requests sent (retries included)", "requests"),
    ("distinct operations", "distinct"),
    ("executed by the service", "executed"),
    ("operations executed more than once", "twice"),
    ("duplicates answered from memory", "replayed"),
    ("refused for now (409, 503), tried again", "refused"),
    ("connections broken by the kill -9", "broken"),
    ("in doubt since the kill, held", "in_doubt"),
    ("operations lost", "lost"),
]
SCENES = [
    ("rides dispatched after they were declined", "after_decline"),
    (f"a storm of {scenes.STORM} alerts rang", "rang"),
    (f"{scenes.CRITICAL} critical alerts rang", "critical"),
    ("events missed beside a listener that fails", "missed"),
]


def table(direct, proxied):
    print(f"\n{'':42}{'without':>12}{'onceproxy':>12}")
    for title, name in ROWS:
        print(f"{title:42}{getattr(direct, name):>12}{getattr(proxied, name):>12}")
    print()
    for title, name in SCENES:
        print(f"{title:42}{getattr(direct.scenes, name):>12}{getattr(proxied.scenes, name):>12}")
    print()


def promises(direct, proxied, code):
    """Each promise and whether it was kept."""
    return [
        ("the traffic really holds duplicates", direct.executed > direct.distinct),
        ("nothing was executed twice", proxied.twice == 0),
        ("nothing was lost: done, or its senders were told that it is in doubt", proxied.lost == 0),
        ("in doubt is only what was under way at the kill", proxied.in_doubt <= traffic.SENDERS),
        ("every sender got a final answer", proxied.unanswered == 0),
        ("one operation, one answer", proxied.contradictions == 0),
        ("duplicates were answered from memory", proxied.replayed > 0),
        ("no ride was dispatched after it was declined",
         direct.scenes.after_decline > 0 and proxied.scenes.after_decline == 0),
        ("the storm rang as often as the policy allows", proxied.scenes.rang == RINGS),
        ("every critical alert rang", proxied.scenes.critical == scenes.CRITICAL),
        ("no listener missed an event because another one fails",
         direct.scenes.missed > 0 and proxied.scenes.missed == 0),
        ("after SIGTERM it exited with 0", code == 0),
    ]


def main():
    binary, config = sys.argv[1:3]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    with tempfile.TemporaryDirectory(prefix="onceproxy-demo-") as name:
        directory = pathlib.Path(name)
        print("sending the traffic straight at the service …", flush=True)
        direct = without(directory / "direct")
        print("sending it through onceproxy, with a kill -9 in the middle …", flush=True)
        proxied, code = through(binary, config, directory / "proxied")
    table(direct, proxied)
    kept = promises(direct, proxied, code)
    for promise, is_kept in kept:
        print(f"{'kept  ' if is_kept else 'BROKEN'}  {promise}")
    sys.exit(0 if all(is_kept for _, is_kept in kept) else 1)


if __name__ == "__main__":
    main()
