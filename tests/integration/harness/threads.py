"""Stops single threads of the program."""

import ctypes
import os
import pathlib

import pytest

# ptrace(2): one thread is stopped, and the others go on.
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WAIT_ALL = 0x4206, 0x4207, 17, 0x40000000


def _ptrace():
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function


def halt(thread):
    """Stops a thread. Whoever called goes on with it by resume(), from the same thread."""
    for asked in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if _ptrace()(asked, thread, None, None) != 0:
            pytest.skip(f"threads cannot be stopped here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, WAIT_ALL)


def resume(thread):
    assert _ptrace()(PTRACE_DETACH, thread, None, None) == 0, os.strerror(ctypes.get_errno())


def named(pid, name):
    """The threads of a process that have this name."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return [int(task.name) for task in tasks.iterdir()
            if (task / "comm").read_text().strip() == name]
