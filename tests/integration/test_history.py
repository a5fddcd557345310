"""The history checker itself: it accepts valid histories, and refuses each kind of invalid one."""

import copy
import random

import pytest

from harness.exactly_once import Terms, faults
from harness.history import OPEN, Execution, History, Life, Operation
from harness.history_model import imagine

TERMS = Terms(lease=5, window=40, kept=100, grace=5)
A, B, BUSY = (200, b"a"), (200, b"b"), (503, b"")
LARGE = (200, b"x" * 101)


def ask(name, invoked, at, decision, answer=(), payload="p"):
    """A client's request, answered at `at`; without a decision the connection ended then."""
    outcome = "ok" if answer else "fail" if decision and decision not in OPEN else "unknown"
    return Operation(name, "k", payload, 0, invoked, outcome, at, decision, answer)


def run(name, began, ended, answer=(), fence=0):
    """The service's execution of it; 0 where it did not end."""
    return Execution(name, "k", "p", began, fence or int(began * 10), ended, answer)


def judged(events, deaths=(), terms=TERMS):
    """What is wrong with a history whose process dies at each of `deaths`, and comes back 1 s later."""
    begins = [0, *(death + 1 for death in deaths)]
    history = History(lives=[Life(*life) for life in zip(begins, [*deaths, float("inf")])])
    for event in copy.deepcopy(events):
        if isinstance(event, Execution):
            history.executions.append(event)
        else:
            event.process = max(n for n, begin in enumerate(begins) if begin <= event.invoked)
            history.operations[event.id] = event
    return "\n".join(faults(history, terms))


FIRST = [ask("1", 1, 3, "forwarded", A), run("1", 2, 2.5, A)]
UNKNOWN = [ask("1", 1, 3, "upstream-error"), run("1", 2, 2.5)]
FAILED = [ask("1", 1, 3, "forwarded", BUSY), run("1", 2, 2.5, BUSY)]
CUT_OFF = [ask("1", 1, 4.1, ""), run("1", 2, 2.5, A)]  # by a death at 4


def second(at, answer=B, fence=0):
    """The same key, executed at that moment."""
    return [ask("2", at - 1, at + 1, "forwarded", answer), run("2", at, at + 0.5, answer, fence)]


RIGHT = {
    "one request": (FIRST, []),
    "a retry is replayed": ([*FIRST, ask("2", 4, 5, "replayed", A)], []),
    "a duplicate meanwhile": ([*FIRST, ask("2", 1, 2, "in-flight")], []),
    "another payload": ([*FIRST, ask("2", 4, 5, "mismatch", payload="q")], []),
    "again behind the window": ([*FIRST, *second(43)], []),
    "again behind a failure": ([*FAILED, *second(4)], []),
    "again behind the lease": ([*UNKNOWN, ask("3", 4, 5, "held"), *second(8)], []),
    "the client left": ([ask("1", 1, 2.1, ""), run("1", 2, 3, A), ask("2", 4, 5, "replayed", A)], []),
    "too large to keep": ([ask("1", 1, 3, "forwarded", LARGE), run("1", 2, 2.5, LARGE),
                           ask("2", 4, 5, "not-replayable")], []),
    "busy": ([*FIRST, ask("2", 4, 5, "busy")], []),
    "a death after it was kept": ([*CUT_OFF, ask("2", 6, 7, "replayed", A)], [4]),
    "a death before it was kept": ([*CUT_OFF, ask("3", 6, 7, "held"), *second(9.5)], [4]),
    "acknowledged before the death": ([*FIRST, ask("2", 6, 7, "replayed", A)], [4]),
    "a death, and read afterwards": ([ask("1", 3.9, 4.1, ""), run("1", 4.2, 4.3, A), *second(9.1)], [4]),
}

