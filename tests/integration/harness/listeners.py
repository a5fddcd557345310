"""Many listeners in one process, on one event loop: each takes events by HTTP, does with each what its
mood says, and remembers what it received."""

import asyncio
import random
import socket
import struct
import threading
import time

from .connection import Request
from .message import Incomplete, Malformed, framing, parse_request_head
from .wait import PATIENCE, eventually

READ = 256 * 1024

# What may become of an event. "held" waits for let_go(). All but "ok", "late" and "held" must be delivered again, or be dead.
MOODS = ("ok", "late", "held", "reset", "silent", "error", "busy", "half", "gone")
FAILING = ("reset", "silent", "error", "busy", "half")
ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "held": b"HTTP/1.1 204 No Content\r\n\r\n",
    "late": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
}
# What a listener took for itself: an answer may still have been lost on its way.
TAKEN = ("ok", "late", "held", "half")


async def _event():
    return asyncio.Event()


def parse_request(data):
    """(request, bytes used) of the request that `data` begins with."""
    method, target, minor, headers, size = parse_request_head(data)
    kind, length = framing(headers)
    if kind != "length":
        raise Malformed(f"a delivery without Content-Length: {headers}")
    if len(data) < size + length:
        raise Incomplete
    body = bytes(data[size:size + length])
    head = bytes(data[:size])
    return Request(method, target, minor, headers, head, body, length), size + length


class Connection:
    """One connection to a listener: the last attempt on it, and when it was seen to be closed."""

    def __init__(self):
        self.last = None
        self.closed = None


class Received:
    """One attempt of a delivery, as the listener saw it."""

    def __init__(self, request, mood, connection):
        self.request = request
        self.mood = mood
        self.connection = connection
        connection.last = self
        self.at = time.monotonic()
        self.body = request.body
        self.key = request["Idempotency-Key"]
        self.event = request["webhook-id"]

    @property
    def taken(self):
        return self.mood in TAKEN

    def given_up_before(self, again):
        """Whether whoever sent it closed the connection, and sent nothing more on it, before it sent it again.
        The listener may see the one a little after the other."""
        closed = self.connection.closed
        return self.connection.last is self and closed is not None and closed < again.at + 1


