"""Clients that send exact bytes: one connection, or a crowd of them at once."""

import asyncio
import socket
import ssl
import time

from .message import Incomplete, parse_response, request
from .wait import PATIENCE

READ = 256 * 1024


class BrokenOff(Exception):
    """The connection ended inside an answer, or before one. `data` is what came."""

    def __init__(self, data):
        super().__init__(f"connection ended after {len(data)} bytes: {bytes(data[:400])!r}")
        self.data = bytes(data)


class Client:
    """One connection; with a `context` through TLS. Not thread-safe."""

    def __init__(self, address, timeout=PATIENCE, context=None, name="localhost"):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        if context:
            try:
                self.socket = context.wrap_socket(self.socket, server_hostname=name,
                                                  suppress_ragged_eofs=False)
            except OSError:
                self.socket.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """All of `data`; a peer that has answered and closed already is no error."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """Nothing more will be sent; answers can still come."""
        self.socket.shutdown(socket.SHUT_WR)

    @property
    def secure(self):
        """What TLS came to; None where it is plain."""
        return self.socket if isinstance(self.socket, ssl.SSLSocket) else None

    def receive(self):
        """Whatever comes next, at least a byte, into `buffer`; False at the end."""
        try:
            data = self.socket.recv(READ)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def read(self, method="GET"):
        """The next answer to a request of that method."""
        while True:
            try:
                response, used = parse_response(self.buffer, method)
            except Incomplete:
                if self.receive():
                    continue
                try:
                    response, used = parse_response(self.buffer, method, closed=True)
                except Incomplete:
                    raise BrokenOff(self.buffer) from None
            del self.buffer[:used]
            return response

    def exchange(self, data, method=None):
        """Sends a request's bytes and reads its answer."""
        self.send(data)
        return self.read(method or data.split(b" ", 1)[0].decode("latin-1"))

    def call(self, *args, **kwargs):
        """The same for a request that `request()` makes of the arguments."""
        return self.exchange(request(*args, **kwargs))

    def ends(self):
        """Waits for the peer to close; whatever came before that."""
        while self.receive():
            pass
        return bytes(self.buffer)


def once(address, data, method=None, timeout=PATIENCE):
    """One request on a connection of its own."""
    with Client(address, timeout) as client:
        return client.exchange(data, method)


async def _answer(reader, writer, data, method, after):
    buffer = bytearray()
    try:
        await asyncio.sleep(after)
        writer.write(data)
        while True:
            try:
                response = parse_response(buffer, method)[0]
                response.at = time.monotonic()
                return response
            except Incomplete:
                pass
            got = await reader.read(READ)
            if not got:
                return parse_response(buffer, method, closed=True)[0]
            buffer += got
    except (ConnectionError, Incomplete) as error:
        return error
    finally:
        writer.close()


async def _crowd(address, requests, delays):
    streams = await asyncio.gather(*(asyncio.open_connection(*address) for _ in requests))
    answers = asyncio.gather(
        *(
            _answer(*stream, data, data.split(b" ", 1)[0].decode(), after)
            for stream, data, after in zip(streams, requests, delays or [0] * len(requests))
        )
    )
    return await asyncio.wait_for(answers, PATIENCE)


def crowd(address, requests, delays=None) -> list:
    """Sends every request at once, each on its own connection; the answers in the same order.

    `delays`: how many seconds after the others each is sent, to mix up who is first. An answer's
    `at` is when it was there. A connection that broke gives its error instead of an answer.
    """
    return asyncio.run(_crowd(address, requests, delays))


__all__ = ["BrokenOff", "Client", "crowd", "once"]
