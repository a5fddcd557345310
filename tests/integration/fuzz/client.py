"""A client's connection that plays a script and records what it receives."""

import asyncio
import socket
import time
from dataclasses import dataclass

from harness.message import Incomplete, parse_response

from .connections import Ending, reset

READ = 64 * 1024
# Seconds until the program must have closed a connection on which nothing comes any more. Its own
# time-outs are a small part of it; the rest is for a busy machine.
PATIENCE = 30.0
# Seconds by which sending may take longer than planned without coming near the program's time-outs.
LATE = 0.4


@dataclass
class Played:
    data: bytes
    end: str  # "closed", "reset", "left" (the script's own end) or "open" (not closed in time)
    late: bool = False  # the machine was too busy to send as the script says


async def connect(address):
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


async def _receive(sock, into):
    loop = asyncio.get_running_loop()
    while True:
        try:
            data = await loop.sock_recv(sock, READ)
        except ConnectionError:
            return "reset"
        if not data:
            return "closed"
        into += data


async def play(address, script):
    """Plays the whole of `script` while it reads, and then ends as the script says."""
    loop = asyncio.get_running_loop()
    begin = time.monotonic()
    sock = await connect(address)
    data = bytearray()
    deaf = script.ending is Ending.DEAF
    reading = asyncio.create_task(asyncio.sleep(0.2) if deaf else _receive(sock, data))
    try:
        try:
            for piece, pause in script.pieces:
                await asyncio.wait_for(loop.sock_sendall(sock, piece), PATIENCE)
                if pause:
                    await asyncio.sleep(pause)
            if script.ending is Ending.FINISH:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused and closed in the middle of what it sent
        if deaf:
            await reading
        if script.ending in (Ending.CLOSE, Ending.RESET, Ending.DEAF):
            return Played(bytes(data), "left")
        late = time.monotonic() - begin - sum(pause for _, pause in script.pieces) > LATE
        done, _ = await asyncio.wait([reading], timeout=PATIENCE)
        return Played(bytes(data), reading.result() if done else "open", late)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        if script.ending in (Ending.RESET, Ending.DEAF):
            reset(sock)
        sock.close()


class Caller:
    """A client that sends right requests, one after the other, and reads each answer strictly."""

    def __init__(self, address):
        self.address = address
        self.sock = None
        self.buffer = bytearray()

    async def call(self, request):
        """(answer or None, bytes that are no whole answer). Malformed when they can be none."""
        loop = asyncio.get_running_loop()
        if self.sock is None:
            self.sock = await connect(self.address)
        try:
            await loop.sock_sendall(self.sock, request.data)
        except ConnectionError:
            pass
        closed = False
        while True:
            try:
                answer, used = parse_response(self.buffer, request.method, closed)
                del self.buffer[:used]
                return answer, b""
            except Incomplete:
                if closed:
                    return None, bytes(self.buffer)
            try:
                data = await asyncio.wait_for(loop.sock_recv(self.sock, READ), PATIENCE)
            except ConnectionError:
                return None, bytes(self.buffer)  # a reset is never an end, only a break
            self.buffer += data
            closed = not data

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self.buffer.clear()
