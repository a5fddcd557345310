"""The manifests and the chart with the tools that users have: Helm, helm-unittest, Kustomize, and the schemas
of several versions of Kubernetes. Long tier; tests/kubernetes_tools.sh builds the tools."""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from harness.kubernetes import WORKLOADS, container_of, pods_of, restricted, tool, uncoloured
from harness.process import run
from harness.webhook import Webhook

ROOT = pathlib.Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
HELM = ROOT / "deploy" / "helm"
CHART = HELM / "onceproxy"
ORDERS = HELM / "orders"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
VERSIONS = ("1.30", "1.33", "1.37")
# Helm's own idea of a cluster's version may be older than the chart's oldest.
KUBERNETES_VERSION = ("--kube-version", "1.33")
# Kinds of the Prometheus operator, whose schemas are not Kubernetes's.
FOREIGN = ("PodMonitor", "ServiceMonitor", "PrometheusRule", "Certificate", "Issuer")
EXTRAS = ("networkPolicy", "podDisruptionBudget", "podMonitor", "prometheusRule", "dashboard")
POLICY = {"name": "orders", "match": {"methods": ["POST"], "path": "/orders"}, "fingerprint": "client_key",
          "scope": "shared"}

pytestmark = pytest.mark.skipif(not os.environ.get("ONCEPROXY_LONG"), reason="long tier only")


def helm(*arguments, fails=False):
    result = subprocess.run([tool("helm"), *map(str, arguments)], capture_output=True, text=True)
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    return result.stderr if fails else result.stdout


def rendered(chart, values, directory, *arguments):
    """The documents that a chart makes of values."""
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    text = helm("template", "release", chart, *KUBERNETES_VERSION, "-n", "shop", "-f", file, *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def validate(documents, directory, versions=VERSIONS):
    """Against the schemas of Kubernetes, in which a field that is not known is an error."""
    file = directory / "rendered.yaml"
    file.write_text(yaml.safe_dump_all([each for each in documents if each["kind"] not in FOREIGN]))
    for version in versions:
        result = subprocess.run([tool("kubernetes-validate"), "--strict", "-k", version, file],
                                capture_output=True, text=True)
        assert result.returncode == 0, f"{version}: {result.stdout}{result.stderr}"


def check_configurations(documents, directory):
    """The program agrees with every configuration; how many there are."""
    count = 0
    for document in documents:
        text = document.get("data", {}).get("onceproxy.yaml") if document["kind"] == "ConfigMap" else None
        if text is None:
            continue
        count += 1
        file = directory / "onceproxy.yaml"
        file.write_text(text)
        stores = json.loads(run("schema").stdout)["properties"]["store"]["properties"]
        if "postgres:" in text and "postgres" not in stores:
            continue
        check = run("check", file, ONCEPROXY_DATABASE="postgresql://u:p@db:5432/onceproxy")
        assert check.returncode == 0, check.stdout + check.stderr
    return count


# Plain files and Kustomize.


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_manifest_is_valid_in_several_versions(directory, path):
    versions = ("1.25", "1.27", *VERSIONS) if path.name == "plain-container.yaml" else VERSIONS
    validate(yaml.safe_load_all(path.read_text()), directory, versions)


def built(directory):
    """The documents that Kustomize makes."""
    result = kustomized(directory)
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))


def kustomized(directory):
    return subprocess.run([tool("kustomize"), "build", directory], capture_output=True, text=True)


def test_the_component_makes_of_a_service_what_the_plain_file_shows(directory):
    documents = built(KUBERNETES / "example")
    validate(documents, directory)
    assert check_configurations(documents, directory) == 1
    plain = list(yaml.safe_load_all((KUBERNETES / "deployment.yaml").read_text()))
    for key in ("initContainers", "containers", "volumes", "terminationGracePeriodSeconds"):
        assert pods_of(documents)[0][key] == pods_of(plain)[0][key], key
    service = next(each for each in documents if each["kind"] == "Service")
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [9900]


OWN = {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "200"]}},
                     "postStart": {"exec": {"command": ["register"]}}},
       "grace-period": 300, "fs-group": {"fsGroup": 999, "runAsUser": 999}, "claims": ["data"]}


