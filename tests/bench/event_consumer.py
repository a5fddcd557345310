"""A consumer of a Redis stream, as small as one can be: event_consumer.py REDIS_PORT GROUP SERVICE_PORT

It reads what its group has not had, 64 at a time, posts each event over a kept connection, and acknowledges
those that were answered with 2xx. Nothing is retried: that would only cost it more.
"""

import signal
import socket
import sys


class Redis:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, *commands):
        self.socket.sendall(b"".join(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
            for words in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind in b"+-":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]


class Service:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def post(self, key, body):
        self.socket.sendall(b"POST /events HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s\r\n"
                            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                            % (key, len(body), body))
        status, length = self.file.readline(), 0
        while (line := self.file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.file.read(length)
        return status.split(b" ")[1].startswith(b"2")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    redis, group, service = Redis(int(sys.argv[1])), sys.argv[2].encode(), Service(int(sys.argv[3]))
    redis.send([b"XGROUP", b"CREATE", b"events", group, b"0", b"MKSTREAM"],
               [b"XGROUP", b"CREATECONSUMER", b"events", group, b"c"])
    while True:
        found, = redis.send([b"XREADGROUP", b"GROUP", group, b"c", b"COUNT", b"64", b"BLOCK", b"1000",
                             b"STREAMS", b"events", b">"])
        for number, fields in found[0][1] if found else ():
            if service.post(group + b"-" + number, fields[1]):
                redis.send([b"XACK", b"events", group, number], [b"INCR", b"done:" + group])


main()
