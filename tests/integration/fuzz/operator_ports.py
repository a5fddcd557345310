"""Cases for the admin port and the telemetry port."""

import json

from harness.message import Malformed

from .client import play
from .connections import Ending, Script, in_pieces
from .mutation import mutate
from .reading import read_answers

FINGERPRINT = "189ceb19cfeafb3ceeccb8e124ea24d186ba43fe076999c304dbc07ac210e744"
# Nothing here ends the program or closes its ports.
ADMIN = [
    ("GET", "/"), ("GET", "/help"), ("GET", "/ready"), ("GET", "/server_info"), ("GET", "/stats"),
    ("GET", "/stats/prometheus"), ("GET", "/metrics"), ("GET", "/config_dump"), ("GET", "/clusters"),
    ("GET", "/listeners"), ("GET", "/memory"), ("HEAD", "/stats"), ("GET", "/policies"),
    ("GET", "/records"), ("GET", "/records?policy=orders&state=unknown&limit=5"),
    ("GET", "/records?limit=1&cursor=" + FINGERPRINT), ("GET", f"/records/{FINGERPRINT}"),
    ("POST", f"/records/{FINGERPRINT}/release"), ("POST", f"/records/{FINGERPRINT}/resolve"),
    ("DELETE", f"/records/{FINGERPRINT}"), ("GET", "/entities/ride/r1"), ("GET", "/entities/ride/a%2Fb/c"),
    ("POST", "/entities/ride/r1/open"), ("GET", "/audit"), ("GET", "/audit?since=1h&policy=orders&limit=3"),
    ("GET", "/audit?decision=forwarded&fingerprint=" + FINGERPRINT),
    ("POST", "/logging?level=error"), ("POST", "/reset_counters"), ("POST", "/healthcheck/ok"),
    ("PATCH", "/policies/orders/enforcement"), ("POST", "/reload"),
]
TELEMETRY = [("GET", "/metrics"), ("GET", "/ready"), ("GET", "/live"), ("HEAD", "/ready"), ("POST", "/live")]


def make(generator, endpoints):
    method, target = generator.choice(endpoints)
    fields = ["Host: localhost"]
    body = b""
    if method == "PATCH":
        body = json.dumps({"mode": generator.choice(["shadow", "enforce", "off"]), "percent": 50}).encode()
    if body or method == "POST":
        fields.append(f"Content-Length: {len(body)}")
    if generator.random() < 0.2:
        fields.append(generator.choice(["Connection: close", "Origin: http://evil.example", "Accept: */*",
                                        "Authorization: Bearer x", "Expect: 100-continue"]))
    return "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""]).encode() + body


def case(addresses):
    """`addresses`: (admin, telemetry)."""

    async def run(campaign, generator, number):
        port = generator.randrange(2)
        count = generator.choice([1, 1, 2, 4])
        data = b"".join(make(generator, (ADMIN, TELEMETRY)[port]) for _ in range(count))
        if generator.random() < 0.85:
            data = mutate(generator, data)
        # The ports keep a silent connection for minutes, so this side always says when it is done.
        ending = generator.choice([Ending.FINISH] * 4 + [Ending.CLOSE, Ending.RESET])
        played = await play(addresses[port], Script(in_pieces(generator, data), ending))
        if played.end == "open":
            campaign.fault("the connection was not closed", data, played.data, case=number)
        try:
            found, _ = read_answers(played.data, played.end == "closed", b"HEAD " in data)
            for answer in found:
                if answer["content-type"] == "application/json" and answer.body:
                    answer.json
        except (Malformed, ValueError) as error:
            campaign.fault(f"answered with what is no HTTP: {error}", data, played.data, case=number)

    return run
