"""Connections with mutated bytes, to every port of the program and from the service. In every case the
program keeps running, sends strictly valid HTTP in both directions, releases all resources, and still serves
and drains."""

import asyncio
import os
import random
import time

from fuzz import Campaign, Terms, data_port, operator_ports, requests, service_side
from fuzz.client import Caller
from fuzz.service import Service
from harness import PATIENCE
from harness.wait import eventually_in_loop

LONG = os.environ.get("ONCEPROXY_LONG") == "1"
SECONDS = float(os.environ.get("ONCEPROXY_CONNECTION_SECONDS", "60" if LONG else "0"))
SEED = os.environ.get("ONCEPROXY_CONNECTION_SEED") or (str(random.randrange(10**9)) if LONG else "1")
CASE = int(os.environ.get("ONCEPROXY_CONNECTION_CASE", "-1"))
CASES = 1000
MIB = 1024 * 1024
GROWTH = 96 * MIB  # of memory, most of it the store's, whose records stay

LIMITS = {"head_timeout": "1s", "body_timeout": "1s", "idle_timeout": "1s", "body_bytes": "64KiB"}
UPSTREAM = {"response_timeout": "2s", "idle_timeout": "2s", "max_connections": 64}
DRAIN = 5  # seconds


class Assault:
    """One campaign against one program: before, during and after."""

    def __init__(self, stage, plan, case):
        self.case = case
        self.terms = Terms(SEED, 0 if SECONDS else CASES, SECONDS, CASE)
        self.campaign = Campaign(self.terms, lambda: self.proxy.running)
        self.service = Service(plan, self.campaign.fault)
        self.stage = stage
        self.proxy = None

    async def run(self):
        print(f"ONCEPROXY_CONNECTION_SEED={SEED}")
        await self.service.start()
        self.proxy = self.stage.proxy(self.service.address, requests.POLICIES, limits=LIMITS,
                                      upstream=UPSTREAM, arguments=["--drain-time", f"{DRAIN}s"])
        self.proxy.operator.post("/logging?level=error")  # the harness would keep every line
        try:
            await self.serves("forwarded")
            memory, begin = self.proxy.rss(), time.monotonic()
            await self.campaign.run(self.case(self))
            took = time.monotonic() - begin
            self.campaign.check()
            self.proxy.check_alive()
            self.proxy.operator.post("/reload")  # takes back what operators changed
            await self.serves("replayed")
            await asyncio.to_thread(self.proxy.rest.check)
            grown = self.proxy.rss() - memory
            print(f"{self.campaign.done} cases in {took:.0f} s, {grown // MIB} MiB more memory")
            assert grown < GROWTH, f"{grown // MIB} MiB more memory after {self.campaign.done} cases"
            await self.drains()
            self.proxy.restart()
            await self.serves("replayed")
        finally:
            await self.service.close()
        self.proxy.close()

    async def serves(self, decision):
        """One normal request, the same each time, is answered."""
        caller = Caller(self.proxy.data)
        answer, _ = await caller.call(requests.make_order("normal"))
        caller.close()
        assert (answer.status, answer.decision, answer.body) == (200, decision, b"ok"), answer

    async def drains(self):
        """Under the same attack, in time. What the clients of the end get is not judged."""
        draining = asyncio.Event()
        terms = Terms(f"{SEED}-drain", 10**9)
        attack = Campaign(terms, lambda: not draining.is_set())
        attacking = asyncio.create_task(attack.run(self.case(self)))
        await eventually_in_loop(lambda: attack.done >= 100 or attacking.done(), "a hundred cases")
        draining.set()
        begin = time.monotonic()
        code = await asyncio.to_thread(self.proxy.terminate)
        took = time.monotonic() - begin
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.proxy.stderr.text()}"
        assert took < DRAIN + 10, f"the drain took {took:.0f} s"
        await asyncio.wait_for(attacking, PATIENCE)


def test_no_client_breaks_it(stage):
    asyncio.run(Assault(stage, data_port.plan,
                        lambda it: data_port.case(it.proxy.data, it.service)).run())


def test_no_service_breaks_it(stage):
    asyncio.run(Assault(stage, service_side.Plans(SEED),
                        lambda it: service_side.case(it.proxy.data, it.service)).run())


def test_mutated_requests_to_the_operators_ports_do_not_break_it(stage):
    asyncio.run(Assault(stage, data_port.plan,
                        lambda it: operator_ports.case((it.proxy.admin, it.proxy.telemetry))).run())
