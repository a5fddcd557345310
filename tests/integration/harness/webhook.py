"""The injection webhook as a process, with the command line of a container in a manifest."""

import base64
import json
import subprocess
import urllib.request

from .certificates import Authority, client_context
from .json_patch import apply
from .output import Lines
from .process import SANITIZER_REPORT, binary, environment
from .wait import PATIENCE

CERTIFICATES = "/etc/onceproxy-tls"


class Webhook:
    """Starts it on a port that the system picks, with a certificate for this machine in `directory`."""

    def __init__(self, container, directory):
        self.authority = Authority()
        self.authority.issue(names=("127.0.0.1",)).write(directory, "tls")
        command = [word.replace(CERTIFICATES, str(directory)) for word in container["command"]]
        self.process = subprocess.Popen(
            [binary(), *command[1:], "--listen", "127.0.0.1:0", "--drain-time", "0s"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
        self.log = Lines(self.process.stderr)
        self.ready = self.log.wait_for(lambda line: line.get("message") == "ready", "the webhook is ready")
        if self.ready is None:
            raise AssertionError(f"it ended with {self.process.wait(PATIENCE)}:\n{self.log.text()}")
        self.address = next(line["address"] for line in self.log.json() if line["message"] == "listening")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def patched(self, pod, namespace="shop"):
        """What an API server would make of a pod."""
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": namespace,
            "operation": "CREATE", "object": pod}}
        asked = urllib.request.Request(f"https://{self.address}/inject", data=json.dumps(review).encode())
        context = client_context(self.authority)
        with urllib.request.urlopen(asked, timeout=PATIENCE, context=context) as answer:
            response = json.load(answer)["response"]
        assert response["allowed"], response
        return apply(pod, json.loads(base64.b64decode(response["patch"])))

    def client_config(self):
        """Of a webhook's configuration: an address, where a cluster would have a Service."""
        return {"url": f"https://{self.address}/inject",
                "caBundle": base64.b64encode(self.authority.pem.encode()).decode()}

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            code = self.process.wait(PATIENCE)
            self.log.finish()
            self.process.stderr.close()
            assert code == 0 and not SANITIZER_REPORT.search(self.log.text()), self.log.text()
