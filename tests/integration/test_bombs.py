"""Compressed bodies that expand to a much larger size."""

import gzip
import json

from harness import policy, request
from harness.client import once


def test_a_gzip_bomb_does_not_fill_the_memory(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"body": "/id"}])])
    once(proxy.data, request(body={"id": 1}))
    before = proxy.rss()
    bomb = gzip.compress(json.dumps({"id": 1, "pad": "x" * 200_000_000}).encode(), 9)
    assert len(bomb) < 1024 * 1024
    answer = once(proxy.data, request(body=bomb, headers={"Content-Encoding": "gzip"}))
    assert answer.status in (400, 413)
    assert proxy.rss() - before < 64 * 1024 * 1024
    assert len(upstream.requests) == 1


def test_a_compressed_body_is_read_for_its_fields_and_forwarded_as_it_came(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"body": "/id"}])])
    packed = gzip.compress(b'{"id": 1}')
    first = once(proxy.data, request(body=packed, headers={"Content-Encoding": "gzip"}))
    assert first.decision == "forwarded"
    assert upstream.requests[0].body == packed
    assert once(proxy.data, request(body={"id": 1})).decision == "replayed"
    other = once(proxy.data, request(body=packed, headers={"Content-Encoding": "br"}))
    assert other.decision == "unreadable"


def test_deeply_nested_json_is_survived(stage):
    upstream = stage.upstream()
    proxy = stage.proxy(upstream, [policy(fingerprint=[{"body": "/id"}])])
    for deep in (b"[" * 500_000, b'{"id":' * 100_000 + b"1" + b"}" * 100_000):
        answer = once(proxy.data, request(body=deep, headers={"Content-Type": "application/json"}))
        assert answer.status in (200, 400)
        proxy.check_alive()
