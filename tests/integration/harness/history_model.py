"""A simulation of a correct program: it makes the histories that such a program would leave, without running
it."""

import random

from .history import Execution, History, Life, Operation

ANSWERS = [200, 200, 200, 503, 502, None]  # None: broken off


class _Key:
    """What is known of one key: who holds it, until when, and what it was answered."""

    def __init__(self, name):
        self.name = name
        self.busy = 0.0  # executing until then
        self.held = 0.0  # of unknown outcome until then
        self.done = None  # the execution that completed
        self.known = 0.0  # and until when


def imagine(seed, terms, keys=6, requests=80):
    """A history of a program that dies now and then, with few clients' requests and many duplicates."""
    return _Imagined(random.Random(seed), terms).history(keys, requests)


class _Imagined:
    def __init__(self, generator, terms):
        self.generator = generator
        self.terms = terms
        self.made = History(lives=[Life(0)])
        self.fence = 0
        self.now = 0.0

    def history(self, keys, requests):
        known = [_Key(f"key-{n}") for n in range(keys)]
        for number in range(requests):
            self.now += self.generator.expovariate(2)
            if self.generator.random() < 0.05:
                self.die(known)
            self.ask(f"request-{number}", self.generator.choice(known))
        return self.made

    def die(self, known):
        """What was executing is of unknown outcome from now on, unless it was kept already."""
        self.made.lives[-1].killed = self.now
        for key in known:
            if key.busy > self.now:
                key.held, key.busy, key.done = self.now + self.terms.lease, 0.0, None
        for operation in self.made.operations.values():
            if operation.at > self.now:
                operation.outcome, operation.decision, operation.answer = "unknown", "", ()
                operation.at = self.now + 0.01
        self.now += 0.5
        self.made.lives.append(Life(self.now))

    def ask(self, name, key):
        payload = "other" if self.generator.random() < 0.05 and (key.done or key.busy > self.now) else "p"
        asked = Operation(name, key.name, payload, len(self.made.lives) - 1, self.now)
        self.made.operations[name] = asked
        if key.busy > self.now or (key.done and key.known > self.now):
            self.refuse(asked, key)
        elif key.held > self.now:
            self.answered(asked, "fail", "held")
        else:
            self.execute(asked, key)

    def refuse(self, asked, key):
        if asked.payload == "other":
            self.answered(asked, "fail", "mismatch")
        elif key.busy > self.now:
            self.answered(asked, "fail", "in-flight")
        else:
            self.answered(asked, "ok", "replayed", key.done.answer)

    def answered(self, asked, outcome, decision, answer=(), at=0.0):
        asked.outcome, asked.decision, asked.answer = outcome, decision, answer
        asked.at = at or self.now + 0.001

    def execute(self, asked, key):
        asked.payload = "p"
        self.fence += 1
        began = self.now + 0.01
        ended = began + self.generator.expovariate(2) + 0.01
        status = self.generator.choice(ANSWERS)
        execution = Execution(asked.id, key.name, "p", began, self.fence, ended)
        self.made.executions.append(execution)
        key.busy, key.done = ended + 0.01, None
        if status is None:
            key.held = ended + self.terms.lease + 0.02
            self.answered(asked, "unknown", "upstream-error", at=ended + 0.02)
            return
        execution.answer = (status, f"{asked.id} {self.generator.random()}".encode())
        if status in self.terms.ambiguous:
            key.held = ended + self.terms.lease + 0.02
        elif status not in self.terms.released:
            key.done, key.known = execution, ended + self.terms.window + 0.02
        self.answered(asked, "ok", "forwarded", execution.answer, at=ended + 0.02)
