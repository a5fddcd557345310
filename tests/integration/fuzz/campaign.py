"""Runs cases, many at once, and collects those that failed a check."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from harness.message import Malformed

SHOWN = 3000  # bytes of a fault's data
FAULTS = 5    # enough to see what is wrong


@dataclass
class Terms:
    """`count` cases, or as many as `seconds` allow; `only`: that one alone."""

    seed: str
    count: int = 0
    seconds: float = 0
    only: int = -1
    at_once: int = 96

    def numbers(self):
        if self.only >= 0:
            yield self.only
            return
        number, end = 0, time.monotonic() + self.seconds
        while number < self.count or time.monotonic() < end:
            yield number
            number += 1


@dataclass
class Campaign:
    """`case(campaign, generator, number)` is a coroutine; `alive()` tells whether to go on."""

    terms: Terms
    alive: object
    faults: list = field(default_factory=list)
    under_way: set = field(default_factory=set)
    done: int = 0

    def fault(self, what, *data, case="?"):
        """A claim is broken; `data` is what was sent and what came."""
        if len(self.faults) >= 2 * FAULTS or not self.alive():
            return  # enough is seen; or it is because the program is gone, which is told by itself
        text = "".join(f"\n    {bytes(part[:SHOWN])!r}" for part in data)
        self.faults.append(f"case {case}: {what}{text}")

    async def run(self, case):
        numbers = self.terms.numbers()
        workers = [self._work(numbers, case) for _ in range(self.terms.at_once)]
        await asyncio.gather(*workers)

    async def _work(self, numbers, case):
        for number in numbers:
            if len(self.faults) >= FAULTS or not self.alive():
                return
            self.under_way.add(number)
            try:
                await case(self, random.Random(f"{self.terms.seed}-{number}"), number)
            except Malformed as error:
                self.fault(f"a client was sent what is no HTTP: {error}", case=number)
            except OSError as error:
                self.fault(f"the connection could not be used: {error!r}", case=number)
            if not self.alive():
                return  # one of the cases under way was its end
            self.under_way.discard(number)
            self.done += 1

    def check(self):
        """Fails with everything that was found."""
        if not self.alive():
            self.faults.append(f"the program ended during one of the cases {sorted(self.under_way)}")
        assert not self.faults, (
            f"after {self.done} cases with ONCEPROXY_CONNECTION_SEED={self.terms.seed} "
            f"(ONCEPROXY_CONNECTION_CASE repeats one):\n" + "\n".join(self.faults))