class Listener:
    """One listener; `mood(received)` names what becomes of each attempt. Made by Listeners.add()."""

    def __init__(self, crew, name, mood, tls=None):
        self.crew = crew
        self.name = name
        self.tls = tls  # an ssl.SSLContext: it speaks HTTPS
        self.mood = mood if callable(mood) else lambda _: mood
        self.received = []
        self.closings = []  # when it began to refuse: (from, until) its connections were closed
        self.late_by = 0.2  # seconds that "late" takes
        self.held = crew.run(_event())
        self.under_way = 0
        self.under_way_max = 0
        self.server = None
        self.writers = set()
        self.lock = threading.Lock()
        # Bound all the time and never listening, so that nobody else gets the port while it refuses.
        self.socket = self._bound(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    @staticmethod
    def _bound(address):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        return made

    def settings(self, **changes):
        """The listener as the configuration names it."""
        return {"name": self.name, "address": self.address, "path": "/events", **changes}

    def open(self):
        self.crew.run(self._open())
        return self

    def let_go(self):
        """What is held is answered, and what comes is not held any more."""
        self.crew.loop.call_soon_threadsafe(self.held.set)

    def refuse(self):
        """Closes the port and all connections: connections are refused from now on."""
        began = time.monotonic()
        self.crew.run(self._close())
        self.closings.append((began, time.monotonic()))

    async def _open(self):
        if self.server is None:
            self.server = await asyncio.start_server(self._serve, backlog=1024, ssl=self.tls,
                                                     sock=self._bound(self.socket.getsockname()))

    async def _close(self):
        server, self.server = self.server, None
        if server is not None:
            server.close()
        for writer in list(self.writers):
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        connection = Connection()
        buffer = bytearray()
        try:
            while True:
                try:
                    request, used = parse_request(buffer)
                except Incomplete:
                    data = await reader.read(READ)
                    if not data:
                        return
                    buffer += data
                    continue
                del buffer[:used]
                if not await self._answer(request, writer, connection):
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Malformed as problem:
            self.crew.problems.append(f"{self.name}: {problem}")
        finally:
            connection.closed = time.monotonic()
            self.writers.discard(writer)
            writer.close()

    async def _answer(self, request, writer, connection):
        received = Received(request, None, connection)
        received.mood = self.mood(received)
        if writer.transport.is_closing():
            received.mood = "reset"  # its answer would go nowhere
        with self.lock:
            self.received.append(received)
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        try:
            if received.mood == "late":
                await asyncio.sleep(self.late_by)
            if received.mood == "held":
                await self.held.wait()
            if received.mood == "silent":
                await asyncio.sleep(PATIENCE)
                return False
        finally:
            self.under_way -= 1
        if received.mood == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        writer.write(ANSWERS[received.mood])
        await writer.drain()
        return received.mood != "half"

    # What it saw.
    def all(self):
        with self.lock:
            return list(self.received)

    def taken(self):
        """The attempts that it took for itself, in order."""
        return [each for each in self.all() if each.taken]

    def bodies(self):
        """Of the events that it took, each once, in the order in which it took them first."""
        return list(dict.fromkeys(each.body for each in self.taken()))

    def repeats(self):
        """Where it took an event again that it had taken: [(before, again)]."""
        before, found = {}, []
        for each in self.taken():
            if each.key in before:
                found.append((before[each.key], each))
            before[each.key] = each
        return found

    def wait_for(self, count, within=PATIENCE):
        """Waits until it has taken so many different events."""
        eventually(lambda: len(self.bodies()) >= count,
                   f"{count} events at {self.name}, which has {len(self.bodies())}", within)
        return self


def at_random(seed, share=0.5, moods=FAILING):
    """A mood that fails in one of `moods` for a share of the attempts, repeatably."""
    generator = random.Random(seed)

    def mood(_):
        return generator.choice(moods) if generator.random() < share else "ok"

    return mood


class Listeners:
    """A crew of listeners, on a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.by_name = {}
        self.problems = []  # what was no strict HTTP
        self.delays = []  # (when, how late in seconds) the loop came to what it had to do
        asyncio.run_coroutine_threadsafe(self._watch_delays(), self.loop)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    async def _watch_delays(self):
        while True:
            due = time.monotonic() + 0.05
            await asyncio.sleep(0.05)
            late = time.monotonic() - due
            if late > 0.05:
                self.delays.append((due + late, late))

    def late_at(self, when):
        """How late a listener may have seen what it saw then, in seconds."""
        return sum((late for at, late in self.delays if at - late - 1 <= when <= at + 1), 0.05)

    def add(self, name, mood="ok", is_open=True, tls=None):
        listener = Listener(self, name, mood, tls)
        self.by_name[name] = listener
        return listener.open() if is_open else listener

    def __getitem__(self, name):
        return self.by_name[name]

    def __iter__(self):
        return iter(self.by_name.values())

    def close(self):
        for listener in self:
            listener.refuse()
            listener.socket.close()
        self.run(self._rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()
        assert not self.problems, self.problems

    @staticmethod
    async def _rest():
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Flapping:
    """Listeners that refuse connections for a moment, one after the other, until it is stopped."""

    def __init__(self, listeners, seed):
        self.listeners = listeners
        self.generator = random.Random(seed)
        self.over = threading.Event()
        self.failed = []
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(PATIENCE)
        assert not self.failed, self.failed

    def _run(self):
        try:
            while not self.over.wait(self.generator.uniform(0.05, 0.3)):
                listener = self.generator.choice(self.listeners)
                listener.refuse()
                self.over.wait(self.generator.uniform(0.1, 0.5))
                listener.open()
        except Exception as problem:  # pylint: disable=broad-except
            self.failed.append(problem)


def out_of_order(bodies, entity_of, number_of):
    """The events of an entity that came after one with a higher number: [(entity, number, before)]."""
    highest, wrong = {}, []
    for body in bodies:
        entity, number = entity_of(body), number_of(body)
        if number < highest.get(entity, number):
            wrong.append((entity, number, highest[entity]))
        highest[entity] = max(number, highest.get(entity, number))
    return wrong


__all__ = ["FAILING", "Connection", "Flapping", "MOODS", "Listener", "Listeners", "Received", "at_random", "out_of_order",
           "parse_request"]
