"""Valid answers of a service, one of each kind that the program treats differently."""

import json
from dataclasses import dataclass

from .connections import Ending, Script
from .requests import TOKEN, chunked

REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 404: "Not Found",
           409: "Conflict", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable"}


@dataclass
class Plan:
    """What the service does with one request: `early` answers before it has read the body."""

    script: Script
    early: bool = False
    websocket: bool = False


def name_of(request):
    """The token of the case that the request seems to belong to."""
    found = TOKEN.search(request.target)
    return found[0] if found else "none"


def switch(generator, request):
    head = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"X-Echo: {name_of(request)}\r\n\r\n")
    return Plan(Script([(head.encode(), 0)], Ending.WAIT), early=generator.random() < 0.5, websocket=True)


def plan(generator, request):
    """A right answer. It says in its head whose it is and which method it answers."""
    if name_of(request) == "none":
        return Plan(Script([(b"HTTP/1.1 200 OK\r\nX-Echo: none\r\nContent-Length: 2\r\n\r\nok", 0)],
                           Ending.WAIT))
    if "websocket" in ",".join(request.all("upgrade")).lower():
        return switch(generator, request)
    status = generator.choice([200] * 12 + [201, 404, 409, 429, 500, 502, 503, 204, 304])
    body = json.dumps({"echo": name_of(request), "pad": "y" * int(generator.expovariate(1 / 300))}).encode()
    if generator.random() < 0.03:
        body = generator.randbytes(100_000) * generator.choice([1, 1, 1, 30])
    minor = 0 if generator.random() < 0.05 else 1
    fields = [f"X-Echo: {name_of(request)}", f"X-Method: {request.method}"]
    way = generator.choice(["length"] * 4 + ["chunked"] * 3 + ["close"])
    sent, ending = body, Ending.WAIT
    if status in (204, 304):
        sent = b""
    elif way == "length":
        fields.append(f"Content-Length: {len(body)}")
    elif way == "chunked" and minor:
        fields.append("Transfer-Encoding: chunked")
        sent = chunked(generator, body)
    else:
        ending = Ending.FINISH
    if request.method == "HEAD":
        sent, ending = b"", Ending.WAIT
    if minor == 0 or generator.random() < 0.1:
        fields.append("Connection: close")
        ending = Ending.FINISH
    if generator.random() < 0.1:
        fields.append(generator.choice(["Set-Cookie: a=b", "Date: Mon, 23 Nov 2026 06:42:36 GMT",
                                        "Keep-Alive: timeout=5", "Onceproxy-Decision: forwarded",
                                        "Content-Type: application/json", "Trailer: X-A"]))
    early = generator.random() < 0.05
    if early:
        fields.append("X-Early: yes")
    generator.shuffle(fields)
    head = "\r\n".join([f"HTTP/1.{minor} {status} {REASONS[status]}", *fields, "", ""]).encode()
    interim = b""
    if generator.random() < 0.08:
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * generator.choice([1, 2])
    return Plan(Script([(interim + head + sent, 0)], ending), early=early)
