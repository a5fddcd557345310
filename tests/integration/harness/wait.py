"""Waiting with a bound: for something that another process or thread will do."""

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
