"""What a process writes, line by line, while it runs."""

import json
import re
import threading

from .wait import PATIENCE


class Lines:
    """Collects the lines of a pipe on a thread of its own, until the pipe ends."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        for line in self._pipe:
            with self._changed:
                self._lines.append(line.decode(errors="backslashreplace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._lines)

    def text(self):
        return "\n".join(self.all())

    def json(self):
        """Every line that is a JSON object."""
        return [json.loads(line) for line in self.all() if line.startswith("{")]

    def wait_for_text(self, wanted, clean=str, within=PATIENCE):
        """The match of the first line in which the expression `wanted` is found, once `clean` has
        been over the line."""

        def search():
            found = next(filter(None, (re.search(wanted, clean(line)) for line in self._lines)), None)
            return found or self._ended

        with self._changed:
            found = self._changed.wait_for(search, within)
        assert isinstance(found, re.Match), f"no {wanted} in:\n{self.text()}"
        return found

    def finish(self):
        """Waits for the end of the pipe."""
        self._thread.join(PATIENCE)

    def wait_for(self, wanted, what, within=PATIENCE):
        """The first JSON line for which `wanted(line)`; None when the pipe ended without one."""
        at = 0

        def search():
            nonlocal at
            while at < len(self._lines):
                line = self._lines[at]
                at += 1
                if line.startswith("{"):
                    document = json.loads(line)
                    if wanted(document):
                        found.append(document)
                        return True
            return self._ended

        found = []
        with self._changed:
            assert self._changed.wait_for(search, within), f"not within {within:g} s: {what}"
        return found[0] if found else None
