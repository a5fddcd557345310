"""HTTP/1.1 messages: building requests byte by byte, and reading responses more strictly than any
client does, so that a malformed answer cannot pass unseen."""

import json
import re
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
REQUEST_LINE = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.([01])")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")


class Incomplete(Exception):
    """More bytes are needed."""


class Malformed(AssertionError):
    """No HTTP, whatever follows."""


class Fields:
    """The fields of a message with `headers`, whose names are alike in any case."""

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name):
        """The field's value; None without one. A field sent twice is an error here."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} sent {len(values)} times"
        return values[0] if values else None


@dataclass
class Response(Fields):
    status: int
    reason: str
    minor: int
    headers: list
    body: bytes
    framing: str  # none | length | chunked | close
    interim: list = field(default_factory=list)  # (status, headers) of the 1xx before it
    raw: bytes = b""
    at: float = 0.0  # time.monotonic() when it was there, where the client notes it

    @property
    def decision(self):
        return self["onceproxy-decision"]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The name of the RFC 9457 problem that this is."""
        assert self["content-type"] == "application/problem+json", self
        document = self.json
        assert document["status"] == self.status
        assert document["title"] and document["detail"]
        prefix = "urn:onceproxy:problem:"
        assert document["type"].startswith(prefix), document
        return document["type"][len(prefix):]

    @property
    def closes(self):
        tokens = [t.strip().lower() for v in self.all("connection") for t in v.split(",")]
        return "close" in tokens or (self.minor == 0 and "keep-alive" not in tokens)


def request(method="POST", target="/orders", headers=(), body=b"", key=None, host="shop.example"):
    """A request's bytes. `headers` are (name, value) pairs, or a dictionary."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
        pairs.insert(0, ("Content-Type", "application/json"))
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    lines += [f"{name}: {value}" for name, value in pairs]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def parse_head(data):
    """(start line, headers, length) of the head that `data` begins with."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise Incomplete
    start, *lines = bytes(data[:end]).split(b"\r\n")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            raise Malformed(f"field name in {line!r}")
        if not FIELD_VALUE.fullmatch(value):
            raise Malformed(f"field value in {line!r}")
        headers.append((name.decode(), value.strip(b" \t").decode("latin-1")))
    return start, headers, end + 4


def parse_request_head(data):
    """(method, target, minor version, headers, length) of the request that `data` begins with."""
    start, headers, size = parse_head(data)
    match = REQUEST_LINE.fullmatch(start)
    if not match:
        raise Malformed(f"request line {start!r}")
    if len([1 for name, _ in headers if name.lower() == "host"]) != 1:
        raise Malformed(f"Host in {headers}")
    return match[1].decode(), match[2].decode(), int(match[3]), headers, size


def framing(headers):
    """("chunked", None), ("length", n) or (None, None); anything dubious is Malformed."""
    lengths = [v for k, v in headers if k.lower() == "content-length"]
    codings = [v for k, v in headers if k.lower() == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Malformed(f"lengths {lengths}, transfer codings {codings}")
    if codings:
        if codings[0].lower() != "chunked":
            raise Malformed(f"transfer coding {codings[0]!r}")
        return "chunked", None
    if lengths:
        if not re.fullmatch(r"[0-9]+", lengths[0]):
            raise Malformed(f"content length {lengths[0]!r}")
        return "length", int(lengths[0])
    return None, None


def parse_chunked(data, at):
    """(body, end) of a chunked body that begins at `at`: no extensions, no trailers."""
    body = bytearray()
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            raise Incomplete
        line = bytes(data[at:end])
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
            raise Malformed(f"chunk size {line!r}")
        size, at = int(line, 16), end + 2
        if len(data) < at + size + 2:
            raise Incomplete
        if data[at + size : at + size + 2] != b"\r\n":
            raise Malformed("no CRLF after a chunk" if size else "a trailer")
        if size == 0:
            return bytes(body), at + 2
        body += data[at : at + size]
        at += size + 2


def parse_response(data, method="GET", closed=False):
    """(response, bytes used), the interim answers before it included.

    `closed`: the peer sends no more, so a body without a declared length ends here.
    """
    interim, begin = [], 0
    while True:
        start, headers, size = parse_head(data[begin:])
        match = STATUS_LINE.fullmatch(start)
        if not match:
            raise Malformed(f"status line {start!r}")
        status, at = int(match[2]), begin + size
        if 100 <= status < 200 and status != 101:
            interim.append((status, headers))
            begin = at
            continue
        break
    kind, length = framing(headers)
    if kind == "chunked" and match[1] == b"0":
        raise Malformed("chunked under HTTP/1.0")  # RFC 9112 6.1
    if method == "HEAD" or status in (204, 304, 101):
        if status in (204, 101) and kind:
            raise Malformed(f"a {status} that declares a body")
        body, kind = b"", "none"
    elif kind == "chunked":
        body, at = parse_chunked(data, at)
    elif kind == "length":
        if len(data) < at + length:
            raise Incomplete
        body, at = bytes(data[at : at + length]), at + length
    else:
        if not closed:
            raise Incomplete
        body, at, kind = bytes(data[at:]), len(data), "close"
    return (
        Response(status, match[3].decode("latin-1"), int(match[1]), headers, body, kind, interim,
                 bytes(data[begin:at])),
        at,
    )
