"""Checks a history: was the operation of each key executed exactly once, as far as that is promised? If the
exact moments are unknown, the check is in favour of the program: an execution ends when the service begins to
answer, and a process lives at least until just before it is killed."""

import itertools
from collections import defaultdict
from dataclasses import dataclass

# Refusals that say nothing about the key.
ELSEWHERE = ("busy", "rate-limited")


@dataclass
class Terms:
    """A policy's, in seconds."""

    lease: float
    window: float
    released: frozenset = frozenset({307, 308, 401, 407, 408, 412, 417, 421, 425, 428, 429,
                                     *range(500, 600)} - {502, 504})
    ambiguous: frozenset = frozenset({502, 504})
    kept: int = 256 * 1024  # bytes of an answer that is replayed
    hold: bool = False      # unknown: hold
    grace: float = 10.0     # how much longer than its lease a dead reservation may hold a key
    # Processes share the store, and the store may fail beneath them: a lease begins when a key is
    # reserved and is renewed only while the store can be reached, and an outcome that no client was
    # told of may have been lost.
    shared: bool = False
    # That store waits for a standby. While there is none, whatever it finds is unconfirmed, and is
    # answered `held` also after it was acknowledged.
    replicated: bool = False

    def completes(self, answer):
        return bool(answer) and answer[0] not in self.released | self.ambiguous


def faults(history, terms):
    """Sentences that say what is wrong, each with what happened to its key; none for a right history."""
    operations, executions = defaultdict(list), defaultdict(list)
    for operation in history.operations.values():
        operations[operation.key].append(operation)
    for execution in history.executions:
        executions[execution.key].append(execution)
    found = []
    for key in operations.keys() | executions.keys():
        judge = _Key(history, terms, operations[key], executions[key])
        wrong = [fault for rule in judge.rules for fault in rule()]
        if wrong:
            story = "\n    ".join(history.of(key)[:60])
            found.append("\n  ".join([f"{key}:", *wrong]) + f"\n    {story}")
    fences = [execution.fence for execution in history.executions]
    found += [f"fence {fence} was given twice" for fence in {f for f in fences if fences.count(f) > 1}] \
        if len(set(fences)) < len(fences) else []
    return found


