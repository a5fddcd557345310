"""The start: what happens before the program is ready."""

import os
import signal
import subprocess

import yaml

from harness import eventually, policy, settings
from harness.output import Lines
from harness.process import binary, environment
from harness.wait import PATIENCE


def test_sighup_during_the_start_does_not_end_the_program_and_reloads(upstream, directory):
    """The configuration is a pipe, so that the start waits in the middle."""
    file = directory / "onceproxy.yaml"
    os.mkfifo(file)
    process = subprocess.Popen([binary(), "run", "-c", str(file)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=environment())
    lines = Lines(process.stderr)
    config = settings(upstream.address, directory / "data", [policy()])
    with open(file, "w") as pipe:  # opens when the program reads it: it has begun
        process.send_signal(signal.SIGHUP)
        pipe.write(yaml.safe_dump(config))
        file.unlink()
        config["policies"] = [policy(window="2h")]
        file.write_text(yaml.safe_dump(config))
    reloaded = lines.wait_for(lambda line: line.get("message") == "configuration reloaded",
                              "the reload")
    try:
        assert reloaded is not None, f"ended with {process.wait(PATIENCE)}: {lines.text()}"
        assert reloaded["trigger"] == "signal"
        eventually(lambda: lines.wait_for(lambda line: line.get("message") == "ready", "ready"),
                   "the start")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        lines.finish()
        process.stderr.close()
