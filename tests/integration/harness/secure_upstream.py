"""An upstream that speaks TLS, and the program in front of it."""

import contextlib
import socket
import threading


class SecureUpstream:
    """Speaks TLS and answers as `answer(socket, number)` says, request after request."""

    def __init__(self, context, answer=None):
        self.context, self.answer = context, answer or whole
        self.connections = self.requests = 0
        self.names, self.resumed, self.faults = [], [], []
        self.heads = []
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    address = property(lambda self: f"localhost:{self.listener.getsockname()[1]}")

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        self.connections += 1
        try:
            secure = sock
            # Whoever begins as TLS does is spoken to in TLS.
            if sock.recv(1, socket.MSG_PEEK) == b"\x16":
                secure = self.context.wrap_socket(sock, server_side=True,
                                                  suppress_ragged_eofs=False)
                self.resumed.append(secure.session_reused)
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = secure.recv(65536)
                    if not data:
                        return
                    head += data
                self.heads.append(head.decode("latin-1"))
                self.requests += 1
                if self.answer(secure, self.requests) is False:
                    return
        except OSError as fault:
            self.faults.append(fault)
        finally:
            sock.close()


def whole(secure, number):
    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def front(stage, upstream, directory, authority, tls=None, policies=None, variables=None, **more):
    tls = {"ca": authority.write_ca(directory), **(tls or {})}
    return stage.proxy(upstream.address, policies, variables=variables,
                       upstream={"tls": tls, **more})
