"""`onceproxy inject`: reviews as an API server sends them, the patched pods, and the audit."""

import concurrent.futures
import copy
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess

import pytest

from harness import PATIENCE, eventually
from harness.injector import IMAGE, Injector
from harness.process import run

PAYLOADS = pathlib.Path(__file__).parent / "payloads/admission"
DEPLOYMENT = json.loads((PAYLOADS / "deployment-pod.json").read_text())
JOB = json.loads((PAYLOADS / "job-pod.json").read_text())


@pytest.fixture
def injector(directory):
    made = Injector(directory)
    yield made
    if made.process.poll() is None:
        assert made.stop() == 0, made.log.text()


@pytest.fixture
def review():
    return copy.deepcopy(DEPLOYMENT)


def pod_of(review):
    return review["request"]["object"]


def without(document, *paths):
    """Without what was added, to compare the rest."""
    document = copy.deepcopy(document)
    for *way, last in paths:
        target = document
        for name in way:
            target = target[name]
        del target[last]
    return document


def test_a_pod_gets_the_sidecar_and_nothing_else_is_changed(injector, review):
    pod, response = injector.patched(review)
    before = pod_of(review)
    (sidecar,) = pod["spec"]["initContainers"]
    assert sidecar["name"] == "onceproxy" and sidecar["image"] == IMAGE
    assert sidecar["restartPolicy"] == "Always", "a native sidecar"
    config = ["-c", "/etc/onceproxy/onceproxy.yaml"]
    assert sidecar["command"] == ["onceproxy", "run", *config, "--drain-time", "5s"]
    health = {"command": ["onceproxy", "health", *config]}
    assert sidecar["startupProbe"]["exec"] == sidecar["readinessProbe"]["exec"] == health
    assert "livenessProbe" not in sidecar, "it must not depend on a file that may change"
    assert any("no liveness probe" in warning for warning in response["warnings"])
    assert sidecar["lifecycle"]["preStop"]["exec"]["command"] == [
        "onceproxy", "drain", "--wait", *config, "--grace", "5s", "--timeout", "15s"]
    assert sidecar["ports"] == [{"name": "onceproxy", "containerPort": 8080}]
    assert sidecar["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
        "runAsUser": 10001, "runAsGroup": 10001,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
    assert {mount["name"]: mount["mountPath"] for mount in sidecar["volumeMounts"]} == {
        "onceproxy-config": "/etc/onceproxy", "onceproxy-store": "/var/lib/onceproxy"}
    assert pod["spec"]["volumes"] == [
        *before["spec"]["volumes"],
        {"name": "onceproxy-config", "configMap": {"name": "orders-onceproxy"}},
        {"name": "onceproxy-store", "emptyDir": {}}]
    assert pod["metadata"]["annotations"].pop("onceproxy.io/injected")
    assert any("emptyDir" in warning for warning in response["warnings"])
    assert without(pod, ["spec", "initContainers"], ["spec", "volumes"]) == without(
        before, ["spec", "volumes"])


def test_the_sidecar_comes_behind_the_other_init_containers_with_the_pods_own_store(injector):
    pod, response = injector.patched(JOB)
    names = [container["name"] for container in pod["spec"]["initContainers"]]
    assert names == ["migrate", "istio-proxy", "onceproxy"]
    sidecar = pod["spec"]["initContainers"][-1]
    assert sidecar["ports"] == [{"name": "onceproxy", "containerPort": 9080},
                                {"name": "telemetry", "containerPort": 9902}]
    health = ["onceproxy", "health", "--telemetry", "127.0.0.1:9902"]
    for name, command in (("startupProbe", health), ("readinessProbe", health),
                          ("livenessProbe", [*health, "--live"])):
        assert sidecar[name]["exec"]["command"] == command, "no probe reads the file"
    assert sidecar["volumeMounts"][1] == {"name": "memory", "mountPath": "/var/lib/onceproxy"}
    added = [volume["name"] for volume in pod["spec"]["volumes"]][-1]
    assert added == "onceproxy-config", "the store is in a volume that is there"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 120
    assert "warnings" not in response


@pytest.mark.parametrize("source", [DEPLOYMENT, JOB], ids=["deployment", "job"])
def test_a_pod_that_has_the_sidecar_is_left_alone(injector, source):
    """The API server asks again where another webhook changed the pod."""
    again = copy.deepcopy(source)
    again["request"]["object"] = injector.patched(source)[0]
    response = injector.review(again)
    assert response["allowed"] and "patch" not in response


def test_a_grace_period_that_is_too_short_is_raised_with_a_warning(injector, review):
    pod_of(review)["spec"]["terminationGracePeriodSeconds"] = 10
    pod, response = injector.patched(review)
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30
    assert any("raised from 10 to 30" in warning for warning in response["warnings"])


def test_a_volume_claim_is_taken_where_the_pod_has_a_group_for_it(injector, review):
    a_claim(review, securityContext={"fsGroup": 999, "runAsUser": 0})
    pod, _ = injector.patched(review)
    sidecar = pod["spec"]["initContainers"][-1]
    assert sidecar["volumeMounts"][1]["name"] == "kept"
    assert sidecar["securityContext"]["runAsUser"] == 10001, "not the pod's"


def test_the_resources_and_times_that_the_operator_names_are_the_sidecar_s(directory, review):
    words = ["--sidecar-drain-time", "60s", "--cpu-limit", "2"]
    injector = Injector(directory, more=words)
    try:
        pod, _ = injector.patched(review)
    finally:
        assert injector.stop() == 0
    sidecar = pod["spec"]["initContainers"][-1]
    assert sidecar["command"][-2:] == ["--drain-time", "60s"]
    assert sidecar["resources"]["limits"] == {"memory": "512Mi", "cpu": "2"}
    assert pod["spec"]["terminationGracePeriodSeconds"] == 5 + 15 + 60 + 5


def test_lists_that_are_missing_or_null_are_made(injector, review):
    pod_of(review)["spec"]["initContainers"] = None
    del pod_of(review)["spec"]["volumes"]
    pod, _ = injector.patched(review)
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["onceproxy"]
    assert len(pod["spec"]["volumes"]) == 2


def annotated(**more):
    def change(review):
        pod_of(review)["metadata"]["annotations"].update(
            {f"onceproxy.io/{name.replace('_', '-')}": value for name, value in more.items()})
    return change


def no_annotations(review):
    del pod_of(review)["metadata"]["annotations"]


def a_volume_of_that_name(review):
    pod_of(review)["spec"]["volumes"].append({"name": "onceproxy-config", "emptyDir": {}})


def a_claim(review, **pod):
    pod_of(review)["spec"]["volumes"].append({"name": "kept", "persistentVolumeClaim": {"claimName": "c"}})
    pod_of(review)["spec"].update(pod)
    annotated(store_volume="kept")(review)


def a_check_of_that_name(review):
    pod_of(review)["spec"]["initContainers"] = [
        {"name": "onceproxy", "image": "onceproxy", "command": ["onceproxy", "check", "-c", "f"]}]


def an_unstarted_sidecar(review):
    pod_of(review)["spec"]["initContainers"] = [{"name": "onceproxy", "image": "onceproxy"}]


def windows(review):
    pod_of(review)["spec"]["os"] = {"name": "windows"}


@pytest.mark.parametrize("change, told", [
    (no_annotations, "no annotation onceproxy.io/config; name in it the ConfigMap"),
    (annotated(config=""), "no annotation onceproxy.io/config"),
    (annotated(config="../etc"), '"../etc" is not the name of a ConfigMap'),
    (annotated(config="a..b"), '"a..b" is not the name of a ConfigMap'),
    (annotated(config="A"), '"A" is not the name of a ConfigMap'),
    (annotated(port="http"), '"http" is not a port'),
    (annotated(port="65536"), '"65536" is not a port'),
    (annotated(telemetry_port="-1"), 'annotation onceproxy.io/telemetry-port: "-1" is not a port'),
    (annotated(telemetry_port="8081"), 'port 8081 is declared by container "orders"'),
    (annotated(telemetry_port="8080"), "name the same port"),
    (annotated(port="8081"), 'port 8081 is declared by container "orders"'),
    (annotated(store_volume="none"), 'the pod has no volume "none"'),
    (a_claim, 'could not write to volume "kept"; set the pod\'s securityContext.fsGroup'),
    (a_volume_of_that_name, "a volume named onceproxy-config"),
    (a_check_of_that_name, "a container named onceproxy that does not run the sidecar; rename it"),
    (an_unstarted_sidecar, "a container named onceproxy that does not run the sidecar; rename it"),
    (windows, "the pod asks for windows"),
])
def test_a_pod_that_cannot_be_protected_is_denied_with_the_reason(injector, review, change, told):
    change(review)
    assert told in injector.denied(review)


@pytest.mark.parametrize("change", [
    lambda r: r["request"]["object"]["metadata"].pop("labels"),
    lambda r: r["request"]["object"]["metadata"]["labels"].update({"onceproxy.io/inject": "disabled"}),
    lambda r: r["request"].update(operation="UPDATE"),
    lambda r: r["request"].update(subResource="ephemeralcontainers"),
    lambda r: r["request"].update(kind={"group": "apps", "version": "v1", "kind": "Deployment"}),
    lambda r: r["request"].update(namespace="kube-system"),
], ids=["no label", "disabled", "update", "subresource", "another kind", "kube-system"])
def test_pods_without_the_label_are_not_changed(injector, review, change):
    change(review)
    response = injector.review(review)
    assert response["allowed"] and "patch" not in response


@pytest.mark.parametrize("body", [
    "", "[]", "{", '{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}',
    '{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
    json.dumps({**DEPLOYMENT, "request": {**DEPLOYMENT["request"], "uid": ""}}),
    json.dumps({**DEPLOYMENT, "request": {**DEPLOYMENT["request"], "object": None}}),
    '{"kind": "AdmissionReview", "kind": "AdmissionReview"}', "[" * 100_000],
    ids=["empty", "a list", "broken", "v1beta1", "no request", "no uid", "no object", "repeated",
         "deep"])
def test_a_body_that_is_not_a_review_is_400_so_that_the_api_server_fails_closed(injector, body):
    status, told = injector.call("POST", "/inject", body)
    assert status == 400 and told.strip()
    assert injector.call("GET", "/live") == (200, "LIVE\n")


def test_a_review_may_be_as_large_as_an_object_can_be_and_no_larger(injector, review):
    pod_of(review)["metadata"]["annotations"]["large"] = "x" * 2_000_000
    injector.patched(review)
    connection = injector.connect()
    connection.putrequest("POST", "/inject")
    connection.putheader("Content-Length", str(4 << 20))
    connection.endheaders()
    assert connection.getresponse().status == 413, "before it has come"
    connection.close()


def test_many_reviews_at_once_are_all_answered(injector, review):
    def ask(number):
        mine = copy.deepcopy(review)
        mine["request"]["uid"] = f"uid-{number}"
        return injector.patched(mine)[1]["uid"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(64))) == [f"uid-{number}" for number in range(64)]
    metrics = injector.call("GET", "/metrics")[1]
    assert 'onceproxy_inject_reviews_total{result="injected"} 64' in metrics


