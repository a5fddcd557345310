"""HTTP/2 frame by frame (RFC 9113): a client that sends exactly what a test says, sound or not."""

import socket
import struct

import hpack

from .metrics import Metrics
from .wait import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x1, 0x7, 0x8, 0xb


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(value):
    return struct.pack(">I", value)


def settings(**values):
    """By number: settings(s4=65535)."""
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", int(name[1:]), value)
                                            for name, value in values.items()))


def message(payload):
    """As gRPC frames it, uncompressed."""
    return b"\0" + number(len(payload)) + payload


class Peer:
    """One connection; `greet` sends the preface and empty SETTINGS."""

    def __init__(self, place, greet=True, context=None):
        if isinstance(place, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(place)
        else:
            self.socket = socket.create_connection(place)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.settimeout(PATIENCE)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.buffer = b""
        self.next_stream = 1
        if greet:
            self.send(PREFACE + settings())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def flood(self, data, times):
        """Sends it again and again, until the server has had enough. True: it had."""
        try:
            for _ in range(times):
                self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    def read(self):
        """(type, flags, stream, payload); None at the end of the connection, orderly or not. The payload
        of HEADERS is its fields."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + self._length():
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.buffer += more
        end = 9 + self._length()
        head, payload, self.buffer = self.buffer[:9], self.buffer[9:end], self.buffer[end:]
        if head[3] == HEADERS:
            payload = dict(self.decoder.decode(payload))
        return head[3], head[4], struct.unpack(">I", head[5:])[0], payload

    def _length(self):
        return int.from_bytes(self.buffer[:3], "big")

    def until(self, kind, flags=0):
        """The next frame of that type with these flags; None where the connection ended without."""
        while (found := self.read()) is not None:
            if found[0] == kind and found[1] & flags == flags:
                return found
        return None

    def goaway(self):
        """The error of the last GOAWAY before the connection ends; None: there was none."""
        error = None
        while (found := self.until(GOAWAY)) is not None:
            error = struct.unpack(">I", found[3][4:8])[0]
        return error

    def synchronize(self):
        """All that was sent has been looked at."""
        self.send(frame(PING, payload=b"synchron"))
        while (found := self.until(PING, ACK)) is not None:
            if found[3] == b"synchron":
                return True
        return False

    def fields(self, path="/http", method="POST", **more):
        return [(":method", method), (":scheme", "http"), (":authority", "test"), (":path", path),
                *((name.replace("_", "-"), value) for name, value in more.items())]

    def open(self, fields=None, flags=END_HEADERS):
        """HEADERS of the next stream, whose number comes back."""
        stream = self.next_stream
        self.next_stream += 2
        self.send(frame(HEADERS, flags, stream, self.encoder.encode(fields or self.fields())))
        return stream

    def request(self, fields=None, body=b""):
        """A whole request and its answer: (status, body, trailers)."""
        stream = self.open(fields)
        for i in range(0, len(body), 16_000):
            self.send(frame(DATA, 0, stream, body[i:i + 16_000]))
        self.send(frame(DATA, END_STREAM, stream))
        return self.answer(stream)

    def answer(self, stream):
        """(fields, body, trailers); fields are None where the stream was reset."""
        head, body, trailers = None, b"", {}
        while (found := self.read()) is not None:
            kind, flags, of, payload = found
            if of != stream:
                continue
            if kind == HEADERS:
                head, trailers = (payload, {}) if head is None else (head, payload)
            if kind == RST_STREAM:
                return None, body, {"error": struct.unpack(">I", payload)[0]}
            if kind == DATA:
                body += payload
                self.send(frame(WINDOW_UPDATE, payload=number(max(len(payload), 1))))
                if not flags & END_STREAM:
                    self.send(frame(WINDOW_UPDATE, 0, stream, number(max(len(payload), 1))))
            if flags & END_STREAM:
                return head, body, trailers
        raise AssertionError("the connection ended before the answer")

    def call(self, method, *messages):
        """A gRPC call: (messages, trailers)."""
        fields = self.fields(f"/test.Echo/{method}", content_type="application/grpc", te="trailers")
        head, body, trailers = self.request(fields, b"".join(map(message, messages)))
        answers = []
        while body:
            length = struct.unpack(">I", body[1:5])[0]
            answers.append(body[5:5 + length])
            body = body[5 + length:]
        return answers, trailers or head

    def metrics(self):
        return Metrics(self.call("Metrics")[0][0].decode())


def metrics_of(place):
    with Peer(place) as peer:
        return peer.metrics()
