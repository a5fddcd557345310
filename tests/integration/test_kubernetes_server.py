"""The manifests and the chart at a real API server: server-side validation in a namespace that enforces the
restricted Pod Security Standard, and `helm install`. Long tier; tests/kubernetes_tools.sh --server."""

import os
import pathlib
import subprocess

import pytest
import yaml

from harness.kube_apiserver import ApiServer, Refused
from harness.kubernetes import pods_of, tool

ROOT = pathlib.Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
CHART = ROOT / "deploy" / "helm" / "onceproxy"
ORDERS = ROOT / "deploy" / "helm" / "orders"
FOREIGN = ("PodMonitor", "ServiceMonitor", "PrometheusRule", "Certificate", "Issuer")

pytestmark = pytest.mark.skipif(not os.environ.get("ONCEPROXY_LONG"), reason="long tier only")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = ApiServer(tmp_path_factory.mktemp("server"))
    try:
        made.namespace("shop", **{"pod-security.kubernetes.io/enforce": "restricted"})
        yield made
    finally:
        made.close()


def admit(server, documents, namespace="shop"):
    """Every document, and the pod of every workload, by itself: a workload's pod is judged when it is made."""
    for document in documents:
        if document["kind"] not in FOREIGN:
            server.create(document, namespace, dry=True)
    for pod in pods_of(documents):
        admit_pod(server, pod, namespace)


def admit_pod(server, pod, namespace="shop"):
    """A StatefulSet's pod gets the volume of its claim; here another one stands for it."""
    names = {volume["name"] for volume in pod["volumes"]}
    volumes = pod["volumes"] + ([] if "onceproxy-store" in names else [{"name": "onceproxy-store", "emptyDir": {}}])
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "made"}, "spec": {**pod, "volumes": volumes}}
    server.create(made, namespace, dry=True)


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_manifest_is_admitted_where_pods_are_restricted(server, path):
    admit(server, list(yaml.safe_load_all(path.read_text())))


def test_the_namespace_does_refuse(server):
    """Otherwise the test above would tell nothing."""
    pod, = pods_of(list(yaml.safe_load_all((KUBERNETES / "deployment.yaml").read_text())))
    for container in (pod["initContainers"][0], pod["containers"][0]):
        security = container.pop("securityContext")
        with pytest.raises(Refused) as refused:
            server.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "made"}, "spec": pod}, "shop", dry=True)
        assert refused.value.code == 403
        container["securityContext"] = security
    pod["initContainers"][0]["restartPolicy"] = "always"
    with pytest.raises(Refused) as refused:
        server.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "made"}, "spec": pod}, "shop", dry=True)
    assert refused.value.code == 422


@pytest.mark.parametrize("path", sorted((CHART / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_chart_is_installed_upgraded_and_removed(server, path):
    def helm(*arguments):
        result = subprocess.run([tool("helm"), "--kubeconfig", server.kubeconfig(), "-n", "shop", *map(str, arguments)],
                                capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    off = [word for name in ("podMonitor", "serviceMonitor", "prometheusRule") for word in ("--set", f"{name}.enabled=false")]
    helm("install", "guard", CHART, "-f", path, *off)
    for pod in pods_of([each for each in yaml.safe_load_all(helm("get", "manifest", "guard")) if each]):
        admit_pod(server, pod)
    helm("upgrade", "guard", CHART, "-f", path, *off, "--set", "shutdown.timeout=40")
    assert "40s" in helm("get", "manifest", "guard")
    helm("uninstall", "guard")


def test_a_chart_that_includes_the_sidecar_is_admitted_where_pods_are_restricted(server):
    text = subprocess.run([tool("helm"), "template", "orders", ORDERS], capture_output=True, text=True, check=True).stdout
    admit(server, [each for each in yaml.safe_load_all(text) if each])
