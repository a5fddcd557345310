"""Histories as steps on registers, checked by porcupine (tests/linearizability).

Each key is a register that is reserved, completed and replayed. The steps of one request, each at one
moment within its time: its reservation, between the moment when the client sent it and the moment
when the service got it; its completion or release, between the service's answer and the client's.
What became of a request that no client heard of is open: such a step may have happened, at any time.
"""

import functools
import hashlib
import json
import pathlib
import shutil
import subprocess
import tempfile

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "linearizability"


@functools.cache
def checker():
    """The path of the checker, built once; a test is skipped where it cannot be."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go:
        pytest.skip("no Go to build the checker with")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-porcupine-"))
    built = subprocess.run([go, "build", "-o", directory / "linearizability", "."], cwd=FOLDER,
                           capture_output=True, text=True, timeout=600)
    if built.returncode != 0 and "dial tcp" in built.stderr:
        pytest.skip("no Go to build the checker with: the module cannot be fetched")
    assert built.returncode == 0, built.stderr
    return directory / "linearizability"


def steps(history, terms):
    """Every step, as the checker reads it."""
    executions = {}
    for execution in history.executions:
        executions.setdefault(execution.operation, []).append(execution)
    for operation in history.operations.values():
        mine = executions.get(operation.id, [])
        if operation.decision == "replayed":
            yield _step(operation, "replay", operation.invoked, operation.at,
                        answer=_digest(operation.answer))
        elif operation.decision in ("in-flight", "held") and terms.replicated:
            continue  # what could not be confirmed, or written yet, says nothing about the key
        elif operation.decision in ("in-flight", "held"):
            yield _step(operation, "refuse", operation.invoked, operation.at)
        elif operation.outcome in ("unknown", "") and not mine:
            yield _step(operation, "reserve", operation.invoked, None, maybe=True, lost=True)
        for execution in mine:
            yield from _executed(operation, execution, terms)


def _executed(operation, execution, terms):
    status = execution.answer[0] if execution.answer else None
    kind = ("release" if status in terms.released else
            "complete" if terms.completes(execution.answer) else None)
    told = operation.outcome == "ok" and operation.decision == "forwarded"
    yield _step(operation, "reserve", operation.invoked, execution.began,
                lost=kind is None or not told)
    if kind:
        yield _step(operation, kind, execution.ended, operation.at if told else None,
                    answer=_digest(execution.answer), maybe=not told)


def _step(operation, kind, begin, end, answer="", maybe=False, lost=False):
    return {"key": operation.key, "kind": kind, "by": operation.id, "answer": answer,
            "begin": int(begin * 1e9), "end": 0 if end is None else int(end * 1e9),
            "maybe": maybe, "lost": lost}


def _digest(answer):
    return hashlib.sha256(repr(answer).encode()).hexdigest()[:16] if answer else ""


def check(history, terms):
    """What the checker says of it; fails where the history is not linearizable."""
    lines = "".join(json.dumps(step) + "\n" for step in steps(history, terms))
    result = subprocess.run([checker()], input=lines, capture_output=True, text=True, timeout=3600)
    wrong = [line.rpartition(" ")[2] for line in result.stdout.splitlines()][:3]
    stories = ["\n    ".join([key, *history.of(key)[:60]]) for key in wrong]
    assert result.returncode == 0, "\n".join([result.stdout[:2000], result.stderr, *stories])
    return result.stdout.strip()
