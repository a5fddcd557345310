"""Output on a terminal: colours in text logs, and the progress of a backtest."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest
import yaml

from harness import PATIENCE, policy, request, settings
from harness.client import once
from harness.output import Lines
from harness.process import binary, environment


def uncoloured(text):
    return re.sub(r"\x1b\[\d*m", "", text)


def lines_of(terminal):
    """A terminal's lines; its end is an error (EIO) once nobody writes to it."""
    with contextlib.suppress(OSError), os.fdopen(terminal, "rb") as stream:
        for line in stream:
            yield line.replace(b"\r\n", b"\n")


class AtTerminals:
    """The program with its log and its access log on a terminal each."""

    def __init__(self, config, **variables):
        out, out_side = pty.openpty()
        err, err_side = pty.openpty()
        variables = {"TERM": "xterm", "NO_COLOR": "", **variables}
        self.process = subprocess.Popen([binary(), "run", "-c", str(config)], stdout=out_side,
                                        stderr=err_side, stdin=subprocess.DEVNULL,
                                        env=environment(**variables))
        os.close(out_side)
        os.close(err_side)
        self.stdout, self.stderr = Lines(lines_of(out)), Lines(lines_of(err))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        self.stdout.finish()
        self.stderr.finish()


@pytest.fixture
def at_terminals(directory, upstream):
    started = []

    def start(format, **variables):
        path = directory / "onceproxy.yaml"
        path.write_text(yaml.safe_dump(settings(upstream.address, directory / "data", [policy()],
                                                log={"format": format})))
        started.append(AtTerminals(path, **variables))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def one_request(proxy):
    """Sends one and returns the log and the access log of the whole run."""
    port = proxy.stderr.wait_for_text(r"listener\W+data\W.*127\.0\.0\.1:(\d+)", uncoloured)[1]
    assert once(("127.0.0.1", int(port)), request(key="k-1")).decision == "forwarded"
    proxy.stdout.wait_for_text("forwarded")
    proxy.end()
    return proxy.stderr.text(), proxy.stdout.text()


def test_text_on_a_terminal_has_colours_and_says_the_same_without_them(at_terminals):
    log, access_log = one_request(at_terminals("text"))
    assert "\x1b[32minfo\x1b[0m listening" in log
    assert "\x1b[2mdecision\x1b[0m=\x1b[32mforwarded\x1b[0m" in access_log
    assert re.search(r"^\S+Z info listening \w+=", uncoloured(log), re.M)
    assert " decision=forwarded " in uncoloured(access_log)
    assert "\x1b" not in uncoloured(log + access_log)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_colours_can_be_disabled(at_terminals, variables):
    assert "\x1b" not in "".join(one_request(at_terminals("text", **variables)))


def test_json_has_no_colours(at_terminals):
    log, access_log = one_request(at_terminals("json"))
    assert "\x1b" not in log + access_log
    assert json.loads(access_log.splitlines()[0])["decision"] == "forwarded"


def test_text_that_goes_elsewhere_has_no_colours(directory, upstream):
    path = directory / "onceproxy.yaml"
    path.write_text(yaml.safe_dump(settings(upstream.address, directory / "data", [policy()],
                                            log={"format": "text"})))
    process = subprocess.Popen([binary(), "run", "-c", str(path)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(TERM="xterm", NO_COLOR=""))
    try:
        log = Lines(process.stderr)
        log.wait_for_text(" ready")
        assert "\x1b" not in log.text()
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_a_backtest_shows_its_progress_on_a_terminal(directory):
    config = directory / "onceproxy.yaml"
    config.write_text(yaml.safe_dump(settings("127.0.0.1:1", directory / "data", [policy()])))
    log = directory / "past.jsonl"
    log.write_text('{"time":1,"method":"GET","url":"/"}\n' * 3000)
    terminal, side = pty.openpty()
    process = subprocess.Popen([binary(), "backtest", "-c", str(config), str(log)],
                               stdout=subprocess.PIPE, stderr=side, env=environment())
    os.close(side)
    screen = b""
    with contextlib.suppress(OSError):
        while select.select([terminal], [], [], PATIENCE)[0]:
            screen += os.read(terminal, 4096)
    os.close(terminal)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"(no policy)      3000" in out
    assert re.search(rb"\[#* *\] +\d+% \d+ requests", screen)
    assert screen.endswith(b"\r\x1b[K"), "the line is gone at the end"
