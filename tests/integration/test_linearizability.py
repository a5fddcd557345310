"""The linearizability checker itself (harness/linearizability.py): it accepts valid histories, and finds each
kind of violation."""

import pytest

from harness.exactly_once import Terms
from harness.history import Execution, History, Life, Operation
from harness.history_model import imagine
from harness.linearizability import check

TERMS = Terms(lease=2, window=3600)
ANSWER, OTHER = (200, b"first"), (200, b"second")


def asked(number, invoked, at, decision="", answer=(), outcome="ok"):
    return Operation(f"request-{number}", "key", "p", 0, invoked, outcome, at, decision, answer)


def executed(number, began, ended, answer=ANSWER):
    return Execution(f"request-{number}", "key", "p", began, number, ended, answer)


def history(operations, executions):
    return History({operation.id: operation for operation in operations}, executions, [Life(0)])


@pytest.mark.parametrize("seed", range(10))
def test_histories_of_an_imagined_right_program_are_linearizable(seed):
    assert check(imagine(seed, TERMS), TERMS).startswith("ok: ")


def test_unanswered_requests_may_have_happened_or_not():
    first = asked(1, 0, 2, outcome="unknown")
    for last in (asked(2, 3, 4, "replayed", ANSWER), asked(2, 3, 4, "held", outcome="fail")):
        check(history([first, last], [executed(1, 1, 1.5)]), TERMS)
    again = asked(2, 9, 12, "forwarded", OTHER)
    check(history([first, again], [executed(1, 1, 1.5), executed(2, 10, 11, OTHER)]), TERMS)


WRONG = {
    "executed twice, both acknowledged": (
        [asked(1, 0, 3, "forwarded", ANSWER), asked(2, 4, 7, "forwarded", OTHER)],
        [executed(1, 1, 2), executed(2, 5, 6, OTHER)]),
    "executed while another executes": (
        [asked(1, 0, 9, "forwarded", ANSWER), asked(2, 1, 4, "forwarded", OTHER)],
        [executed(1, 1, 8), executed(2, 2, 3, OTHER)]),
    "replayed another answer": (
        [asked(1, 0, 3, "forwarded", ANSWER), asked(2, 4, 5, "replayed", OTHER)],
        [executed(1, 1, 2)]),
    "replayed before it was executed": (
        [asked(1, 0, 9, "forwarded", ANSWER), asked(2, 1, 2, "replayed", ANSWER)],
        [executed(1, 5, 8)]),
    "refused after it was acknowledged": (
        [asked(1, 0, 3, "forwarded", ANSWER), asked(2, 4, 5, "in-flight", outcome="fail")],
        [executed(1, 1, 2)]),
    "replayed, then executed again": (
        [asked(1, 0, 2, outcome="unknown"), asked(2, 3, 4, "replayed", ANSWER),
         asked(3, 9, 12, "forwarded", OTHER)],
        [executed(1, 1, 1.5), executed(3, 10, 11, OTHER)]),
}


@pytest.mark.parametrize("name", WRONG)
def test_violations_are_found(name):
    with pytest.raises(AssertionError, match="not linearizable: key"):
        check(history(*WRONG[name]), TERMS)
