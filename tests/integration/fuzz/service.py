"""The service behind the program, for thousands of connections on one event loop. It parses strictly: a
request that is not well-formed is a fault of the program. Its answers are planned elsewhere."""

import asyncio
from dataclasses import dataclass

from harness.connection import Request
from harness.message import Incomplete, Malformed, framing, parse_chunked, parse_request_head, parse_response

from .answers import name_of
from .connections import Ending, reset

READ = 64 * 1024
KEPT = 10_000  # exchanges


class _Ended(Exception):
    """The program closed the connection, or broke it off."""


@dataclass
class Exchange:
    """What the service was asked and what it answered."""

    request: Request
    plan: object
    clean: bool         # nothing but whole answers was sent on the connection before
    sent: bool = False  # every byte of the answer was written

    @property
    def pure(self):
        """The bytes are one whole answer and not a byte more."""
        try:
            return parse_response(self.plan.script.data, self.request.method)[1] == len(self.plan.script.data)
        except (Incomplete, Malformed):
            return False


class Service:
    """`plan(request)` says what is answered; `fault(what, data)` is told of what is no HTTP."""

    def __init__(self, plan, fault):
        self.plan = plan
        self.fault = fault
        self.exchanges = {}  # by the token in the target, in the order of their coming
        self.tasks = set()

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        host, port = self.server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def close(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        buffer, clean = bytearray(), True
        try:
            while exchange := await self._exchange(reader, writer, buffer, clean):
                clean = clean and exchange.pure
        except (_Ended, OSError, asyncio.CancelledError):
            pass  # whether the program may break off is for the client's end to say
        except Malformed as fault:
            self.fault(f"the service was sent what is no HTTP: {fault}", bytes(buffer))
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _exchange(self, reader, writer, buffer, clean):
        """One exchange; None where it was the connection's last."""
        request, size = await self._parsed(reader, buffer, self._head)
        plan = self.plan(request)
        exchange = Exchange(request, plan, clean)
        self.exchanges.setdefault(name_of(request), []).append(exchange)
        if len(self.exchanges) > KEPT:  # nobody asks for the oldest any more
            del self.exchanges[next(iter(self.exchanges))]
        del buffer[:size]
        if plan.early and plan.websocket:  # whatever comes now belongs to the tunnel
            return await self._tunnel(reader, writer, buffer, plan)
        if plan.early:
            await self._play(writer, exchange)
        elif "100-continue" in ",".join(request.all("expect")).lower():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body, size = await self._parsed(reader, buffer, lambda data: self._body(request, data))
        del buffer[:size]
        if plan.websocket:
            return await self._tunnel(reader, writer, buffer, plan)
        if not plan.early:
            await self._play(writer, exchange)
        return exchange if plan.script.ending is Ending.WAIT else None

    @staticmethod
    def _head(data):
        method, target, minor, headers, size = parse_request_head(data)
        return Request(method, target, minor, headers, bytes(data[:size])), size

    @staticmethod
    def _body(request, data):
        kind, length = framing(request.headers)
        if kind == "chunked":
            return parse_chunked(data, 0)
        length = length or 0
        if len(data) < length:
            raise Incomplete
        return bytes(data[:length]), length

    @staticmethod
    async def _parsed(reader, buffer, parse):
        while True:
            try:
                return parse(buffer)
            except Incomplete:
                data = await reader.read(READ)
                if not data:
                    raise _Ended from None
                buffer += data

    @staticmethod
    async def _play(writer, exchange):
        for data, pause in exchange.plan.script.pieces:
            writer.write(data)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        exchange.sent = True
        if exchange.plan.script.ending is Ending.RESET:
            reset(writer.get_extra_info("socket"))

    @staticmethod
    async def _tunnel(reader, writer, buffer, plan):
        """Switches protocols, and echoes."""
        data = plan.script.data + bytes(buffer).upper()
        while data:
            writer.write(data)
            await writer.drain()
            data = (await reader.read(READ)).upper()
