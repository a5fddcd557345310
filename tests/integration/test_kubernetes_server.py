"""The manifests and the chart on a real API server: server-side validation in a namespace that enforces the
restricted Pod Security Standard, `helm install`, and the webhook as the server calls it. Long tier;
tests/kubernetes_tools.sh --server builds the server."""

import os
import pathlib
import subprocess

import pytest
import yaml

from harness import eventually
from harness.kube_apiserver import PATHS, ApiServer, Refused
from harness.kubelet import manifests
from harness.kubernetes import container_of, pods_of, tool
from harness.webhook import Webhook

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
    """Every document, and the pod of every workload by itself, which a server judges when it is made."""
    for document in documents:
        if document["kind"] not in FOREIGN:
            server.create(document, namespace, dry=True)
    for pod in pods_of(documents):
        admit_pod(server, pod, namespace)


def admit_pod(server, pod, namespace="shop"):
    """A StatefulSet's pod gets the volume of its claim; here another one stands for it."""
    volumes = pod["volumes"]
    if not any(volume["name"] == "onceproxy-store" for volume in volumes):
        volumes = [*volumes, {"name": "onceproxy-store", "emptyDir": {}}]
    server.create(pod_object({**pod, "volumes": volumes}), namespace, dry=True)


def pod_object(spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "made"}, "spec": spec}


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_manifest_is_admitted_where_pods_are_restricted(server, path):
    admit(server, list(yaml.safe_load_all(path.read_text())))


def test_the_namespace_does_refuse(server):
    """Otherwise the test above would tell nothing."""
    pod, = pods_of(list(yaml.safe_load_all((KUBERNETES / "deployment.yaml").read_text())))
    for container in (pod["initContainers"][0], pod["containers"][0]):
        security = container.pop("securityContext")
        with pytest.raises(Refused) as refused:
            server.create(pod_object(pod), "shop", dry=True)
        assert refused.value.code == 403
        container["securityContext"] = security
    pod["initContainers"][0]["restartPolicy"] = "always"
    with pytest.raises(Refused) as refused:
        server.create(pod_object(pod), "shop", dry=True)
    assert refused.value.code == 422


@pytest.mark.parametrize("path", sorted((CHART / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_chart_is_installed_upgraded_and_removed(server, path):
    def helm(*arguments):
        command = [tool("helm"), "--kubeconfig", server.kubeconfig(), "-n", "shop", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    # What only the Prometheus operator and cert-manager know.
    foreign = ("podMonitor", "serviceMonitor", "prometheusRule")
    off = [word for name in foreign for word in ("--set", f"{name}.enabled=false")]
    off += ["--set", "injector.certificate.kind=generated"]
    helm("install", "guard", CHART, "-f", path, *off)
    for pod in pods_of([each for each in yaml.safe_load_all(helm("get", "manifest", "guard")) if each]):
        admit_pod(server, pod)
    helm("upgrade", "guard", CHART, "-f", path, *off, "--set", "shutdown.timeout=40")
    assert "40s" in helm("get", "manifest", "guard")
    helm("uninstall", "guard")


def test_a_chart_that_includes_the_sidecar_is_admitted_where_pods_are_restricted(server):
    rendered = subprocess.run([tool("helm"), "template", "orders", ORDERS, "--kube-version", "1.36"],
                              capture_output=True, text=True, check=True)
    admit(server, [each for each in yaml.safe_load_all(rendered.stdout) if each])


# The webhook, called by the API server.


@pytest.fixture
def webhook(server, directory):
    """The manifest's, which the server asks from now on."""
    documents = manifests(KUBERNETES / "injector" / "injector.yaml")
    container, = pods_of(documents.values())[0]["containers"]
    configuration = documents["MutatingWebhookConfiguration"]
    with Webhook(container, directory) as made:
        configuration["webhooks"][0]["clientConfig"] = made.client_config()
        server.create(configuration)
        yield made
        server.ask("DELETE", f"{PATHS[configuration['kind']]}/{configuration['metadata']['name']}")


def asking(**metadata):
    """The pod of the example."""
    documents = manifests(KUBERNETES / "injector" / "example.yaml")
    template = documents["Deployment"]["spec"]["template"]
    made = pod_object(template["spec"])
    made["metadata"].update({**template["metadata"], **metadata})
    return made


def names(pod):
    return [container["name"] for container in pod["spec"].get("initContainers", [])]


def test_a_pod_that_asks_gets_the_sidecar_from_the_api_server(server, webhook):
    """A new configuration is known to the server within a second or so."""
    eventually(lambda: names(server.create(asking(), "shop", dry=True)), "the webhook is called")
    made = server.create(asking(), "shop", dry=True)
    assert names(made) == ["onceproxy"]
    assert container_of(made["spec"])["ports"][0]["containerPort"] == 9900
    plain = asking(labels={"app.kubernetes.io/name": "orders"})
    assert names(server.create(plain, "shop", dry=True)) == [], "it does not ask"
    assert names(server.create(asking(), "kube-system", dry=True)) == [], "it is the cluster's own"
    with pytest.raises(Refused) as refused:
        server.create(asking(annotations={}), "shop", dry=True)
    assert "onceproxy.io/config" in str(refused.value)


def test_without_the_webhook_pods_that_ask_are_refused_and_no_others(server, webhook):
    eventually(lambda: names(server.create(asking(), "shop", dry=True)), "the webhook is called")
    webhook.stop()
    with pytest.raises(Refused) as refused:
        server.create(asking(), "shop", dry=True)
    assert refused.value.code == 500 and "inject.onceproxy.io" in str(refused.value)
    plain = asking(labels={"app.kubernetes.io/name": "orders"})
    assert names(server.create(plain, "shop", dry=True)) == []
    server.namespace("onceproxy-system")
    for namespace in ("kube-system", "onceproxy-system"):
        assert names(server.create(asking(), namespace, dry=True)) == []
