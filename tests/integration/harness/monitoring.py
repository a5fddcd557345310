"""Debian's Prometheus and Alertmanager as processes of a test, on ports that the system picks."""

import json
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from .metrics import scrape
from .output import Lines
from .wait import PATIENCE, eventually


def command(name):
    """The path of one of Debian's programs; a test that cannot have it fails, saying how to."""
    path = shutil.which(name)
    assert path, f"{name} is not installed; deploy/setup.sh --tests does that"
    return path


def promtool(*arguments):
    """Runs promtool; its output, where it agrees."""
    result = subprocess.run([command("promtool"), *map(str, arguments)], capture_output=True,
                            text=True, timeout=5 * PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Daemon:
    """One of the Prometheus family: it tells its port in its log, and takes SIGTERM for the end."""

    def __init__(self, name, directory, arguments):
        self.name = name
        self.process = subprocess.Popen(
            [command(name), *arguments, "--web.listen-address=127.0.0.1:0", "--log.format=json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=directory)
        self.stderr = Lines(self.process.stderr)
        listening = self.stderr.wait_for(lambda line: line.get("msg") == "Listening on", "a port")
        assert listening, f"{name} ended:\n{self.stderr.text()}"
        self.address = listening["address"]
        eventually(lambda: self.answers("/-/ready"), f"{name} is ready")

    def fetch(self, path, body=None, **arguments):
        """The JSON that a GET gives, or a POST of `body`."""
        query = "?" + urllib.parse.urlencode(arguments) if arguments else ""
        asked = urllib.request.Request(f"http://{self.address}{path}{query}")
        if body is not None:
            asked.data = json.dumps(body).encode()
            asked.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}{query}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def answers(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE) as response:
                return response.status == 200
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.stderr.finish()
        self.process.stderr.close()


class Prometheus(Daemon):
    """Scrapes `targets` (host, port) under the job name onceproxy, several times a second."""

    def __init__(self, directory, targets, rules):
        directory = pathlib.Path(directory)
        config = {
            "global": {"scrape_interval": "200ms", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{
                "job_name": "onceproxy",
                "static_configs": [{"targets": [f"{host}:{port}" for host, port in targets]}],
            }],
        }
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        super().__init__("prometheus", directory, [f"--config.file={file}",
                                                   f"--storage.tsdb.path={directory / 'series'}"])

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        answer = self.fetch("/api/v1/query", query=expression)
        assert answer["status"] == "success", answer
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def value(self, expression):
        """The value of the one series that it gives; None where there is none."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression}: {found}"
        return found[0][1] if found else None

    def rules(self):
        """Every rule that was loaded, evaluated or not."""
        return [rule for group in self.fetch("/api/v1/rules")["data"]["groups"]
                for rule in group["rules"]]


class Alertmanager(Daemon):
    """Sends each group of alerts at once to a webhook."""

    def __init__(self, directory, webhook, **route):
        directory = pathlib.Path(directory)
        config = {
            "route": {"receiver": "webhook", "group_by": ["alertname"], "group_wait": "1ms",
                      "group_interval": "1h", "repeat_interval": "4h", **route},
            "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook}]}],
        }
        file = directory / "alertmanager.yml"
        file.write_text(yaml.safe_dump(config))
        super().__init__("prometheus-alertmanager", directory,
                         [f"--config.file={file}", f"--storage.path={directory / 'alerts'}",
                          "--cluster.listen-address="])

    def fire(self, name, since, **more):
        """Takes an alert that fires, or with `endsAt` is over."""
        self.fetch("/api/v2/alerts",
                   body=[{"labels": {"alertname": name}, "startsAt": since, **more}])

    def metrics(self):
        host, _, port = self.address.rpartition(":")
        return scrape((host, port))
