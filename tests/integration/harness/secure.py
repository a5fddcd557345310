"""TLS in memory, for a test that decides itself what the socket gets and when: Python's own TLS
sockets can neither half-close nor leave without close_notify."""

import socket
import ssl

from .wait import PATIENCE


class SecureClient:
    """A client's connection. `receive()` gives b"" at close_notify and None at a bare end."""

    def __init__(self, address, context, name="localhost", session=None):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name,
                                    session=session)
        self._drive(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def _drive(self, step):
        """Calls `step` until it needs nothing more from the socket."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(65536)
                if not data:
                    return None
                self.incoming.write(data)
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLSyscallError):
                self._flush()
                return b""
            self._flush()
            return result

    def send(self, data):
        self.tls.write(data)
        self._flush()

    def receive(self):
        return self._drive(lambda: self.tls.read(65536))

    def finish(self):
        """close_notify, and the other direction goes on."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def all(self):
        """Everything up to the end, and whether it ended with close_notify."""
        out = b""
        while True:
            data = self.receive()
            if not data:
                return out, data == b""
            out += data
