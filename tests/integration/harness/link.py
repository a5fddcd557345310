"""A network between a client and a server that a test can stall and cut: bytes of TCP connections to
`address` are passed on to the target and back."""

import socket
import struct
import threading

from .wait import PATIENCE

READ = 64 * 1024
# Closing such a socket resets its connection.
ABORT = struct.pack("ii", 1, 0)


class Link:
    """Listens on a port of the loopback. `target` is (host, port), and may change at any time."""

    def __init__(self, target):
        self.target = target
        self.connections = 0  # that were accepted
        self.delay = 0.0  # seconds by which what is passed on is late, each way
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self._listener.getsockname()
        self._lock = threading.Lock()
        self._pairs = set()
        self._flows = threading.Event()
        self._flows.set()
        self._cut = self._closing = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def stall(self):
        """Nothing is passed on any more, and no connection ends. What was read and not yet passed on
        is kept; drop() and cut() throw it away."""
        self._flows.clear()

    def swallow(self):
        """What the connections of now carry is acknowledged and goes nowhere; new ones are as ever."""
        with self._lock:
            for pair in self._pairs:
                pair.swallows = True

    def drop(self):
        """Every connection is reset; new ones are made."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()

    def cut(self):
        """Every connection is reset, and new ones are reset at once."""
        self._cut = True
        self.drop()

    def mend(self):
        self._cut = False
        self._flows.set()

    def close(self):
        self._closing = True
        # Closing a listener does not wake up who waits for it; shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.drop()
        self._flows.set()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._closing or self._cut:
                _abort(client)
                continue
            self.connections += 1
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        self._flows.wait()
        try:
            server = socket.create_connection(self.target, timeout=PATIENCE)
        except OSError:
            _abort(client)
            return
        pair = _Pair(self, client, server)
        with self._lock:
            self._pairs.add(pair)
        if self._cut or self._closing:
            pair.reset()
        pair.run()
        with self._lock:
            self._pairs.discard(pair)


class _Pair:
    """One connection of a client, and the one to the server that it became."""

    def __init__(self, link, client, server):
        self.link = link
        self.sockets = (client, server)
        self.broken = self.swallows = False
        for each in self.sockets:
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self):
        """Until both directions have ended."""
        back = threading.Thread(target=self._pass_on, args=self.sockets[::-1], daemon=True)
        back.start()
        self._pass_on(*self.sockets)
        back.join()
        for each in self.sockets:
            _abort(each) if self.broken else each.close()

    def reset(self):
        """Ends both directions; run() closes what is left."""
        self.broken = True
        for each in self.sockets:
            try:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone already

    def _pass_on(self, source, target):
        try:
            while data := source.recv(READ):
                self._wait()
                threading.Event().wait(self.link.delay)
                if not self.swallows:
                    target.sendall(data)
            self._wait()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset()

    def _wait(self):
        """While the link is stalled. Raises where the connection was reset meanwhile."""
        while not self.link._flows.wait(0.05):
            if self.broken:
                break
        if self.broken:
            raise ConnectionResetError


def _abort(one):
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    except OSError:
        pass
    one.close()