def with_component(directory, kind, own=(), told=()):
    """The example as another kind, with things of its own; `told`: those that its labels say."""
    for name in ("component", "example"):
        shutil.copytree(KUBERNETES / name, directory / name, dirs_exist_ok=True)
    documents = list(yaml.safe_load_all((KUBERNETES / "example" / "orders.yaml").read_text()))
    workload = documents[0]
    workload["kind"] = kind
    if kind == "StatefulSet":
        workload["spec"]["serviceName"] = "orders"
    pod = workload["spec"]["template"]["spec"]
    if "lifecycle" in own:
        pod["containers"][0]["lifecycle"] = OWN["lifecycle"]
    if "grace-period" in own:
        pod["terminationGracePeriodSeconds"] = OWN["grace-period"]
    if "fs-group" in own:
        pod["securityContext"] = OWN["fs-group"]
    if "claims" in own:
        workload["spec"]["volumeClaimTemplates"] = [
            {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
                                                  "resources": {"requests": {"storage": "1Gi"}}}}
            for name in OWN["claims"]]
    workload["metadata"]["labels"].update({f"onceproxy.io/{name}": "own" for name in told})
    (directory / "example" / "orders.yaml").write_text(yaml.safe_dump_all(documents))
    return directory / "example"


def test_the_component_gives_a_statefulset_a_volume_claim(directory):
    documents = built(with_component(directory, "StatefulSet"))
    validate(documents, directory)
    stateful = next(each for each in documents if each["kind"] == "StatefulSet")["spec"]
    assert [claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]] == ["onceproxy-store"]
    assert [volume["name"] for volume in stateful["template"]["spec"]["volumes"]] == ["onceproxy-config"]
    plain = pods_of(list(yaml.safe_load_all((KUBERNETES / "statefulset.yaml").read_text())))[0]
    for key in ("securityContext", "terminationGracePeriodSeconds"):
        assert pods_of(documents)[0][key] == plain[key]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_component_leaves_what_a_workload_has(directory, kind):
    own = OWN if kind == "StatefulSet" else ("lifecycle", "grace-period")
    documents = built(with_component(directory, kind, own, told=own))
    validate(documents, directory)
    pod, = pods_of(documents)
    assert pod["containers"][0]["lifecycle"] == OWN["lifecycle"]
    assert pod["terminationGracePeriodSeconds"] == OWN["grace-period"]
    if kind == "StatefulSet":
        workload = next(each for each in documents if each["kind"] == kind)
        claims = [claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]]
        assert claims == [*OWN["claims"], "onceproxy-store"]
        assert pod["securityContext"] == OWN["fs-group"]


@pytest.mark.parametrize("thing, path", [
    ("lifecycle", "containers/0/lifecycle"), ("grace-period", "terminationGracePeriodSeconds"),
    ("fs-group", "securityContext/fsGroup"), ("claims", "volumeClaimTemplates")])
def test_the_component_replaces_nothing_unasked(directory, thing, path):
    result = kustomized(with_component(directory, "StatefulSet", [thing]))
    assert result.returncode != 0 and path in result.stderr


# The chart.


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_helm_finds_nothing_to_say(path):
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "-f", path)


