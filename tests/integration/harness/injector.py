"""`onceproxy inject` as a process, and the API server's side of it."""

import base64
import http.client
import json
import socket
import subprocess

from . import PATIENCE
from .certificates import Authority, client_context
from .json_patch import apply
from .output import Lines
from .process import SANITIZER_REPORT, binary, environment

IMAGE = "registry.example/onceproxy:1"


class Injector:
    """The program as a cluster runs it, and the API server's side of it."""

    def __init__(self, directory, drain_time="0s", more=()):
        self.directory, self.authority = directory, Authority()
        self.files = self.authority.issue(names=("injector.onceproxy.svc",)).write(directory, "tls")
        self.context = client_context(self.authority)
        self.process = subprocess.Popen(
            [binary(), "inject", "--listen", "127.0.0.1:0", "--certificate", self.files[0], "--key",
             self.files[1], "--image", IMAGE, "--drain-time", drain_time, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment())
        self.log = Lines(self.process.stderr)
        assert self.log.wait_for(lambda line: line.get("message") == "ready", "ready"), self.log.text()
        listening = next(line for line in self.log.json() if line["message"] == "listening")
        host, _, port = listening["address"].rpartition(":")
        self.address = host, int(port)

    def connect(self):
        """A connection to the name that the certificate is for."""
        connection = http.client.HTTPSConnection(*self.address, timeout=PATIENCE, context=self.context)
        connection.connect = lambda: None
        raw = socket.create_connection(self.address, PATIENCE)
        connection.sock = self.context.wrap_socket(raw, server_hostname="injector.onceproxy.svc")
        return connection

    def call(self, method, target, body=None):
        connection = self.connect()
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def review(self, review):
        """The response to a review, checked as the API server checks it."""
        status, text = self.call("POST", "/inject?timeout=10s", json.dumps(review))
        assert status == 200, text
        answer = json.loads(text)
        assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        response = answer["response"]
        assert response["uid"] == review["request"]["uid"]
        assert ("patch" in response) == ("patchType" in response)
        assert response["allowed"] or "patch" not in response
        return response

    def patched(self, review):
        response = self.review(review)
        assert response["allowed"] and response["patchType"] == "JSONPatch", response
        operations = json.loads(base64.b64decode(response["patch"], validate=True))
        return apply(review["request"]["object"], operations), response

    def denied(self, review):
        response = self.review(review)
        assert not response["allowed"] and response["status"]["code"] == 403, response
        return response["status"]["message"]

    def stop(self):
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.log.finish()
        self.process.stderr.close()
        assert not SANITIZER_REPORT.search(self.log.text()), self.log.text()
        return code
