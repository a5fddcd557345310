"""Ten thousand requests at once on the port where an Envoy asks, from an independent client (Python's grpcio)."""

import asyncio

import grpc

from harness import policy
from harness.ext_proc import METHOD, Response, request_head, response_head
from harness.process import PRESET
from harness.wait import eventually_in_loop

STREAMS, WAITING, CONNECTIONS = 10_000, 1_000, 20
# What one may take in memory, the record of its operation in the store included.
BYTES_EACH = 32 * 1024
WITHIN = 600


class Stream:
    def __init__(self, channel):
        method = channel.stream_stream(METHOD, request_serializer=lambda message: message.SerializeToString(),
                                       response_deserializer=Response.FromString)
        self.call = method(timeout=WITHIN)

    async def say(self, message):
        await self.call.write(message)

    async def hear(self):
        """The next message that is no request for patience."""
        while (message := await self.call.read()).HasField("override_message_timeout"):
            pass
        return message

    async def ends(self):
        await self.call.done_writing()
        return await self.call.code()


async def let_through(stream, key):
    await stream.say(request_head(key=key))
    return (await stream.hear()).HasField("request_headers")


async def answered(stream):
    await stream.say(response_head(204))
    heard = await stream.hear()
    return heard.HasField("response_headers") and await stream.ends() == grpc.StatusCode.OK


async def replayed(stream):
    answer = (await stream.hear()).immediate_response
    return answer.status.code == 204 and await stream.ends() == grpc.StatusCode.OK


async def drive(proxy):
    """The memory that the streams took while all were there."""
    host, port = proxy.listeners["envoy"]
    before = proxy.rss()
    channels = [grpc.aio.insecure_channel(f"{host}:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
                for _ in range(CONNECTIONS)]
    first = [Stream(channels[n % CONNECTIONS]) for n in range(STREAMS - WAITING)]
    assert all(await asyncio.gather(*(let_through(stream, f"k{n}") for n, stream in enumerate(first))))
    waiting = [Stream(channels[n % CONNECTIONS]) for n in range(WAITING)]
    await asyncio.gather(*(stream.say(request_head(key=f"k{n}")) for n, stream in enumerate(waiting)))
    await eventually_in_loop(
        lambda: proxy.metrics().sum("onceproxy_http2_streams", listener="envoy") == STREAMS,
        "all streams at once", WITHIN)
    assert proxy.metrics().sum("onceproxy_reservations_active") == STREAMS - WAITING
    taken = proxy.rss() - before
    assert all(await asyncio.gather(*map(answered, first)))
    assert all(await asyncio.gather(*map(replayed, waiting)))
    for channel in channels:
        await channel.close()
    return taken


def test_ten_thousand_streams_at_once(stage):
    proxy = stage.proxy(stage.upstream(), [policy(in_flight={"action": "wait", "timeout": "5m"})],
                        envoy={"listen": "127.0.0.1:0"})
    taken = asyncio.run(drive(proxy))
    print(f"{taken / STREAMS / 1024:.1f} KiB a stream")
    proxy.decided("forwarded", STREAMS - WAITING)
    proxy.decided("replayed", WAITING)
    # Sanitizers have memory of their own for each allocation.
    assert PRESET in ("asan", "tsan") or taken < STREAMS * BYTES_EACH