WRONG = {
    "executed again": ([*FIRST, *second(5)], [], "before 1 let it"),
    "executed twice at once": ([*FIRST, *second(2.1)], [], "before 1 let it"),
    "executed again within the lease": ([*UNKNOWN, *second(7.4)], [], "0.100 s before"),
    "executed again though nobody was told": ([ask("1", 1, 2.1, ""), run("1", 2, 3, A), *second(21)], [],
                                              "before 1 let it"),
    "executed while the service has it": ([ask("1", 1, 2.1, ""), run("1", 2, 0), *second(4)], [], "let it"),
    "executed within the lease of a dead one": ([*CUT_OFF, *second(8.9)], [4], "0.100 s before"),
    "acknowledged, and again behind the lease": ([*FIRST, *second(20)], [4], "before 1 let it"),
    "acknowledged, and gone after a death": ([*FIRST, ask("2", 6, 7, "held")], [4], "was acknowledged"),
    "one request sent twice": ([*FIRST, run("1", 50, 51, A)], [], "2 times"),
    "nobody asked": ([*FIRST, run("9", 50, 51, A)], [], "no client sent"),
    "executed before it was asked": ([FIRST[0], run("1", 0.5, 2, A)], [], "before it was sent"),
    "refused and executed": ([ask("1", 1, 3, "busy"), run("1", 2, 2.5, A)], [], "and executed"),
    "replayed and executed": ([*FIRST, ask("2", 43, 45, "replayed", B), run("2", 44, 44.5, B)], [],
                              "and executed"),
    "another answer": ([ask("1", 1, 3, "forwarded", B), FIRST[1]], [], "no execution had"),
    "another replay": ([*FIRST, ask("2", 4, 5, "replayed", B)], [], "no execution had"),
    "another status": ([*FIRST, ask("2", 4, 5, "replayed", (201, b"a"))], [], "no execution had"),
    "answered before the service": ([ask("1", 1, 2.2, "forwarded", A), FIRST[1]], [], "no execution had"),
    "an older answer as its own": ([*FIRST, ask("2", 43, 45, "forwarded", A), run("2", 44, 44.5, B)], [],
                                   "no execution had"),
    "a replay of a failure": ([*FAILED, ask("2", 4, 5, "replayed", BUSY)], [], "completes nothing"),
    "a replay for another payload": ([*FIRST, ask("2", 4, 5, "replayed", A, "q")], [], "no execution had"),
    "lost": ([*FIRST, ask("2", 4, 5, "held")], [], "after 1 was acknowledged"),
    "under way again": ([*FIRST, ask("2", 4, 5, "in-flight")], [], "after 1 was acknowledged"),
    "kept and not replayed": ([*FIRST, ask("2", 4, 5, "not-replayable")], [], "was acknowledged"),
    "a mismatch with nothing": ([*FIRST, ask("2", 2, 2.4, "mismatch")], [], "without a reason"),
    "in flight with nothing": ([ask("1", 1, 3, "in-flight")], [], "without a reason"),
    "refused in a way that the policy has not": ([ask("1", 1, 3, "stale")], [], "without a reason"),
    "held for too long": ([*UNKNOWN, ask("2", 13.1, 14, "held")], [], "long over"),
    "held for too long after a death": ([*CUT_OFF, ask("2", 15.1, 16, "held")], [4], "long over"),
    "a fence twice": ([run("1", 2, 2.5, A, 7), FIRST[0], *second(44, fence=7)], [], "fence 7 was given twice"),
    "a fence that falls": ([run("1", 2, 2.5, A, 7), FIRST[0], *second(44, fence=6)], [], "not above 7"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_history_passes(name):
    events, deaths = RIGHT[name]
    assert judged(events, deaths) == ""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_history_is_refused(name):
    events, deaths, why = WRONG[name]
    assert why in judged(events, deaths)


def test_with_hold_an_unknown_outcome_keeps_the_key_for_its_window():
    held = Terms(lease=5, window=40, hold=True)
    assert "let it" in judged([*UNKNOWN, *second(20)], terms=held)
    assert judged([*UNKNOWN, *second(43)], terms=held) == ""
    assert judged([*UNKNOWN, ask("2", 30, 31, "held")], terms=held) == ""


SHARED = Terms(lease=5, window=40, kept=100, grace=5, shared=True)
LOST = [ask("1", 1, 3, "store-error"), run("1", 2, 2.5, A)]


@pytest.mark.parametrize("events, why", [
    ([*FIRST, *second(20)], "before 1 let it"),
    ([*LOST, *second(5.9)], "0.100 s before"),
    ([*UNKNOWN, *second(5.9)], "0.100 s before"),
    ([*LOST, ask("3", 4, 5, "replayed", A), *second(20)], "before 1 let it"),
    ([*FIRST, ask("3", 6, 7, "held")], "after 1 was acknowledged"),
    ([*LOST, ask("3", 14, 15, "held")], "long over"),
])
def test_with_a_shared_store_answered_requests_hold_and_others_for_a_lease(events, why):
    assert why in judged(events, terms=SHARED)


@pytest.mark.parametrize("events", [
    [*LOST, *second(6.1)],
    [*LOST, ask("2", 4, 5, "replayed", A)],
    [*LOST, ask("3", 4, 5, "held"), *second(6.1)],
    [*FIRST, ask("2", 6, 7, "replayed", A)],
])
def test_with_a_shared_store_unanswered_requests_may_be_lost(events):
    assert judged(events, terms=SHARED) == ""


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_histories_of_a_correct_program_pass(seed):
    assert faults(imagine(seed, TERMS), TERMS) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_to_know_less_never_makes_a_history_wrong(seed):
    """A client that did not see its answer is no fault of the program."""
    history, generator = imagine(seed, TERMS), random.Random(seed)
    for operation in history.operations.values():
        if generator.random() < 0.3:
            operation.outcome, operation.decision, operation.answer = "unknown", "", ()
    assert faults(history, TERMS) == []


def some(generator, things, wanted):
    found = [thing for thing in things if wanted(thing)]
    return generator.choice(found) if found else None


def acknowledged(history, generator):
    """A request that was answered with what completes, and its execution."""
    operation = some(generator, history.operations.values(),
                     lambda o: o.outcome == "ok" and o.decision == "forwarded" and o.answer[0] == 200)
    return operation, next(e for e in history.executions if operation and e.operation == operation.id)


def executed_once_more(history, generator):
    operation, execution = acknowledged(history, generator)
    extra = Operation("extra", operation.key, operation.payload, operation.process, operation.at, "unknown",
                      operation.at + 2)
    history.operations["extra"] = extra
    history.executions.append(Execution("extra", operation.key, operation.payload, operation.at + 0.1, 10**6,
                                        operation.at + 0.2, (200, b"another")))


def a_byte_changed(history, generator):
    operation = some(generator, history.operations.values(), lambda o: o.outcome == "ok" and o.answer[1])
    status, body = operation.answer
    at = generator.randrange(len(body))
    operation.answer = status, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def answers_swapped(history, generator):
    first, _ = acknowledged(history, generator)
    other = some(generator, history.operations.values(),
                 lambda o: o.outcome == "ok" and o.key != first.key and o.answer != first.answer)
    first.answer, other.answer = other.answer, first.answer


def a_retry_held(history, generator):
    operation, _ = acknowledged(history, generator)
    history.operations["extra"] = Operation("extra", operation.key, operation.payload, operation.process,
                                            operation.at + 0.01, "fail", operation.at + 0.02, "held")


def an_execution_forgotten(history, generator):
    _, execution = acknowledged(history, generator)
    history.executions.remove(execution)


def an_execution_refused(history, generator):
    operation, _ = acknowledged(history, generator)
    operation.outcome, operation.decision, operation.answer = "fail", "in-flight", ()


def answered_too_early(history, generator):
    operation, execution = acknowledged(history, generator)
    operation.at = (execution.began + execution.ended) / 2


def a_fence_set_back(history, generator):
    execution = generator.choice(history.executions)
    execution.fence = some(generator, history.executions, lambda e: e is not execution).fence


WRONGS = [executed_once_more, a_byte_changed, answers_swapped, a_retry_held, an_execution_forgotten,
          an_execution_refused, answered_too_early, a_fence_set_back]


@pytest.mark.parametrize("change", WRONGS, ids=lambda change: change.__name__)
def test_a_right_history_with_one_wrong_is_refused(change):
    for seed in SEEDS:
        history = imagine(seed, TERMS)
        change(history, random.Random(seed))
        assert faults(history, TERMS), f"{change.__name__} with seed {seed}"
