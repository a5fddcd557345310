"""The webhook's manifests in deploy/kubernetes/injector, as far as they can be checked with the program alone:
whom the API server asks and trusts, what the example gets, and what watches the webhook."""

import base64
import json
import os
import pathlib
import re
import subprocess

import yaml

from harness.kubernetes import restricted
from harness.webhook import Webhook

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
INJECTOR = DEPLOY / "kubernetes" / "injector"


def injector(name="injector.yaml"):
    return {document["kind"]: document for document in yaml.safe_load_all((INJECTOR / name).read_text())}


CERTIFICATES = {(each["metadata"]["namespace"], each["metadata"]["name"]): each["spec"] for each in
                yaml.safe_load_all((INJECTOR / "certificate-cert-manager.yaml").read_text())
                if each["kind"] == "Certificate"}


def test_the_webhook_is_asked_about_pods_that_ask_for_it_and_never_about_its_own():
    documents = injector()
    webhook, = documents["MutatingWebhookConfiguration"]["webhooks"]
    own = documents["Namespace"]["metadata"]["name"]
    excluded, = webhook["namespaceSelector"]["matchExpressions"]
    assert excluded["operator"] == "NotIn" and {"kube-system", own} <= set(excluded["values"])
    assert webhook["objectSelector"] == {"matchLabels": {"onceproxy.io/inject": "enabled"}}
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["reinvocationPolicy"] == "IfNeeded"
    assert webhook["sideEffects"] == "None"
    service = documents["Service"]
    port, = service["spec"]["ports"]
    assert webhook["clientConfig"]["service"] == {
        "namespace": own, "name": service["metadata"]["name"], "path": "/inject", "port": port["port"]}
    pod = documents["Deployment"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    certificate = CERTIFICATES[own, service["metadata"]["name"]]
    assert certificate["dnsNames"] == [f"{service['metadata']['name']}.{own}.svc"]
    assert certificate["secretName"] == pod["spec"]["volumes"][0]["secret"]["secretName"]


def test_the_example_asks_for_the_sidecar_that_its_configuration_describes():
    documents = injector("example.yaml")
    pod = documents["Deployment"]["spec"]["template"]
    assert pod["metadata"]["labels"]["onceproxy.io/inject"] == "enabled"
    config_map = documents["ConfigMap"]["metadata"]["name"]
    assert pod["metadata"]["annotations"]["onceproxy.io/config"] == config_map
    config = yaml.safe_load(documents["ConfigMap"]["data"]["onceproxy.yaml"])
    command = injector()["Deployment"]["spec"]["template"]["spec"]["containers"][0]["command"]
    port = command[command.index("--port") + 1]
    telemetry = pod["metadata"]["annotations"]["onceproxy.io/telemetry-port"]
    assert config["telemetry"]["listen"] == f"0.0.0.0:{telemetry}"
    assert config["listen"] == f"0.0.0.0:{port}"
    assert [each["targetPort"] for each in documents["Service"]["spec"]["ports"]] == [int(port)]


def test_cert_manager_renews_the_certificate_under_one_authority():
    """Whom the API server trusts must not change with a renewal: pods get the new certificate later."""
    documents = list(yaml.safe_load_all((INJECTOR / "certificate-cert-manager.yaml").read_text()))
    issuers = {each["metadata"]["name"]: each["spec"] for each in documents if each["kind"] == "Issuer"}
    leaf = CERTIFICATES["onceproxy-system", "onceproxy-injector"]
    authority = CERTIFICATES["onceproxy-system", "onceproxy-injector-authority"]
    assert issuers[leaf["issuerRef"]["name"]] == {"ca": {"secretName": authority["secretName"]}}
    assert authority["isCA"] and authority["privateKey"]["rotationPolicy"] == "Never"
    assert issuers[authority["issuerRef"]["name"]] == {"selfSigned": {}}
    hours = [int(each["duration"].removesuffix("h")) for each in (leaf, authority)]
    assert hours[1] > 10 * hours[0]


class Kubectl:
    """A program of that name that keeps what the script gives it, in the order in which it comes."""

    def __init__(self, directory):
        self.directory = directory
        self.program = directory / "kubectl"
        self.program.write_text(f"""#!/bin/sh
cd {directory}
case "$*" in
  *" get "* | get*) cat bundle ;;
  *patch*) [ ! -e refuse ] || exit 1; echo "$*" >patch; echo patch >>order ;;
  *create*) cp "$OLDPWD/tls.crt" "$OLDPWD/tls.key" .; echo made ;;
  *) cat >/dev/null; echo secret >>order ;;
esac
""")
        self.program.chmod(0o755)
        (directory / "bundle").write_text("")

    def run(self):
        result = subprocess.run([INJECTOR / "certificate.sh"], capture_output=True, text=True,
                                env={**os.environ, "PATH": f"{self.directory}:{os.environ['PATH']}"})
        return result

    def bundle(self):
        """What the last patch trusts, which is what the cluster has from then on."""
        patch = json.loads((self.directory / "patch").read_text().split(" -p ")[1])
        assert [(each["op"], each["path"]) for each in patch] == [("add", "/webhooks/0/clientConfig/caBundle")]
        (self.directory / "bundle").write_text(patch[0]["value"])
        return base64.b64decode(patch[0]["value"])

    def trusts(self, bundle, certificate):
        (self.directory / "ca.crt").write_bytes(bundle)
        (self.directory / "shown.crt").write_bytes(certificate)
        return subprocess.run(["openssl", "verify", "-CAfile", "ca.crt", "-purpose", "sslserver",
                               "-verify_hostname", "onceproxy-injector.onceproxy-system.svc", "shown.crt"],
                              cwd=self.directory, capture_output=True).returncode == 0

    def certificate(self):
        return (self.directory / "tls.crt").read_bytes()


def test_the_script_makes_a_certificate_that_the_api_server_would_trust(directory):
    kubectl = Kubectl(directory)
    result = kubectl.run()
    assert result.returncode == 0, result.stderr
    assert "The certificate ends:" in result.stdout
    first, bundle = kubectl.certificate(), kubectl.bundle()
    assert kubectl.trusts(bundle, first)
    # Again: the pods still show the first one for a while.
    assert kubectl.run().returncode == 0
    second, bundle = kubectl.certificate(), kubectl.bundle()
    assert second != first and kubectl.trusts(bundle, second) and kubectl.trusts(bundle, first)
    # And those before are not kept for ever.
    assert kubectl.run().returncode == 0
    bundle = kubectl.bundle()
    assert bundle.count(b"BEGIN CERTIFICATE") == 2 and not kubectl.trusts(bundle, first)
    assert (directory / "order").read_text().split() == ["patch", "secret"] * 3, "trust comes first"


def test_a_script_that_may_not_change_whom_the_api_server_trusts_changes_nothing(directory):
    kubectl = Kubectl(directory)
    (directory / "refuse").touch()
    assert kubectl.run().returncode != 0
    assert not (directory / "order").exists() and not (directory / "tls.crt").exists()


def test_the_webhook_is_scraped_under_the_name_that_its_alert_selects():
    monitor = injector("pod-monitor.yaml")["PodMonitor"]["spec"]
    pod = injector()["Deployment"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    endpoint, = monitor["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert endpoint["scheme"] == "https"
    job, = (each["replacement"] for each in endpoint["relabelings"] if each["targetLabel"] == "job")
    assert f'up{{job="{job}"}}' in (DEPLOY / "prometheus" / "rules.yaml").read_text()


def test_the_webhook_of_the_manifest_gives_the_example_a_guard(directory):
    container = injector()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    template = injector("example.yaml")["Deployment"]["spec"]["template"]
    with Webhook(container, directory) as webhook:
        assert webhook.ready["image"] == container["image"]
        pod = webhook.patched({"apiVersion": "v1", "kind": "Pod", **template})["spec"]
    guard, = pod["initContainers"]
    assert (guard["name"], guard["restartPolicy"]) == ("onceproxy", "Always")
    assert guard["image"] == container["image"]
    restricted(pod)
    assert pod["containers"] == template["spec"]["containers"], "the service's own container stays as it is"


def test_the_runbook_looks_where_the_webhook_is():
    deployment = injector()["Deployment"]["metadata"]
    runbook = re.search(r"### OnceproxyInjectorDown\n(.*?)\n### ", (DEPLOY / "README.md").read_text(), re.S)[1]
    assert set(re.findall(r"kubectl -n (\S+)", runbook)) == {deployment["namespace"]}
    assert set(re.findall(r"deploy/(\S+)", runbook)) == {deployment["name"]}
