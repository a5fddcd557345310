"""Changes to bytes that are likely to matter to a parser of HTTP."""

import re

# What HTTP's readers look for, and what they must not take for it.
WORDS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"=", b'"', b"\\", b"%", b"/", b"\x7f",
    b"\x80", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b"0", b"-1", b"+1",
    b"0x10", b"1e1", b"00000000000000000005", b"ffffffffffffffff", b"8000000000000000",
    b"18446744073709551616", b"9223372036854775807", b"99999999999999999999999",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/1.2", b"HTTP/2.0", b"HEAD ", b"GET ", b"POST ", b"CONNECT ", b"TRACE ",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"chunked", b", chunked",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length:\r\n",
    b"Host: other.example\r\n", b"Host:\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: upgrade, content-type\r\n", b"Connection: Idempotency-Key\r\n", b"Connection: ,\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
    b"Expect: 100-continue\r\n", b"Expect: 200-ok\r\n", b"Trailer: X-A\r\n", b"TE: trailers\r\n",
    b"Onceproxy-Fence: 1\r\n", b"Onceproxy_Fence: 1\r\n", b"X-Forwarded-For: 1.2.3.4\r\n",
    b"Idempotency-Key: a\r\n", b'Idempotency-Key: "a\r\n', b"Content-Encoding: gzip\r\n",
    b"Content-Type: application/json\r\n", b"Content-Type: text/event-stream\r\n",
    b"X-A: " + b"a" * 300 + b"\r\n",
    b"0\r\n\r\n", b"0\r\nX-A: b\r\n\r\n", b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b"5;\r\n", b"5 \r\n",
    b"%2F", b"%5c", b"%00", b"%", b"../", b"//", b"/*", b"?", b"#", b"http://shop.example/",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 999 No\r\n\r\n", b"HTTP/1.1 099 No\r\n\r\n",
    b"{", b"[", b'{"a":1,"a":2}', b"[" * 200, b"\\ud800", b"NaN", b"null",
]
NUMBER = re.compile(rb"[0-9]+")
NUMBERS = [b"0", b"1", b"2", b"-1", b"00", b"16", b"255", b"4294967296", b"18446744073709551615",
           b"18446744073709551616", b"1.0", b"1e3", b"0x1", b"", b"600", b"99", b"1000"]


def _place(generator, data):
    """Any place, the head's more often than the rest: what is read first decides most."""
    end = len(data)
    if generator.random() < 0.6:
        head = data.find(b"\r\n\r\n")
        end = head + 4 if head >= 0 else end
    return generator.randrange(end + 1)


def _range(generator, data):
    begin = _place(generator, data)
    return begin, min(len(data), begin + 1 + int(generator.expovariate(1 / 8)))


def flip(generator, data):
    at = min(_place(generator, data), len(data) - 1)
    return data[:at] + bytes([data[at] ^ 1 << generator.randrange(8)]) + data[at + 1 :]


def insert(generator, data):
    at = _place(generator, data)
    return data[:at] + generator.choice(WORDS) + data[at:]


def replace(generator, data):
    begin, end = _range(generator, data)
    return data[:begin] + generator.choice(WORDS) + data[end:]


def remove(generator, data):
    begin, end = _range(generator, data)
    return data[:begin] + data[end:]


def repeat(generator, data):
    begin, end = _range(generator, data)
    times = generator.choice([2, 2, 2, 3, 17, 200])
    return data[:begin] + data[begin:end] * times + data[end:]


def cut(generator, data):
    return data[: _place(generator, data)]


def line_insert(generator, data):
    """A field more, where a field may stand."""
    words = [word for word in WORDS if word.endswith(b"\r\n") and b":" in word]
    lines = data.split(b"\r\n")
    lines.insert(generator.randrange(len(lines) + 1), generator.choice(words)[:-2])
    return b"\r\n".join(lines)


def line_move(generator, data):
    """A line twice, away, or at another place."""
    lines = data.split(b"\r\n")
    line = lines[generator.randrange(len(lines))]
    if generator.random() < 0.6:
        lines.remove(line)
    if generator.random() < 0.7:
        lines.insert(generator.randrange(len(lines) + 1), line)
    return b"\r\n".join(lines)


def line_end(generator, data):
    lines = data.split(b"\r\n")
    if len(lines) < 2:
        return data
    at = generator.randrange(1, len(lines))
    end = generator.choice([b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b" \r\n", b"\r\n "])
    return b"\r\n".join(lines[:at]) + end + b"\r\n".join(lines[at:])


def number(generator, data):
    found = list(NUMBER.finditer(data))
    if not found:
        return data
    match = generator.choice(found)
    return data[: match.start()] + generator.choice(NUMBERS) + data[match.end() :]


def letter_case(generator, data):
    begin, end = _range(generator, data)
    return data[:begin] + data[begin:end].swapcase() + data[end:]


# More of one thing than any limit allows.
FLOODS = [b"a" * 20_000, b"X-A: b\r\n" * 3000, b"\r\n" * 20_000, b"1\r\nx\r\n" * 5000, b"0" * 80_000,
          b"5;" + b"a" * 300 + b"\r\nhello\r\n", b" " * 20_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 30]


def flood(generator, data):
    if generator.random() < 0.7:
        return insert(generator, data)
    at = _place(generator, data)
    return data[:at] + generator.choice(FLOODS) + data[at:]


CHANGES = [flip, insert, replace, remove, repeat, cut, line_insert, line_move, line_end, number, letter_case,
           flood]


def mutate(generator, data):
    """`data` with one to four changes."""
    for _ in range(generator.choice([1, 1, 1, 2, 2, 3, 4])):
        data = generator.choice(CHANGES)(generator, data) if data else generator.choice(WORDS)
    return data
