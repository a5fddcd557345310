"""What clients asked and got, what the service did, and when the program lived: recorded while a
test runs, judged afterwards (exactly_once.py). Times are time.monotonic().

A request's outcome is `ok` (an answer of the service, as it was made or replayed), `fail` (refused,
so it was certainly not forwarded) or `unknown` (no whole answer, or one that says as much).
"""

import itertools
import threading
import time
from dataclasses import dataclass, field

# Answers of the program's own that leave open whether the request was forwarded.
OPEN = ("upstream-error", "store-error")


@dataclass
class Operation:
    """One request of one client."""

    id: str
    key: str
    payload: str
    process: int  # the one that it was sent to
    invoked: float
    outcome: str = ""  # none while it is under way
    at: float = 0.0    # when the outcome was known
    decision: str = ""
    answer: tuple = ()  # (status, body) where the outcome is ok

    def took(self, response):
        """The client got a whole answer."""
        self.decision = response.decision or ""
        if self.decision in ("forwarded", "replayed"):
            self.answer = (response.status, response.body)
        self._end("ok" if self.answer else "unknown" if self.decision in OPEN else "fail")

    def lost(self):
        """The connection ended without one."""
        self._end("unknown")

    def _end(self, outcome):
        self.at = time.monotonic()
        self.outcome = outcome


@dataclass
class Execution:
    """One request as the service got it."""

    operation: str
    key: str
    payload: str
    began: float
    fence: int = 0
    ended: float = 0.0  # just before the answer was sent, or broken off; 0 while neither was
    answer: tuple = ()  # (status, body), unless it was broken off

    def answers(self, status, body):
        """Call this before the answer is sent."""
        self.answer = (status, body)
        self.ended = time.monotonic()

    def breaks_off(self):
        self.ended = time.monotonic()


@dataclass
class Life:
    """One process: ready at `started`, alive at `killed` for the last time."""

    started: float
    killed: float = float("inf")


@dataclass
class History:
    """Any thread may record."""

    operations: dict = field(default_factory=dict)  # by their ids
    executions: list = field(default_factory=list)
    lives: list = field(default_factory=list)
    _numbers: object = field(default_factory=itertools.count, repr=False)
    _lock: object = field(default_factory=threading.Lock, repr=False, compare=False)

    def started(self):
        """Call this when the program is ready. Returns the number of its life."""
        with self._lock:
            self.lives.append(Life(time.monotonic()))
            return len(self.lives) - 1

    def killed(self, life=-1):
        """Call this just before the program is killed."""
        self.lives[life].killed = time.monotonic()

    def invoke(self, key, payload="", life=None):
        """Call this before the request is sent, with the operation's id as its X-Request-Id. `life`
        is the one of the process that it is sent to; without it, the latest."""
        with self._lock:
            made = Operation(f"request-{next(self._numbers)}", key, payload,
                             len(self.lives) - 1 if life is None else life, time.monotonic())
            self.operations[made.id] = made
        return made

    def execute(self, request, payload=""):
        """Call this when the service has read a request."""
        made = Execution(request["x-request-id"], request["idempotency-key"], payload,
                         time.monotonic(), int(request["onceproxy-fence"]))
        with self._lock:
            self.executions.append(made)
        return made

    def of(self, key):
        """What happened to one key, in order, for a person."""
        told = []
        for operation in self.operations.values():
            if operation.key == key:
                told.append((operation.invoked, f"{operation.id} invoked with {operation.payload!r}"))
                if operation.outcome:
                    told.append((operation.at, f"{operation.id} {operation.outcome}, {operation.decision} "
                                               f"{_shown(operation.answer)}"))
        for execution in self.executions:
            if execution.key == key:
                told.append((execution.began, f"{execution.operation} executed, fence {execution.fence}"))
                if execution.ended:
                    told.append((execution.ended, f"{execution.operation} answered {_shown(execution.answer)}"))
        first, last = min((at for at, _ in told), default=0), max((at for at, _ in told), default=0)
        for number, life in enumerate(self.lives):
            if life.killed < float("inf") and first < life.killed and life.started < last:
                told.append((life.killed, f"process {number} killed"))
        return [f"{at:.4f} {what}" for at, what in sorted(told)]


def _shown(answer):
    return f"{answer[0]} {answer[1][:60]!r}" if answer else ""