def test_a_renewed_certificate_is_served_without_a_restart(injector):
    before = ssl.get_server_certificate(injector.address)
    renewed = injector.authority.issue(names=("injector.onceproxy.svc",))
    renewed.write(injector.directory, "tls")
    eventually(lambda: ssl.get_server_certificate(injector.address) != before, "the new certificate")
    assert injector.call("GET", "/ready") == (200, "LIVE\n")


def test_reviews_are_answered_until_the_endpoint_is_gone(directory, review):
    injector = Injector(directory, "2s")
    injector.process.send_signal(signal.SIGTERM)
    assert injector.log.wait_for(lambda line: line["message"] == "draining", "draining")
    assert injector.call("GET", "/ready") == (503, "draining\n")
    assert injector.call("GET", "/live")[0] == 200
    injector.patched(review)
    assert injector.process.wait(PATIENCE) == 0
    injector.stop()


@pytest.mark.parametrize("words, code, told", [
    ([], 1, "--image is required"),
    (["--image", "i"], 1, "--certificate and --key are required"),
    (["--image", "i", "--certificate", "/none.crt", "--key", "/none.key"], 3, "/none.crt"),
    (["--image", "i", "--certificate", "c", "--key", "k", "--listen", "here"], 1, "--listen"),
    (["--image", "i", "--certificate", "c", "--key", "k", "--sidecar-grace", "5"], 1,
     "--sidecar-grace"),
])
def test_a_webhook_that_cannot_serve_says_why(words, code, told):
    result = run("inject", *words)
    assert result.returncode == code and told in result.stderr


