"""Two scenes of the demo, after its traffic: rides that are declined while they are being offered, and
a storm of alerts from one cause.

Both are about requests that differ, so nothing here is a duplicate.
"""

import concurrent.futures
import http.client
import json

RIDES = 20
MATCHERS = 3  # that offer each ride at the moment it is declined
STORM = 150  # alerts of one cause
CRITICAL = 30
SENDERS = 24


def play(address):
    """Both scenes against whoever listens at `address`; each request is sent once."""
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        rides = [pool.submit(declined_ride, address, f"declined-{n}") for n in range(RIDES)]
        for each in rides:
            each.result()
        list(pool.map(lambda alert: post(address, "/alerts", alert), storm()))


def declined_ride(address, ride):
    """The rider declines while matchers offer the ride; one more of them has not heard of it after."""
    with concurrent.futures.ThreadPoolExecutor(MATCHERS + 1) as pool:
        decline = pool.submit(post, address, f"/v1/rides/{ride}/decline", {"by": "rider"})
        offers = [pool.submit(offer, address, ride, n) for n in range(1, MATCHERS + 1)]
        for each in (decline, *offers):
            each.result()
    offer(address, ride, MATCHERS + 1)


def offer(address, ride, sequence):
    post(address, f"/v1/rides/{ride}/dispatch",
         {"driver_id": f"driver-{sequence}", "sequence": sequence})


def storm():
    for n in range(STORM):
        start = f"2026-01-02T00:{n // 60:02}:{n % 60:02}Z"
        yield {"name": "QueueLag", "starts_at": start, "severity": "page"}
        if n < CRITICAL:
            yield {"name": "Fire", "starts_at": start, "severity": "critical"}


def post(address, path, body):
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Outcome:
    """What the service did, from its list of effects."""

    def __init__(self, effects):
        closed = set()
        self.after_decline = 0
        self.rang = 0
        self.critical = 0
        for effect in effects:
            kind, subject = effect.split()[:2]
            self.after_decline += kind == "dispatch" and subject in closed
            self.rang += effect.startswith("alert QueueLag ")
            self.critical += effect.startswith("alert Fire ")
            if kind == "decline":
                closed.add(subject)
