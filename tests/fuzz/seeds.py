"""Inputs for fuzz targets to begin with, where bytes at random do not come far: connections of HTTP/2, messages of
gRPC and of Envoy.

    seeds.py DIRECTORY     writes them to DIRECTORY/TARGET/seed-N
"""

import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

import hpack  # noqa: E402

from harness.ext_proc import Request, request_body, request_head, response_body, response_head  # noqa: E402
from harness.frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING,  # noqa: E402
                            PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, message, number, settings)


def head(encoder, path, *more):
    return encoder.encode([(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path), *more])


def http2():
    """The first byte says how the rest is cut up. The letter behind the path's slash says how it is answered."""
    for how in "enfril":
        encoder = hpack.Encoder()
        request = frame(HEADERS, END_HEADERS, 1, head(encoder, f"/{how}", ("x", "y")))
        body = frame(DATA, 0, 1, b"hello") + frame(DATA, 0, 1, b" world")
        trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, encoder.encode([("x-sum", "1")]))
        yield b"\0" + settings(s4=65535) + request + body + trailers
        yield b"\7" + settings() + frame(SETTINGS, ACK) + request + frame(DATA, END_STREAM, 1, b"x" * 300)
    encoder = hpack.Encoder()
    block = head(encoder, "/e", ("x", "y" * 100))
    cut = frame(HEADERS, 0, 1, block[:20]) + frame(CONTINUATION, 0, 1, block[20:40])
    yield b"\0" + settings() + cut + frame(CONTINUATION, END_HEADERS, 1, block[40:])
    yield b"\0" + settings() + cut + frame(CONTINUATION, 0, 1) * 12
    encoder = hpack.Encoder()
    opened = b"".join(frame(HEADERS, END_HEADERS, stream, head(encoder, "/e")) for stream in range(1, 25, 2))
    yield b"\0" + settings(s4=0) + opened + frame(WINDOW_UPDATE, 0, 1, number(5))
    yield b"\0" + settings() + opened + b"".join(frame(RST_STREAM, 0, stream, number(8)) for stream in range(1, 25, 2))
    others = (frame(PING, payload=bytes(8)), frame(PING, ACK, payload=bytes(8)), settings(s1=1, s3=5, s5=16384),
              frame(PRIORITY, 0, 1, number(0) + b"\x10"), frame(WINDOW_UPDATE, payload=number(1)),
              frame(0x77, 0xff, 5, b"what"), frame(16, payload=number(1) + b"u=1"),
              frame(GOAWAY, payload=number(0) + number(0)), frame(DATA, 0, 1))
    for other in others:
        encoder = hpack.Encoder()
        yield b"\0" + settings() + frame(HEADERS, END_HEADERS, 1, head(encoder, "/e")) + other * 25


def grpc():
    for messages in ((b"",), (b"one", b"", b"three" * 50), (b"x" * 301,)):
        yield b"\3" + b"".join(map(message, messages))
    yield b"\0\1" + number(1) + b"x"
    yield b"\0\0" + number(5) + b"half"
    for text in ("1H", "20M", "3S", "999m", "5u", "99999999n", "100 % sure", "zwei\nZeilen \u2603"):
        yield b"\0" + text.encode()


def ext_proc():
    """Messages, each behind its length."""
    def said(*messages):
        texts = [each.SerializeToString() for each in messages]
        return b"".join(struct.pack(">H", len(text)) + text for text in texts)

    def covered(**more):
        return request_head(path="/pay/1", **more)

    whole = (covered(end_of_stream=False), request_body(b"{}"))
    trailers = Request()
    trailers.response_trailers.SetInParent()
    yield said(request_head(path="/other"))
    yield said(*whole, response_head(204))
    yield said(*whole, response_head(201, end_of_stream=False), response_body(b"half", False), response_body(b"whole"))
    yield said(*whole, response_head(200, end_of_stream=False), response_body(b"x", False), trailers)
    yield said(*whole, response_head(503, details="no_healthy_upstream"))
    yield said(*whole, response_head(504, details="response_timeout"))
    yield said(*whole, response_head(302, details="direct_response"))
    yield said(covered(), response_head(200, end_of_stream=False), response_body(b"x" * 100))
    yield said(covered(headers=[("content-length", "5")], end_of_stream=False), request_body(b"1234"))
    yield said(covered(observability_mode=True))
    yield said(response_head(404, end_of_stream=False), response_body(b"x"))
    yield said(*whole, *whole)


def main(directory):
    for target, seeds in (("http2_fuzz", http2()), ("grpc_fuzz", grpc()), ("ext_proc_fuzz", ext_proc())):
        place = pathlib.Path(directory) / target
        place.mkdir(parents=True, exist_ok=True)
        for index, seed in enumerate(seeds):
            (place / f"seed-{index}").write_bytes(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
