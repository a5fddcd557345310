"""Processes that are stopped where they are and go on later, as on a machine that is suspended."""

import contextlib
import os
import pathlib
import signal

from .wait import eventually


def stop(*processes):
    """Stops processes, by their ids. Those that have ended meanwhile are left out.

    kill() only asks for it: until the thread that takes the signal gets a processor, the other threads
    go on, which on a busy machine lasts for milliseconds.
    """
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
    eventually(lambda: all(stands_still(process) for process in processes), "every thread is stopped")


def go_on(*processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


@contextlib.contextmanager
def stopped(proxy):
    """A proxy that does nothing within the block."""
    stop(proxy.process.pid)
    try:
        yield
    finally:
        go_on(proxy.process.pid)


def stands_still(process):
    """Whether all threads of a process are stopped, or have ended."""
    return all(state(thread) in "TtZX" for thread in pathlib.Path(f"/proc/{process}/task").glob("*"))


def state(thread):
    """The state of a thread as in proc(5); X if there is none any more."""
    try:
        # The name of the program, in parentheses, may contain anything.
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
