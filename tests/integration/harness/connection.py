"""The service's end of a connection: what the proxy sent on it, parsed strictly."""

import re
import socket
import struct
import threading
from dataclasses import dataclass, field

from .message import Fields, Incomplete, Malformed, framing
from .wait import PATIENCE

READ = 256 * 1024
KEPT = 4 * 1024 * 1024  # bytes of a connection that are kept for a test to look at


@dataclass
class Request(Fields):
    method: str
    target: str
    minor: int
    headers: list
    head: bytes
    body: bytes = b""
    body_size: int = 0
    chunked: bool = False
    connection: "Connection" = field(default=None, repr=False)


class Connection:
    """One connection from the proxy."""

    def __init__(self, sock):
        self.socket = sock
        self.kept = bytearray()
        self.count = 0
        self.over = threading.Event()
        self._ahead = bytearray()

    def receive(self):
        """Some bytes; none at the end."""
        if self._ahead:
            data, self._ahead = bytes(self._ahead), bytearray()
            return data
        try:
            data = self.socket.recv(READ)
        except OSError:
            data = b""
        self.count += len(data)
        if len(self.kept) < KEPT:
            self.kept += data
        if not data:
            self.over.set()
        return data

    def push_back(self, data):
        self._ahead = bytearray(data) + self._ahead

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        """A FIN after everything sent, even with bytes unread."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.over.set()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.over.set()

    def closed_by_proxy(self, within=PATIENCE):
        """Waits for the proxy to close this connection (its own thread must be reading it)."""
        return self.over.wait(within)


def read_body(connection, request):
    """The body of `request`, piece by piece as it comes."""
    kind, length = framing(request.headers)
    request.chunked = kind == "chunked"
    if kind == "length":
        while length:
            data = connection.receive()
            if not data:
                raise Incomplete
            connection.push_back(data[length:])
            data = data[:length]
            length -= len(data)
            request.body_size += len(data)
            yield data
    elif kind == "chunked":
        buffer = bytearray()
        while True:
            while b"\r\n" not in buffer:
                data = connection.receive()
                if not data:
                    raise Incomplete
                buffer += data
            line, _, rest = bytes(buffer).partition(b"\r\n")
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
                raise Malformed(f"chunk size {line!r}")
            size, buffer = int(line, 16), bytearray(rest)
            while len(buffer) < size + 2:
                data = connection.receive()
                if not data:
                    raise Incomplete
                buffer += data
            if buffer[size : size + 2] != b"\r\n":
                raise Malformed("a chunk without its end, or a trailer")
            piece = bytes(buffer[:size])
            del buffer[: size + 2]
            if not size:
                connection.push_back(bytes(buffer))
                return
            request.body_size += size
            yield piece