def pod_list(*pods):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(pods)})


def test_the_audit_lists_pods_that_ask_for_the_sidecar_and_lack_it(injector, review, directory):
    guarded = injector.patched(review)[0]
    guarded["metadata"]["name"] = "guarded"
    bare, by_annotation, ended, other = (copy.deepcopy(pod_of(review)) for _ in range(4))
    bare["metadata"]["name"] = "bare"
    by_annotation["metadata"].update(name="by-annotation", labels={})
    ended["metadata"]["name"], ended["status"] = "ended", {"phase": "Succeeded"}
    other["metadata"].update(name="other", labels={}, annotations={})
    result = run("inject", "audit", stdin=pod_list(guarded, bare, by_annotation, ended, other))
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "shop/bare: no sidecar, though it has the label onceproxy.io/inject",
        "shop/by-annotation: no sidecar, though it has the annotation onceproxy.io/config",
        "2 pods without the sidecar that they request, 1 with it"]
    path = directory / "pods.json"
    path.write_text(pod_list(guarded, other))
    assert run("inject", "audit", "--file", path).returncode == 0
    as_json = run("inject", "audit", "--format", "json", stdin=json.dumps(bare))
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout) == {"protected": 0, "unprotected": [
        {"namespace": "shop", "name": "bare", "asks_by": "label onceproxy.io/inject"}]}


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"kind": "Status"}'])
def test_an_audit_of_something_else_is_2(text):
    assert run("inject", "audit", stdin=text).returncode == 2


@pytest.mark.skipif(os.environ.get("ONCEPROXY_LONG") != "1", reason="long tier only")
@pytest.mark.parametrize("source", [DEPLOYMENT, JOB], ids=["deployment", "job"])
def test_a_patched_pod_is_valid_for_several_versions_of_kubernetes(injector, directory, source):
    validate = shutil.which("kubernetes-validate")
    if validate is None:
        pytest.skip("kubernetes-validate is not installed")
    pod = injector.patched(source)[0]
    pod.pop("status", None)
    path = directory / "pod.json"
    path.write_text(json.dumps(pod))
    for version in ("1.29", "1.33", "1.36"):
        result = subprocess.run([validate, "--strict", "-k", version, path], capture_output=True,
                                text=True, timeout=PATIENCE)
        assert result.returncode == 0, (version, result.stdout, result.stderr)
