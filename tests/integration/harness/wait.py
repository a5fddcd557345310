"""Waiting with a bound: for something that another process or thread will do."""

import asyncio
import time

# Seconds. Far more than anything takes, so that a busy machine fails no test; a test that is right
# never waits so long.
PATIENCE = 60.0


def eventually(check, what, within=PATIENCE):
    """The first true value of `check()`; fails, naming `what`, when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(0.01)


async def eventually_in_loop(check, what, within=PATIENCE):
    """The same for a test on an event loop, which runs on meanwhile."""
    deadline = time.monotonic() + within
    while not (value := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.05)
    return value
