"""An upstream that does exactly what a test says, byte for byte, and remembers what it was sent.

A handler is called for every request, on the thread of its connection; by default it answers 200
with the number of the execution. Nothing here is lenient: a request that is not well-formed is a
fault of the proxy and fails the test when the upstream is closed.
"""

import collections
import json
import socket
import threading

from .connection import Connection, Request, read_body
from .message import Incomplete, Malformed, parse_request_head
from .wait import PATIENCE


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, upstream, connection, request, execution):
        self.upstream = upstream
        self.connection = connection
        self.request = request
        self.execution = execution

    def send(self, data):
        self.connection.send(data)

    def answer(self, status=200, body=b"", headers=(), reason="OK", chunked=False):
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
            pairs.append(("Content-Type", "application/json"))
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in pairs]
        bodiless = status in (204, 304) or status < 200
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif not bodiless:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if self.request.method == "HEAD" or bodiless:
            body = b""
        elif chunked:
            half = len(body) // 2 or len(body)
            parts = [part for part in (body[:half], body[half:]) if part]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
        self.send(head + body)

    def body_pieces(self):
        """The body as it comes, for an upstream that streams."""
        return read_body(self.connection, self.request)


def executed(exchange):
    """The default handler."""
    exchange.answer(200, {"execution": exchange.execution})


def executed_after(event):
    """A handler that answers as the default one, once `event` is set."""

    def handler(exchange):
        event.wait()
        executed(exchange)

    return handler


class Upstream:
    """`handler(exchange)` answers; `key(request)` names what `executions` counts by.

    `streams`: the handler reads the body itself. `accepts`: is called with each new connection
    before anything is read; False means that it has dealt with the connection. `path`: a unix
    socket instead of a port. `nagle`: the kernel holds small writes back while earlier ones are not
    acknowledged, as it does where a service says nothing about it. A client that expects it is told to continue before its body is read.
    """

    def __init__(self, handler=executed, key=None, streams=False, accepts=None, listening=True,
                 path=None, host="127.0.0.1", port=0, nagle=False):
        self.handler = handler
        self.key = key or (lambda request: request["idempotency-key"] or request.target)
        self.streams = streams
        self.accepts = accepts
        self.requests = []
        self.connections = []
        self.executions = collections.Counter()
        self.faults = []
        self._executed = 0
        self._changed = threading.Condition()
        self._listener = None
        self._port = port
        self._path = path
        self._host = host
        self._nagle = nagle
        self._bind()
        if listening:
            self.listen()

    def _bind(self):
        if self._path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self._path))
            return
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self._host, self._port))
        self._port = self._listener.getsockname()[1]

    @property
    def address(self):
        return f"unix:{self._path}" if self._path else f"{self._host}:{self._port}"

    @property
    def port(self):
        return self._port

    @property
    def bytes_received(self):
        return sum(connection.count for connection in list(self.connections))

    def listen(self):
        """From here on connections are accepted; before, they are refused."""
        self._listener.listen(1024)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def go_down(self):
        """Closes every connection and refuses new ones; listen() comes back on the same port."""
        self._close_listener()
        for connection in list(self.connections):
            connection.close()
        self._bind()

    def _close_listener(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def close(self):
        self._close_listener()
        for connection in list(self.connections):
            connection.close()
        assert not self.faults, f"the proxy sent what is no HTTP: {self.faults}"

    def wait_for_requests(self, count, within=PATIENCE):
        """The requests read so far, once there are `count`."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.requests) >= count, within)
            assert enough, f"{len(self.requests)} of {count} requests came within {within:g} s"
            return list(self.requests)

    def wait_for_connections(self, count, within=PATIENCE):
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.connections) >= count, within)
            assert enough, f"{len(self.connections)} of {count} connections within {within:g} s"
            return list(self.connections)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if not self._path and not self._nagle:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
            with self._changed:
                self.connections.append(connection)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.accepts and self.accepts(connection) is False:
                return
            while not connection.over.is_set() and self._exchange(connection):
                pass
        except Incomplete:
            pass  # the proxy broke off; whether it may is for the test to say
        except Malformed as fault:
            self.faults.append(str(fault))
        except OSError:
            pass
        finally:
            connection.over.set()
            if not connection.socket._closed:
                connection.socket.close()

    def _exchange(self, connection):
        request = self._read_head(connection)
        if request is None:
            return False
        if (request["expect"] or "").lower() == "100-continue":
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self.streams:
            request.body = b"".join(read_body(connection, request))
        with self._changed:
            self.requests.append(request)
            self.executions[self.key(request)] += 1
            self._executed += 1
            execution = self._executed
            self._changed.notify_all()
        self.handler(Exchange(self, connection, request, execution))
        return True

    def _read_head(self, connection):
        buffer = bytearray()
        while True:
            try:
                method, target, minor, headers, size = parse_request_head(buffer)
                break
            except Incomplete:
                data = connection.receive()
                if not data:
                    return None
                buffer += data
        connection.push_back(bytes(buffer[size:]))
        return Request(method, target, minor, headers, bytes(buffer[:size]), connection=connection)
