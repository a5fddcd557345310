"""An answer that the upstream sends before it has received the whole request is passed on."""

import hashlib
import threading

import pytest

from harness import Client, policy
from test_upstream_failures import check_held

MIB = 1024 * 1024
BODY = hashlib.sha512(b"body").digest() * (16 * MIB // 64)  # more than sockets hold
# The first is covered; the second one's policy lets all operations pass, with their bodies buffered.
TARGETS = ["/orders", "/share"]


@pytest.fixture
def upload(stage):
    """Sends the large body through a proxy to a handler; gives the answer, the upstream, and a way
    to ask again."""

    def start(handler, target, **upstream_options):
        upstream = stage.upstream(handler, streams=True)
        share = policy(name="share", match={"methods": ["POST"], "path": "/share"},
                       enforcement={"percent": 0})
        proxy = stage.proxy(upstream, [policy(lease="60s"), share],
                            limits={"body_bytes": "32MiB"}, upstream=upstream_options)

        def ask():
            with Client(proxy.data) as client:
                return client.call(key="a", target=target, body=BODY)

        return ask, upstream, proxy

    return start


def discard(connection):
    while connection.receive():
        pass


@pytest.mark.parametrize("target", TARGETS)
def test_a_final_answer_that_comes_early_is_the_answer(upload, target):
    answered = threading.Event()

    def refuse(exchange):
        exchange.answer(403, b"no")
        answered.wait(60)
        discard(exchange.connection)

    ask, upstream, proxy = upload(refuse, target, idle_timeout="30s")
    answer = ask()
    assert (answer.status, answer.body) == (403, b"no")
    answered.set()
    assert upstream.connections[0].closed_by_proxy(), "it carries no other request"
    assert upstream.bytes_received < len(BODY), "the rest of the body is not sent"
    again = ask()
    assert (again.status, again.body) == (403, b"no")
    if target == "/orders":
        assert (answer.decision, again.decision) == ("forwarded", "replayed")
        assert upstream.executions["a"] == 1
    else:
        assert (answer.decision, again.decision) == ("passed", "passed")


@pytest.mark.parametrize("target", TARGETS)
def test_an_answer_in_front_of_a_reset_is_the_answer(upload, target):
    def refuse(exchange):
        exchange.answer(413, b"too much", {"Connection": "close"})
        exchange.connection.close()  # with bytes unread: a reset follows the answer

    ask, upstream, proxy = upload(refuse, target)
    assert ask().status == 413


@pytest.mark.parametrize("target", TARGETS)
def test_an_early_status_that_releases_frees_the_key(upload, target):
    answered = threading.Event()

    def busy(exchange):
        exchange.answer(429, b"later")
        answered.wait(60)
        discard(exchange.connection)

    ask, upstream, proxy = upload(busy, target)
    assert ask().status == 429
    answered.set()
    assert ask().status == 429
    assert upstream.executions["a"] == 2


@pytest.mark.parametrize("target", TARGETS)
def test_an_early_interim_answer_lets_the_request_go_on(upload, target):
    def patient(exchange):
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        digest = hashlib.sha256(b"".join(exchange.body_pieces())).hexdigest()
        exchange.answer(200, {"sha256": digest})

    ask, upstream, proxy = upload(patient, target)
    assert ask().json == {"sha256": hashlib.sha256(BODY).hexdigest()}


@pytest.mark.parametrize("target", TARGETS)
def test_an_answer_that_runs_beside_the_request_is_whole(upload, target):
    """As an echo does: the head goes out before the body is read."""
    def echo(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        size = sum(len(piece) for piece in exchange.body_pieces())
        exchange.send(b"4\r\nlast\r\n0\r\n\r\n")
        assert size == len(BODY)
        discard(exchange.connection)

    ask, upstream, proxy = upload(echo, target)
    answer = ask()
    assert (answer.status, answer.body) == (200, b"firstlast")
    assert upstream.bytes_received > len(BODY)


def test_an_early_answer_that_is_malformed_is_an_unknown_outcome(upload):
    answered = threading.Event()

    def junk(exchange):
        exchange.send(b"HTTP/1.1 999 Junk\r\n\r\n")
        answered.wait(60)
        discard(exchange.connection)

    ask, upstream, proxy = upload(junk, "/orders")
    answer = ask()
    assert (answer.status, answer.decision) == (502, "upstream-error")
    answered.set()
    check_held(ask(), lease=60)


@pytest.mark.parametrize("target", TARGETS)
def test_an_upstream_that_takes_nothing_and_says_nothing_is_a_time_out(upload, target):
    done = threading.Event()
    ask, upstream, proxy = upload(lambda exchange: done.wait(60), target, idle_timeout="1s",
                                  response_timeout="1s")
    answer = ask()
    done.set()
    assert answer.status == 504
    if target == "/orders":
        check_held(ask(), lease=60)