def test_helm_finds_nothing_to_say_about_a_chart_that_includes_it():
    assert "0 chart(s) failed" in helm("lint", "--strict", ORDERS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_renders_to_what_kubernetes_and_the_program_accept(directory, path):
    documents = rendered(CHART, yaml.safe_load(path.read_text()), directory)
    validate(documents, directory)
    without = path.stem == "existing-config" or path.stem.startswith("injector")
    assert check_configurations(documents, directory) == (0 if without else 1)
    assert len(pods_of(documents)) == 1
    for pod in pods_of(documents):
        restricted(pod)


@pytest.mark.parametrize("kind, reload, native, extras", itertools.product(
    ("emptyDir", "claim", "postgres"), ("live", "restart"), (None, True, False), (False, True)),
    ids=lambda value: str(value))
def test_every_combination_renders_to_what_kubernetes_and_the_program_accept(directory, kind, reload,
                                                                             native, extras):
    """`native`: None is standalone. `extras`: everything that can be enabled is."""
    values = {"store": {"kind": kind}, "reload": reload, "policies": [POLICY], "upstream": "orders.svc:80"}
    if extras:
        values.update({name: {"enabled": True} for name in EXTRAS})
    if native is None:
        documents = rendered(CHART, values, directory)
    else:
        values["sidecar"] = {"native": native}
        workload = "StatefulSet" if kind == "claim" else "Deployment"
        documents = rendered(ORDERS, {"kind": workload, "onceproxy": values}, directory)
    validate(documents, directory)
    assert check_configurations(documents, directory) == 1
    pod, = pods_of(documents)
    restricted(pod)
    guard = container_of(pod)
    if extras:
        labels = next(each for each in documents if each["kind"] in WORKLOADS)["spec"]["template"]["metadata"]["labels"]
        for each in documents:
            selector = {"NetworkPolicy": ("podSelector",), "PodDisruptionBudget": ("selector",),
                        "PodMonitor": ("selector",)}.get(each["kind"])
            if selector:
                assert each["spec"][selector[0]]["matchLabels"].items() <= labels.items(), each["kind"]
    service = next(each for each in documents if each["kind"] == "Service")["spec"]["ports"][0]
    assert service["targetPort"] == ("onceproxy" if native is None else 9900)
    assert (guard in pod.get("initContainers", [])) == bool(native)
    if kind != "postgres":
        # The plain files and the chart say the same.
        file = {None: "plain-container.yaml", True: "deployment.yaml", False: "plain-container.yaml"}[native]
        plain = container_of(pods_of(list(yaml.safe_load_all((KUBERNETES / file).read_text())))[0])
        assert {**guard, "imagePullPolicy": None} == {**plain, "imagePullPolicy": None}


@pytest.mark.parametrize("kind", ["certManager", "generated", "secret"])
def test_the_program_takes_the_command_line_of_the_chart_s_webhook(directory, kind):
    values = {"mode": "injector", "injector": {"certificate": {
        "kind": kind, "caBundle": "Q0E=" if kind == "secret" else ""}}}
    documents = rendered(CHART, values, directory)
    validate(documents, directory)
    pod, = pods_of(documents)
    restricted(pod)
    webhook, = next(each for each in documents if each["kind"] == "MutatingWebhookConfiguration")["webhooks"]
    assert ("caBundle" in webhook["clientConfig"]) == (kind != "certManager")
    excluded = webhook["namespaceSelector"]["matchExpressions"][0]["values"]
    assert {"kube-system", "shop"} <= set(excluded)
    template = {"metadata": {"labels": {"onceproxy.io/inject": "enabled"},
                             "annotations": {"onceproxy.io/config": "orders"}},
                "spec": {"containers": [{"name": "orders", "image": "orders:1"}]}}
    with Webhook(pod["containers"][0], directory) as program:
        made = program.patched({"apiVersion": "v1", "kind": "Pod", **template})
    assert container_of(made["spec"])["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"},
                                                       "limits": {"memory": "512Mi"}}


def test_everything_that_surrounds_the_webhook_lets_the_api_server_and_prometheus_reach_it(directory):
    values = {"mode": "injector", **{name: {"enabled": True} for name in EXTRAS}}
    documents = rendered(CHART, values, directory)
    validate(documents, directory)
    by_kind = {each["kind"]: each for each in documents}
    pod = by_kind["Deployment"]["spec"]["template"]
    port, = pod["spec"]["containers"][0]["ports"]
    rule, = by_kind["NetworkPolicy"]["spec"]["ingress"]
    assert rule == {"ports": [{"port": port["containerPort"]}]}, "the API server is no pod"
    endpoint, = by_kind["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == (port["name"], "https")
    for kind, name in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector"),
                       ("PodMonitor", "selector")):
        assert by_kind[kind]["spec"][name]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_a_sidecar_s_surroundings_select_no_other_pod_of_the_release(directory):
    documents = rendered(ORDERS, {"onceproxy": {"podMonitor": {"enabled": True}}}, directory)
    other = {"app.kubernetes.io/instance": "release", "app.kubernetes.io/name": "postgresql"}
    selectors = [each["spec"].get("podSelector") or each["spec"]["selector"] for each in documents
                 if each["kind"] in ("NetworkPolicy", "PodDisruptionBudget", "PodMonitor")]
    assert len(selectors) == 3
    assert not any(each["matchLabels"].items() <= other.items() for each in selectors)


