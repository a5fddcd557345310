"""The senders of the demo: matchers that dispatch rides, monitors that raise alerts.

Like real ones they repeat themselves. Every operation is sent by several senders at once, and again
a little later, and whoever gets no answer or is told to come back tries again for a while.
"""

import collections
import concurrent.futures
import http.client
import json
import random
import threading
import time

OPERATIONS = 120
COPIES_AT_ONCE = 3
SENDERS = 24
PATIENCE = 30.0  # seconds that a sender goes on trying
GIVE_UP = 60  # seconds of Retry-After that mean: not by waiting

Operation = collections.namedtuple("Operation", "name path body")


def operations():
    """Distinct things to do: two thirds dispatches, one third alerts."""
    for n in range(OPERATIONS):
        if n % 3:
            ride, driver = f"ride-{n}", f"driver-{n % 17}"
            yield Operation(f"dispatch {ride} {driver} 1", f"/v1/rides/{ride}/dispatch",
                            {"driver_id": driver, "sequence": 1})
        else:
            start = f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z"
            yield Operation(f"alert Alert{n} {start}", "/alerts",
                            {"name": f"Alert{n}", "starts_at": start, "severity": "page"})


class Tally:
    """What the senders saw, counted by request and by operation."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = 0
        self.decisions = collections.Counter()
        self.failures = 0
        self.answers = collections.defaultdict(set)  # operation: what it was answered
        self.answered = 0
        self.in_doubt = set()  # operations that wait for an operator

    def add(self, operation, decision, body):
        with self.lock:
            self.sent += 1
            self.decisions[decision] += 1
            if decision in ("forwarded", "replayed", "suppressed", "direct"):
                self.answered += 1
            if decision in ("forwarded", "replayed", "direct"):
                self.answers[operation.name].add(body)

    def add_failure(self):
        with self.lock:
            self.sent += 1
            self.failures += 1


class Senders:
    """Sends every operation the same number of times to wherever `address()` is at that moment."""

    def __init__(self, address, retries):
        self.address = address
        self.retries = retries
        self.tally = Tally()
        self.unanswered = []

    def send(self, operation):
        """One sender with one copy: once, or until it is answered for good."""
        deadline = time.monotonic() + PATIENCE
        while not self.try_once(operation):
            if not self.retries:
                return
            if time.monotonic() > deadline:
                self.unanswered.append(operation.name)
                return
            time.sleep(0.2)  # impatient: onceproxy asks for a second

    def try_once(self, operation):
        """True when no further try is needed."""
        connection = http.client.HTTPConnection(*self.address(), timeout=10)
        try:
            connection.request("POST", operation.path, json.dumps(operation.body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self.tally.add_failure()
            return False
        finally:
            connection.close()
        decision = response.headers.get("Onceproxy-Decision", "direct")
        self.tally.add(operation, decision, body)
        if decision == "held" and int(response.headers["Retry-After"]) >= GIVE_UP:
            self.tally.in_doubt.add(operation.name)
            return True
        return response.status < 300

    def run(self, half_way=None):
        """Everything, senders mixed; `half_way` is called in the middle of it."""
        everything = list(operations())
        copies = [op for op in everything for _ in range(COPIES_AT_ONCE)]
        # Copies of one operation stay near each other, so that they really are concurrent.
        mixed = random.Random(7)
        order = sorted(range(len(copies)), key=lambda at: (at // SENDERS, mixed.random()))
        middle = threading.Thread(target=half_way) if half_way else None
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
            for done, _ in enumerate(pool.map(self.send, (copies[at] for at in order))):
                if middle and done == len(order) // 2:
                    middle.start()
        if middle:
            middle.join()
        # And everything once more, later: what was done is still remembered.
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self.send, everything))
