"""The checks of the connection fuzzer: how it reads answers, and which answers it expects."""

import random

import pytest

from fuzz import requests
from fuzz.answers import Plan
from fuzz.connections import Ending, Script
from fuzz.mutation import mutate
from fuzz.reading import read_answers
from fuzz.service import Exchange
from fuzz.service_side import failed, verdict
from harness.connection import Request
from harness.message import Malformed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
TO_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def exchange(data, ending=Ending.WAIT, method="GET", clean=True, pause=0):
    plan = Plan(Script([(data, pause)], ending))
    return Exchange(Request(method, "/free/1.0.00000000", 1, [], b""), plan, clean, sent=True)


@pytest.mark.parametrize("data, heads, count, left", [
    (OK + HINTS + OK, False, 2, b""),
    (OK + OK[:-1], False, 1, OK[:-1]),
    (TO_HEAD + OK, True, 2, b""),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nxyz", False, 1, b"xyz"),
])
def test_everything_that_came_is_read(data, heads, count, left):
    found, rest = read_answers(data, True, heads)
    assert (len(found), rest) == (count, left)


@pytest.mark.parametrize("data", [OK + b"x\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\r\n\r\n", TO_HEAD + OK,
                                  b"HTTP/1.1 200 OK\r\nX-A: \x01\r\nContent-Length: 0\r\n\r\n"])
def test_bytes_that_are_not_http_are_reported(data):
    with pytest.raises(Malformed):
        read_answers(data, True, False)


@pytest.mark.parametrize("data", [b"", OK[:-1], OK.replace(b"\r\n", b"\n"), HINTS, HINTS * 11 + OK,
                                  OK.replace(b"200", b"20"), OK.replace(b"200", b"600"), b"x" + OK])
def test_a_bad_answer_must_not_be_passed_on(data):
    assert verdict(exchange(data)) == "bad"


def test_a_right_answer_must_be_passed_on():
    said = verdict(exchange(HINTS + OK))
    assert (said.status, said.body) == (200, b"ok")
    assert verdict(exchange(TO_HEAD, method="HEAD")).body == b""
    assert verdict(exchange(b"HTTP/1.1 200 OK\r\n\r\nto the end", Ending.FINISH)).body == b"to the end"


@pytest.mark.parametrize("unclear", [
    exchange(OK, Ending.RESET), exchange(OK, clean=False), exchange(OK, pause=60),
    exchange(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n"),
])
def test_cases_with_several_valid_results_are_not_judged(unclear):
    assert verdict(unclear) == "unclear"


def test_only_a_failure_lets_an_operation_be_done_again():
    assert failed(exchange(OK.replace(b"200", b"503")))
    assert not failed(exchange(OK))
    assert not failed(exchange(OK.replace(b"200", b"503")[:-1])), "it broke off"
    assert not failed(exchange(OK.replace(b"200", b"502"))), "something in between"


def test_a_case_is_the_same_each_time():
    def made():
        generator = random.Random("1-7")
        pipeline = requests.pipeline(generator, "1", 7)
        return [mutate(generator, request.data) for request in pipeline]

    assert made() == made()
