"""Valid requests, one of each kind that the data port treats differently."""

import gzip
import json
import random
import re
from dataclasses import dataclass

TOKEN = re.compile(r"[0-9]+\.[0-9]+\.[0-9a-f]{8}")

REPLAYED = 4096  # bytes of an answer that are kept
# What covers them: by the client's key, by fields of the body with turns and waiting, and in shadow.
POLICIES = [
    {"name": "orders", "match": {"methods": ["POST", "PUT"], "path": "/orders/**"},
     "fingerprint": "client_key", "scope": "shared", "lease": "1h",
     "replay": {"max_body": REPLAYED}},
    {"name": "rides", "scope": "shared", "lease": "1h", "on_missing": "pass",
     "match": {"methods": ["POST"], "path": "/rides/{ride}",
               "where": [{"body": "/type", "equals": "dispatch"}]},
     "fingerprint": [{"path": "ride"}, {"body": "/id"}],
     "entity": {"type": "ride", "id": [{"path": "ride"}], "wait": "1s"},
     "in_flight": {"action": "wait", "timeout": "1s"}},
    {"name": "watched", "match": {"methods": ["POST"], "path": "/watched/**"},
     "fingerprint": "client_key", "scope": "shared", "enforcement": {"mode": "shadow"}},
]


@dataclass
class Request:
    method: str
    target: str
    token: str       # case, place in the connection, and a word that no other case can guess
    data: bytes
    body: bytes = b""
    minor: int = 1
    websocket: bool = False
    last: bool = False  # the connection ends behind it
    covered: bool = False  # by a policy that enforces


def token(seed, case, place):
    return f"{case}.{place}.{random.Random(f'token-{seed}-{case}-{place}').getrandbits(32):08x}"


def chunked(generator, body, decorated=True):
    """`body` in chunks, now and then with extensions and a trailer."""
    out, at = b"", 0
    while at < len(body):
        size = min(len(body) - at, generator.choice([1, 5, 100, 4000, 70_000]))
        extension = b";a=b;c" if decorated and generator.random() < 0.1 else b""
        text = b"%x" if generator.random() < 0.5 else b"%04X"
        out += text % size + extension + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    trailer = b"X-Trailer: t\r\n" if decorated and generator.random() < 0.1 else b""
    return out + b"0\r\n" + trailer + b"\r\n"


def _body(generator, name):
    """(Content-Type and the like, bytes)."""
    kind = generator.randrange(8)
    document = {"type": "dispatch", "id": name, "pad": "x" * int(generator.expovariate(1 / 200))}
    if kind < 4:
        return ["Content-Type: application/json"], json.dumps(document).encode()
    if kind == 4:
        packed = gzip.compress(json.dumps(document).encode(), mtime=0)
        return ["Content-Type: application/json", "Content-Encoding: gzip"], packed
    if kind == 5:
        return ["Content-Type: application/x-www-form-urlencoded"], f"type=dispatch&id={name}".encode()
    if kind == 6:
        return [], generator.randbytes(int(generator.expovariate(1 / 3000)))
    return ["Content-Type: text/plain"], b""


def make(generator, name):
    """A request that carries `name`, and that gets one answer from the service."""
    where = generator.choice(["free", "free", "orders", "orders", "rides", "watched"])
    target = f"/{where}/{name}"
    minor = 0 if generator.random() < 0.05 else 1
    fields, body = [], b""
    if where == "free":
        method = generator.choice(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "M-SEARCH"])
    else:
        method = "POST"
        if generator.random() < 0.8 or where != "rides":
            fields.append(f"Idempotency-Key: {generator.choice(['%s', chr(34) + '%s' + chr(34)]) % name}")
    if method in ("POST", "PUT"):
        more, body = _body(generator, name)
        fields += more
        if minor and generator.random() < 0.3:
            fields.append("Transfer-Encoding: chunked")
            sent = chunked(generator, body)
        else:
            fields.append(f"Content-Length: {len(body)}")
            sent = body
        if minor and generator.random() < 0.1:
            fields.append("Expect: 100-continue")
    else:
        sent = b""
    if generator.random() < 0.2:
        fields.append(generator.choice(["TE: trailers", "Accept: */*", "Cookie: a=b", "Keep-Alive: timeout=5",
                                        "X-Forwarded-For: 1.2.3.4", "Upgrade: h2c",
                                        "Authorization: Basic eA=="]))
        if fields[-1].startswith("Upgrade"):
            fields.append("Connection: Upgrade")
    made = _written(generator, method, target, name, minor, fields, body, sent)
    made.covered = where == "orders" or where == "rides" and "Content-Type: application/json" in fields
    return made


def make_websocket(generator, name, body=b""):
    """With a body it is refused."""
    fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    if body:
        fields.append(f"Content-Length: {len(body)}")
    made = _written(generator, "GET", f"/free/{name}", name, 1, fields, body, body)
    made.websocket = made.last = True
    return made


def _written(generator, method, target, name, minor, fields, body, sent):
    if generator.random() < 0.1:
        target += "?q=%20a&b"
    host = "shop.example"
    line = f"http://{host}{target}" if generator.random() < 0.05 else target
    last = minor == 0
    if minor and generator.random() < 0.1 and not any(f.startswith("Connection") for f in fields):
        fields.append("Connection: close")
        last = True
    generator.shuffle(fields)
    head = "\r\n".join([f"{method} {line} HTTP/1.{minor}", f"Host: {host}", *fields, "", ""])
    return Request(method, target, name, head.encode() + sent, body, minor, last=last)


def pipeline(generator, seed, case):
    """One connection's requests: several behind each other, perhaps a WebSocket at its end."""
    count = generator.choice([1, 1, 1, 2, 3, 5])
    made = []
    for place in range(count):
        made.append(make(generator, token(seed, case, place)))
        if made[-1].last:
            return made
    if generator.random() < 0.1:
        made.append(make_websocket(generator, token(seed, case, count)))
    return made


def make_order(name):
    """A plain request that the policy "orders" covers."""
    data = (f"POST /orders/{name} HTTP/1.1\r\nHost: shop.example\r\nIdempotency-Key: {name}\r\n"
            "Content-Length: 0\r\n\r\n").encode()
    return Request("POST", f"/orders/{name}", name, data)