def test_a_changed_configuration_replaces_pods_only_where_that_is_asked_for(directory):
    def pod_annotations(reload, window):
        values = {"reload": reload, "upstream": "orders:80", "policies": [{**POLICY, "window": window}]}
        workload = next(each for each in rendered(CHART, values, directory) if each["kind"] == "Deployment")
        return workload["spec"]["template"]["metadata"].get("annotations", {})

    assert pod_annotations("live", "1h") == pod_annotations("live", "2h") == {}
    assert pod_annotations("restart", "1h") != pod_annotations("restart", "2h")


def test_rules_and_dashboard_are_those_of_this_repository(directory):
    values = {"upstream": "orders:80",
              "prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example/x#"},
              "dashboard": {"enabled": True}}
    by_kind = {}
    for document in rendered(CHART, values, directory):
        by_kind.setdefault(document["kind"], []).append(document)
    source = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()
    wanted = yaml.safe_load(source.replace("https://onceproxy.io/runbooks#", "https://wiki.example/x#"))
    assert by_kind["PrometheusRule"][0]["spec"] == wanted
    dashboard = next(each for each in by_kind["ConfigMap"] if "onceproxy.json" in each["data"])
    assert json.loads(dashboard["data"]["onceproxy.json"]) == json.loads(
        (ROOT / "deploy" / "grafana" / "onceproxy.json").read_text())


def test_a_packaged_chart_holds_what_the_links_lead_to(directory):
    helm("package", CHART, "-d", directory)
    package, = directory.glob("*.tgz")
    values = yaml.safe_load((CHART / "examples" / "monitoring.yaml").read_text())
    assert rendered(package, values, directory) == rendered(CHART, values, directory)


@pytest.mark.parametrize("values, said", [
    ({"upstream": "orders:80", "polices": []}, "polices"),
    ({"upstream": "orders:80", "policies": [{**POLICY, "windw": "1h"}]}, "windw"),
    ({"upstream": "orders:80", "config": {"limits": {"body_byte": "1MiB"}}}, "body_byte"),
    ({"policies": [POLICY]}, "set `upstream`"),
], ids=["value", "policy", "config", "no upstream"])
def test_helm_refuses_what_is_misspelt_or_missing(directory, values, said):
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    assert said in helm("template", "release", CHART, *KUBERNETES_VERSION, "-f", file, fails=True)


def test_a_service_that_would_end_too_early_is_refused(directory):
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump({"onceproxy": {"shutdown": {"serviceSleep": 5}}}))
    assert "must be longer than shutdown.grace" in helm("template", "release", ORDERS, "-f", file, fails=True)


def test_the_pod_s_grace_period_contains_the_service_s_sleep(directory):
    documents = rendered(ORDERS, {"onceproxy": {"shutdown": {"serviceSleep": 300}}}, directory)
    assert pods_of(documents)[0]["terminationGracePeriodSeconds"] == 300 + 30 + 15 + 10


def test_before_1_30_the_service_sleeps_by_a_command(directory):
    for version, action in (("1.29", "exec"), ("1.30", "sleep")):
        file = directory / "values.yaml"
        file.write_text("{}")
        text = helm("template", "release", ORDERS, "--kube-version", version, "-f", file)
        pod, = pods_of([each for each in yaml.safe_load_all(text) if each])
        assert list(container_of(pod, "orders")["lifecycle"]["preStop"]) == [action]


def test_the_chart_s_own_tests_pass():
    result = subprocess.run([tool("helm-unittest"), CHART], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(re.search(r"Tests:\s+(\d+) passed", uncoloured(result.stdout))[1]) > 10
