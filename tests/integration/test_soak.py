"""Hours of mixed traffic in minutes, in bounded memory. Long tier only."""

import os
import random
import time
import urllib.request

import pytest

from harness import crowd, policy, request

SECONDS = int(os.environ.get("ONCEPROXY_SOAK_SECONDS", "600"))
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(os.environ.get("ONCEPROXY_LONG") != "1", reason="long tier only")


def moody(exchange):
    """Mostly well; now and then an error, a reset, a close."""
    number = exchange.execution % 100
    if number == 0:
        exchange.connection.reset()
    elif number == 1:
        exchange.answer(503, b"busy")
    elif number == 2:
        exchange.answer(200, b"bye", {"Connection": "close"})
        exchange.connection.close()
    else:
        exchange.answer(200, b"x" * (number * 50), chunked=number % 2 == 0)


def some_request(generator, number):
    key = f"key-{number - generator.randrange(200)}"
    kind = generator.randrange(10)
    if kind == 0:
        return request("GET", f"/else/{number}")
    if kind == 1:
        return request(target="/orders", key="a,b")
    if kind == 2:
        return request(key=key, body={"other": number})
    return request(key=key, body={"key": key})


def quiet(proxy):
    """No access log: the harness would keep every line of it."""
    host, port = proxy.admin
    urllib.request.urlopen(f"http://{host}:{port}/logging?level=error", data=b"", timeout=30)


def test_memory_does_not_grow_under_mixed_traffic(stage):
    upstream = stage.upstream(moody)
    # A short window, so that the store comes to a steady size too.
    proxy = stage.proxy(upstream, [policy(window="20s", lease="2s")])
    quiet(proxy)
    generator = random.Random(1)
    begin, number, sizes = time.monotonic(), 0, []
    while time.monotonic() - begin < SECONDS:
        batch = [some_request(generator, number + n) for n in range(100)]
        number += len(batch)
        for answer in crowd(proxy.data, batch):
            assert not isinstance(answer, Exception), answer
            assert answer.status in (200, 400, 409, 422, 502, 503), answer
        if number % 5000 == 0:
            proxy.check_alive()
            sizes.append(proxy.rss())
            # What the harness itself remembers would grow for ever.
            upstream.requests[:-100] = []
            upstream.connections[:] = [c for c in upstream.connections if not c.over.is_set()]
    settled, last = sizes[len(sizes) // 2], sizes[-1]
    assert last - settled < 48 * MIB, [size // MIB for size in sizes]
    descriptors = len(os.listdir(f"/proc/{proxy.process.pid}/fd"))
    assert descriptors < 1000
    assert proxy.metrics().sum("onceproxy_reservations_active") == 0
