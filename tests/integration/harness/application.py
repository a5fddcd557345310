"""The service of a pod, as a program: HTTP on a Unix socket, one line in a file for each execution.

    application.py SOCKET EFFECTS [graceful | abrupt]

On SIGTERM a graceful one takes no new connections, closes those that are idle, finishes what is under way
and ends with 0. An abrupt one ends at once, as a program does that knows nothing of signals.
"""

import asyncio
import os
import random
import signal
import sys

LONGEST = 0.3  # seconds


class Application:
    def __init__(self, effects):
        self.effects = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.under_way = 0
        self.stopping = False
        self.waiting = set()  # the connections that are idle
        self.idle = asyncio.Event()
        self.idle.set()

    async def serve(self, reader, writer):
        try:
            while not self.stopping:
                self.waiting.add(writer)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                self.waiting.discard(writer)
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await reader.readexactly(int(fields.get("content-length", "0")))
                await self.execute(fields.get("idempotency-key", ""), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.waiting.discard(writer)
            writer.close()

    def stop(self):
        self.stopping = True
        for writer in self.waiting:
            writer.close()

    async def execute(self, key, writer):
        self.under_way += 1
        self.idle.clear()
        os.write(self.effects, f"{key}\n".encode())
        await asyncio.sleep(random.random() * LONGEST)
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\ndone\n")
        await writer.drain()
        self.under_way -= 1
        if self.under_way == 0:
            self.idle.set()


async def main(path, effects, manner="graceful"):
    application = Application(effects)
    server = await asyncio.start_unix_server(application.serve, path)
    told = asyncio.Event()
    if manner == "graceful":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print("serving", flush=True)
    await told.wait()
    server.close()
    application.stop()
    await application.idle.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
