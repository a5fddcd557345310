"""Sends events as fast as they are acknowledged:

    event_load.py http|redis PORT EVENTS CONNECTIONS [PREFIX] < BODY

PREFIX is what the events' keys begin with.
"""

import asyncio
import sys

PREFIX = sys.argv[5].encode() if len(sys.argv) > 5 else b"e"


async def http(reader, writer, number, body):
    writer.write(b"POST /events HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s%d\r\n"
                 b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                 % (PREFIX, number, len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202"), head
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(length[0].split(b":")[1]))


async def redis(reader, writer, _, body):
    writer.write(b"*5\r\n$4\r\nXADD\r\n$6\r\nevents\r\n$1\r\n*\r\n$4\r\nbody\r\n$%d\r\n%s\r\n"
                 % (len(body), body))
    await reader.readline()
    await reader.readline()


async def main():
    kind, port, events, connections = sys.argv[1], *map(int, sys.argv[2:5])
    send = {"http": http, "redis": redis}[kind]
    body = sys.stdin.buffer.read()
    numbers = iter(range(events))

    async def lane():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            await send(reader, writer, number, body)
        writer.close()

    await asyncio.gather(*(lane() for _ in range(connections)))


asyncio.run(main())
