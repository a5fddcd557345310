"""A listener that is down for long: what waits for it takes no memory, delays nobody else, and is delivered at
the listener's own rate when it is back."""

import asyncio
import os
import statistics
import time

from harness import eventually
from harness.fan_out import QUICK, dispatch, pending, send
from harness.process import PRESET

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
WAITING = 200_000 if LONG else 20_000
RATE = 4_000  # deliveries a second that the listener takes when it is back
MIB = 1024 * 1024
SAMPLES = 200
PATIENCE = 3_600 if LONG else 240


def fill(proxy, numbers, lanes=32):
    """Events for the listener that is down, as fast as they are accepted."""
    host, port = proxy.data
    numbers = iter(numbers)

    async def lane():
        reader, writer = await asyncio.open_connection(host, port)
        for number in numbers:
            body = b'{"number": %d, "pad": "%s"}' % (number, b"x" * 200)
            writer.write(b"POST /rides/w%d/wait HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
                         b"Content-Type: application/json\r\n\r\n%s" % (number, len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 202 " in head.split(b"\r\n")[0], head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    async def lanes_of():
        await asyncio.gather(*(lane() for _ in range(lanes)))

    asyncio.run(lanes_of())


def delays(proxy, listener, name):
    """Seconds that each of some events was on its way to the listener, sorted."""
    found = []
    for number in range(SAMPLES):
        before = len(listener.all())
        began = time.monotonic()
        send(proxy, f"{name}{number}", number)
        eventually(lambda count=before: len(listener.all()) > count, "the event")
        found.append(listener.all()[-1].at - began)
    return sorted(found)


def test_a_long_backlog_costs_neither_memory_nor_the_others(stage, listeners, upstream):
    down, other = listeners.add("down"), listeners.add("other")
    settings = down.settings(attempts=1000, backoff=QUICK, max_concurrency=64,
                             rate={"limit": RATE, "per": "1s"})
    wait = dispatch([settings], name="wait",
                    match={"methods": ["POST"], "path": "/rides/{ride}/wait"})
    proxy = stage.proxy(upstream, [wait, dispatch([settings, other.settings()])],
                        delivery={"max_bytes": "8GiB"})
    before = delays(proxy, other, "before")
    eventually(lambda: pending(proxy) == 0, "all delivered")
    down.refuse()
    fill(proxy, range(WAITING // 2))
    half = proxy.rss()
    fill(proxy, range(WAITING // 2, WAITING))
    whole = proxy.rss()
    assert proxy.metrics().sum("onceproxy_deliveries_pending", listener="down") == WAITING
    # A row of the queue takes some hundred bytes: half of them would be several times as much.
    if PRESET not in ("asan", "tsan"):  # they keep what was freed
        assert whole - half < 24 * MIB, f"{half / MIB:.0f} MiB, then {whole / MIB:.0f}"
    after = delays(proxy, other, "after")
    # The figures are tests/bench/backlog.py's; here that nothing waits behind the backlog.
    assert statistics.median(after) < statistics.median(before) * 3 + 0.5
    assert after[int(SAMPLES * 0.95)] < before[int(SAMPLES * 0.95)] * 3 + 1
    taken = len(down.all())
    began = time.monotonic()
    down.open()
    eventually(lambda: pending(proxy) == 0, "the backlog delivered", PATIENCE)
    seconds = time.monotonic() - began
    assert len(down.all()) - taken == WAITING + SAMPLES
    # No faster than its rate, beside the burst that the rate allows.
    assert seconds > (WAITING - RATE) / RATE * 0.9
    assert proxy.metrics().sum("onceproxy_deliveries_total", listener="down", result="dead") == 0
    assert not down.repeats()
