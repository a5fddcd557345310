"""A real API server on etcd, without a kubelet: it admits, refuses and stores, and runs no pod."""

import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml

from .kubernetes import tool
from .wait import PATIENCE, eventually

TOKEN = "operator"
PATHS = {
    "Namespace": "api/v1/namespaces",
    "ConfigMap": "api/v1/namespaces/{namespace}/configmaps",
    "Secret": "api/v1/namespaces/{namespace}/secrets",
    "Service": "api/v1/namespaces/{namespace}/services",
    "ServiceAccount": "api/v1/namespaces/{namespace}/serviceaccounts",
    "Pod": "api/v1/namespaces/{namespace}/pods",
    "PersistentVolumeClaim": "api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "Deployment": "apis/apps/v1/namespaces/{namespace}/deployments",
    "StatefulSet": "apis/apps/v1/namespaces/{namespace}/statefulsets",
    "Job": "apis/batch/v1/namespaces/{namespace}/jobs",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "MutatingWebhookConfiguration": "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
}


def free_ports(count):
    """Ports that nobody has now. The two programs cannot be told to pick one themselves."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class ApiServer:
    """Starts etcd and the API server in a directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        binary = tool("kube-apiserver")
        etcd = shutil.which("etcd")
        if etcd is None:
            pytest.skip("no Kubernetes tools here: etcd; apt-get install etcd-server")
        store, peers, self.port = free_ports(3)
        self.context = ssl._create_unverified_context()
        subprocess.run(["openssl", "genrsa", "-out", self.directory / "sa.key", "2048"], check=True,
                       capture_output=True)
        (self.directory / "tokens").write_text(f"{TOKEN},operator,operator,system:masters\n")
        self.log = open(self.directory / "log", "wb")
        clients, peers = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peers}"
        self.etcd = self._run([
            etcd, "--data-dir=etcd", f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}"])
        self.server = self._run([
            binary, f"--etcd-servers={clients}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", f"--secure-port={self.port}", "--cert-dir=certs",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=sa.key", "--service-account-signing-key-file=sa.key",
            "--token-auth-file=tokens", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none"])
        eventually(self._ready, "the API server is ready", within=2 * PATIENCE)

    def _run(self, command):
        return subprocess.Popen(command, cwd=self.directory, stdout=self.log, stderr=self.log)

    def _ready(self):
        assert self.server.poll() is None, (self.directory / "log").read_text()[-4000:]
        try:
            return self.ask("GET", "readyz") == b"ok"
        except (OSError, Refused):
            return False

    def ask(self, method, path, body=None, kind="application/yaml"):
        asked = urllib.request.Request(f"https://127.0.0.1:{self.port}/{path}", method=method)
        asked.add_header("Authorization", f"Bearer {TOKEN}")
        if body is not None:
            asked.data = body.encode()
            asked.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE, context=self.context) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            message = json.loads(text).get("message", text) if text.startswith("{") else text
            raise Refused(error.code, message) from None

    def create(self, document, namespace="default", dry=False):
        """What the server made of it. Fields that it does not know are refused."""
        path = PATHS[document["kind"]].format(namespace=document["metadata"].get("namespace", namespace))
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        return json.loads(self.ask("POST", path + query, yaml.safe_dump(document)))

    def namespace(self, name, **labels):
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def kubeconfig(self):
        path = self.directory / "kubeconfig"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                      "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}))
        return path

    def close(self):
        """The server first: it hangs where etcd is gone."""
        for process in (self.server, self.etcd):
            process.terminate()
            try:
                process.wait(PATIENCE / 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