class _Key:
    """The history of one key, and the rules. Each yields what breaks it."""

    def __init__(self, history, terms, operations, executions):
        self.lives = history.lives
        self.terms = terms
        self.all = history.operations
        self.operations = sorted(operations, key=lambda operation: operation.invoked)
        self.executions = sorted(executions, key=lambda execution: execution.began)
        self.own = defaultdict(list)  # executions by the request that they were
        for execution in self.executions:
            self.own[execution.operation].append(execution)
        self.rules = [self.executions_have_a_cause, self.requests_are_executed_once,
                      self.refused_is_not_executed, self.answers_are_the_executions,
                      self.none_while_one_holds_the_key, self.nothing_acknowledged_is_lost,
                      self.refusals_have_a_reason, self.nothing_holds_for_ever, self.fences_rise]

    def executions_have_a_cause(self):
        for execution in self.executions:
            cause = self.all.get(execution.operation)
            if cause is None or (cause.key, cause.payload) != (execution.key, execution.payload):
                yield f"{execution.operation} was executed with what no client sent"
            elif execution.began < cause.invoked:
                yield f"{execution.operation} was executed before it was sent"

    def requests_are_executed_once(self):
        for operation, executions in self.own.items():
            if len(executions) > 1:
                yield f"{operation} was sent to the service {len(executions)} times"

    def refused_is_not_executed(self):
        for operation in self.operations:
            if (operation.outcome == "fail" or operation.decision == "replayed") and self.own[operation.id]:
                yield f"{operation.id} was answered {operation.decision} and executed"

    def answers_are_the_executions(self):
        for operation in self.operations:
            if operation.outcome != "ok":
                continue
            sources = self.sources(operation)
            if operation.decision == "forwarded":
                sources = [source for source in sources if source.operation == operation.id]
            elif not self.terms.completes(operation.answer):
                yield f"{operation.id} was replayed an answer that completes nothing"
            if not sources:
                yield f"{operation.id} was answered what no execution had answered before"

    def sources(self, operation):
        """The executions whose answer this is."""
        return [execution for execution in self.executions
                if execution.answer == operation.answer and execution.payload == operation.payload
                and execution.ended <= operation.at]

    def none_while_one_holds_the_key(self):
        for before, after in itertools.pairwise(self.executions):
            free = self.free_at(before)
            if after.began < free:
                yield (f"{after.operation} was executed {free - after.began:.3f} s before "
                       f"{before.operation} let it")

    def free_at(self, execution):
        """The earliest moment at which another may begin."""
        terms, ended = self.terms, execution.ended or execution.began
        completed = ended + terms.window
        unknown = terms.window if terms.hold else terms.lease
        if terms.completes(execution.answer):
            if self.acknowledged(execution):
                return completed
            if self.terms.shared:
                return min(completed, self.reserved(execution) + unknown)
            killed = self.killed(execution)
            # Whether the completion was on disk when the process died is not known.
            return completed if killed is None else min(completed, killed + unknown)
        if execution.answer and execution.answer[0] in terms.released:
            return ended
        if self.terms.shared:
            return self.reserved(execution) + unknown
        killed = self.killed(execution)
        return (ended if killed is None else min(ended, killed)) + unknown

    def reserved(self, execution):
        """The earliest moment at which its key may have been reserved."""
        cause = self.all.get(execution.operation)
        return cause.invoked if cause else execution.began

    def killed(self, execution):
        """When the process that forwarded it was killed; None where it was not."""
        cause = self.all.get(execution.operation)
        killed = self.lives[cause.process].killed if cause else float("inf")
        return None if killed == float("inf") else killed

    def acknowledged(self, execution):
        return any(execution in self.sources(operation) for operation in self.operations
                   if operation.outcome == "ok")

    def nothing_acknowledged_is_lost(self):
        for known in self.operations:
            if known.outcome != "ok" or not self.terms.completes(known.answer):
                continue
            until = max((s.ended for s in self.sources(known)), default=known.at) + self.terms.window
            for later in self.operations:
                if later.invoked > known.at and later.outcome in ("ok", "fail") and later.at < until:
                    wanted = self.after(known, later)
                    unconfirmed = self.terms.replicated and later.decision == "held"
                    if later.decision not in (wanted, *ELSEWHERE) and not unconfirmed:
                        yield f"{later.id} was answered {later.decision} after {known.id} was acknowledged"
                    elif later.decision == "replayed" and later.answer != known.answer:
                        yield f"{later.id} was replayed another answer than {known.id}"

    def after(self, known, later):
        """The decision on `later` when the client of `known` has its answer."""
        if later.payload != known.payload:
            return "mismatch"
        return "replayed" if len(known.answer[1]) <= self.terms.kept else "not-replayable"

    def refusals_have_a_reason(self):
        for refused in self.operations:
            if refused.outcome != "fail" or refused.decision in ELSEWHERE:
                continue
            others = [other for other in self.operations
                      if other is not refused and other.invoked < refused.at]
            if refused.decision == "mismatch":
                others = [other for other in others if other.payload != refused.payload]
            elif refused.decision == "not-replayable":
                others = [e for e in self.executions if e.answer and e.ended <= refused.at
                          and len(e.answer[1]) > self.terms.kept]
            elif refused.decision not in ("in-flight", "held"):
                others = []
            if not others:
                yield f"{refused.id} was answered {refused.decision} without a reason"

    def nothing_holds_for_ever(self):
        """A key is held only while somebody may hold it, and for a lease after that."""
        for refused in self.operations:
            if refused.decision not in ("in-flight", "held") or self.terms.hold:
                continue
            if refused.decision == "held" and self.terms.replicated:
                continue
            last = max((self.held_until(other) for other in self.operations
                        if other is not refused and other.invoked < refused.at), default=refused.invoked)
            if refused.invoked > last + self.terms.lease + self.terms.grace:
                yield f"{refused.id} was answered {refused.decision} though the lease was long over"

    def held_until(self, operation):
        """The latest moment at which this request may have held the key."""
        if operation.decision:
            return operation.at
        killed = self.lives[operation.process].killed
        if self.terms.shared:
            # A request whose store failed ended with its answer, its reservation with its lease.
            return operation.at if killed == float("inf") and operation.outcome else killed
        if killed == float("inf"):
            return float("inf")  # it may still be under way
        following = self.lives[operation.process + 1 :]
        return following[0].started if following else float("inf")

    def fences_rise(self):
        for before, after in itertools.pairwise(self.executions):
            if after.fence <= before.fence:
                yield f"{after.operation} has fence {after.fence}, not above {before.fence}"
