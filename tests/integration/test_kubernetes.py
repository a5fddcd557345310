"""The manifests of deploy/kubernetes and the chart of deploy/helm, as far as they can be checked with the
program alone: their configurations are valid, the pods meet the restricted Pod Security Standard, and files
that exist twice are equal. Tests that need a renderer or an API server are in test_kubernetes_tools.py."""

import json
import pathlib
import re
import subprocess
import sys
import textwrap

import jsonschema
import pytest
import yaml

from harness.kubelet import manifests
from harness.kubernetes import container_of, containers, pods_of, restricted
from harness.process import binary, run

ROOT = pathlib.Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
HELM = ROOT / "deploy" / "helm"
CHART = HELM / "onceproxy"
PLAIN = "plain-container.yaml"
FILES = sorted(path for path in KUBERNETES.glob("*.yaml"))
DOCUMENTS = [(path, document) for path in sorted(KUBERNETES.rglob("*.yaml"))
             for document in yaml.safe_load_all(path.read_text())
             if isinstance(document, dict) and "kind" in document]
CONFIGS = [(path, text) for path, document in DOCUMENTS
           if document["kind"] == "ConfigMap" for name, text in document["data"].items()]
CONFIGS.append((KUBERNETES / "example", (KUBERNETES / "example" / "onceproxy.yaml").read_text()))
PODS = [(path, pod) for path, document in DOCUMENTS for pod in pods_of([document])]


# Of the component: it is in a patch of its own, since a workload may have one.
COMPONENT_GRACE = yaml.safe_load((KUBERNETES / "component" / "grace-period.yaml").read_text())[-1]["value"]


def name_of(value):
    return str(value.relative_to(KUBERNETES))


def guards():
    """Every container of onceproxy that serves, with its file and its pod."""
    return [(path, pod, container) for path, pod in PODS for container in containers(pod)
            if container["name"] == "onceproxy"]


def seconds(command, option):
    return int(command[command.index(option) + 1].removesuffix("s"))


def test_there_are_manifests():
    assert len(FILES) >= 5 and len(CONFIGS) >= 6 and len(guards()) >= 6


@pytest.mark.parametrize("path, text", CONFIGS, ids=[name_of(path) for path, _ in CONFIGS])
def test_a_configuration_in_a_manifest_is_valid(directory, path, text):
    (directory / "onceproxy.yaml").write_text(text)
    database = "postgresql://user:password@db:5432/onceproxy"
    check = run("check", directory / "onceproxy.yaml", ONCEPROXY_DATABASE=database)
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("path, pod", PODS, ids=[name_of(path) for path, _ in PODS])
def test_a_pod_meets_the_restricted_standard(path, pod):
    restricted(pod)


@pytest.mark.parametrize("path, pod, container", guards(), ids=[name_of(path) for path, _, _ in guards()])
def test_a_guard_is_started_probed_and_stopped_in_time(path, pod, container):
    native = container in pod.get("initContainers", [])
    assert native == (path.name != PLAIN)
    assert container.get("restartPolicy") == ("Always" if native else None)
    ports = {port["name"] for port in container["ports"]}
    probes = {name: container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert all(probe["httpGet"]["port"] in ports for probe in probes.values())
    assert probes["livenessProbe"]["httpGet"]["path"] == "/live", "/ready would end a drain"
    for name in ("readinessProbe", "startupProbe"):
        assert probes[name]["httpGet"]["path"] == "/ready"
    # A sidecar that does not come up is started again; its pod is not stuck for good.
    assert probes["startupProbe"]["failureThreshold"] * probes["startupProbe"]["periodSeconds"] <= 120

    hook = container["lifecycle"]["preStop"]["exec"]["command"]
    assert "-c" not in hook, "the file may be another one by then"
    grace, timeout = seconds(hook, "--grace"), seconds(hook, "--timeout")
    whole = grace + timeout + seconds(container["command"], "--drain-time")
    given = pod.get("terminationGracePeriodSeconds")
    assert whole < (COMPONENT_GRACE if path.parent.name == "component" else given)
    assert "limits" in container["resources"] and "memory" in container["resources"]["limits"]
    for service in pod.get("containers", []):
        if service is not container and path.name != "job.yaml":
            stop = service["lifecycle"]["preStop"]
            sleep = stop["sleep"]["seconds"] if "sleep" in stop else int(stop["exec"]["command"][1])
            assert sleep > grace, "the service outlasts the requests that still come"


def test_the_guard_is_the_same_in_every_file():
    """What differs is what the file is about."""
    def plain(container):
        made = json.loads(json.dumps(container))
        made.pop("restartPolicy", None)
        made.pop("env", None)
        made["volumeMounts"] = [m for m in made["volumeMounts"] if m["name"] != "onceproxy-store"]
        made["ports"] = [port for port in made["ports"] if port["name"] != "onceproxy"]
        hook = made["lifecycle"]["preStop"]["exec"]["command"]
        hook[hook.index("--grace") + 1] = "-"
        return made

    first, *others = [plain(container) for _, _, container in guards()]
    assert all(other == first for other in others)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_clients_reach_the_guard_and_nothing_else(path):
    documents = [document for document in yaml.safe_load_all(path.read_text())]
    by_kind = {document["kind"]: document for document in documents}
    if "Service" not in by_kind:
        assert path.name == "job.yaml"
        return
    config = yaml.safe_load(by_kind["ConfigMap"]["data"]["onceproxy.yaml"])
    data, telemetry = (int(address.rpartition(":")[2]) for address in
                       (config["listen"], config["telemetry"]["listen"]))
    pod = next(pod for where, pod in PODS if where == path)
    guard = container_of(pod)
    assert {port["name"]: port["containerPort"] for port in guard["ports"]} == {"onceproxy": data,
                                                                                "telemetry": telemetry}
    # By number: before 1.32 a Service with the name of a native sidecar's port has no endpoints.
    assert [port["targetPort"] for port in by_kind["Service"]["spec"]["ports"]] == [data]
    rules = by_kind["NetworkPolicy"]["spec"]["ingress"]
    reachable = {port["port"] for rule in rules for port in rule["ports"]}
    assert reachable == {data, telemetry}
    assert config["admin"]["listen"].startswith("127.0.0.1:"), "full control belongs on the loopback"
    hook = guard["lifecycle"]["preStop"]["exec"]["command"]
    assert hook[hook.index("--admin") + 1] == config["admin"]["listen"]
    upstream = int(config["upstream"]["address"].rpartition(":")[2])
    service = next(each for each in pod["containers"] if each is not guard)
    assert upstream in {port["containerPort"] for port in service["ports"]}


def test_a_volume_holds_what_the_store_and_the_audit_log_may_grow_to():
    sizes = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "Mi": 2**20, "Gi": 2**30}

    def size(text):
        number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
        return int(number) * sizes[unit]

    for path in FILES:
        text = path.read_text()
        config = yaml.safe_load(next(d for d in yaml.safe_load_all(text) if d["kind"] == "ConfigMap")
                                ["data"]["onceproxy.yaml"])
        if "rocksdb" in config["store"]:
            needed = size(config["store"]["rocksdb"]["max_bytes"]) + size(config["audit"]["max_bytes"])
            volumes = re.findall(r"(?:sizeLimit|storage): (\w+)", text)
            assert volumes and all(size(volume) > needed * 1.25 for volume in volumes), path.name


def test_the_images_and_charts_are_of_the_program_s_version():
    version = run("--version").stdout.split()[1]
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        assert set(re.findall(r"image: onceproxy:(\S+)", path.read_text())) <= {version}, path
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
    orders = yaml.safe_load((HELM / "orders" / "Chart.yaml").read_text())
    assert [each["version"] for each in orders["dependencies"]] == [version]


# What deploy/README.md shows.


README = (ROOT / "deploy" / "README.md").read_text()


def test_the_configuration_of_the_ten_minutes_is_the_example_s_in_shadow_mode(directory):
    text = re.search(r"```yaml\n(listen: .*?)```", README, re.S)[1]
    (directory / "onceproxy.yaml").write_text(text)
    assert run("check", directory / "onceproxy.yaml").returncode == 0
    shown = yaml.safe_load(text)
    example = yaml.safe_load((KUBERNETES / "example" / "onceproxy.yaml").read_text())
    assert shown["policies"][0].pop("enforcement") == {"mode": "shadow"}
    assert shown == example


def test_the_pod_that_restores_a_backup_uses_the_statefulset_s_claim():
    text = re.search(r"<<'END'\n(    apiVersion: v1\n    kind: Pod.*?)\n    END", README, re.S)[1]
    pod = yaml.safe_load(textwrap.dedent(text))["spec"]
    stateful = manifests(KUBERNETES / "statefulset.yaml")["StatefulSet"]
    claim, = stateful["spec"]["volumeClaimTemplates"]
    claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]
              if "persistentVolumeClaim" in volume}
    assert claims["store"] == f"{claim['metadata']['name']}-{stateful['metadata']['name']}-0"
    container, = pod["containers"]
    image = stateful["spec"]["template"]["spec"]["initContainers"][0]["image"]
    assert container["image"] == f"REGISTRY/{image}"
    assert container["command"][:2] == ["onceproxy", "restore"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_a_restore_waits_for_its_pods_and_scales_up_only_after_success():
    shown = re.search(r"(    kubectl scale statefulset.*?)<<'END'.*?    END\n(.*?)\n\n\*\*", README, re.S)
    before, after = shown.groups()
    scale, wait = before.splitlines()[:2]
    assert scale.endswith("--replicas 0 &&") and "--for=delete" in wait and "--timeout=" in wait
    steps = [line for line in after.splitlines() if line]
    assert steps[0].startswith("    kubectl wait pod/onceproxy-restore") and "--timeout=" in steps[0]
    assert steps[-1].endswith("--replicas 1")
    assert all(line.endswith(" &&") for line in steps[:-1]), "each step only after the one before"


# The chart.


VALUES = [(CHART / "values.yaml", None),
          *((path, None) for path in sorted((CHART / "examples").glob("*.yaml"))),
          (HELM / "orders" / "values.yaml", "onceproxy")]


@pytest.fixture(scope="module")
def schema():
    text = (CHART / "values.schema.json").read_text()
    made = jsonschema.Draft202012Validator(json.loads(text))
    made.check_schema(made.schema)
    return made


def test_the_schema_of_the_values_is_made_from_the_program_s():
    printed = subprocess.run([sys.executable, HELM / "values_schema.py", binary()], capture_output=True,
                             text=True, check=True).stdout
    assert printed == (CHART / "values.schema.json").read_text(), \
        "deploy/helm/values_schema.py PROGRAM > deploy/helm/onceproxy/values.schema.json"


@pytest.mark.parametrize("path, key", VALUES, ids=[str(path.relative_to(HELM)) for path, _ in VALUES])
def test_values_that_are_documented_agree_with_the_schema(schema, path, key):
    values = yaml.safe_load(path.read_text())
    errors = schema.iter_errors(values[key] if key else values)
    assert not [f"{error.json_path}: {error.message[:200]}" for error in errors]


def test_every_value_is_in_the_schema_and_has_a_default(schema):
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert defaults.keys() == schema.schema["properties"].keys() - {"global", "enabled"}
    for name, value in defaults.items():
        members = schema.schema["properties"][name].get("properties")
        if members and name != "config":
            assert value.keys() == members.keys(), name


def test_an_application_s_chart_may_switch_it_off(schema):
    assert schema.is_valid({"enabled": False}) and not schema.is_valid({"enabled": "no"})


@pytest.mark.parametrize("values", [
    {"polices": []},
    {"policies": [{"name": "orders", "fingerprnt": "client_key"}]},
    {"policies": [{"name": "UPPER"}]},
    {"config": {"limits": {"body_byte": "1MiB"}}},
    {"config": {"policies": []}},
    {"store": {"kind": "pvc"}},
    {"store": {"maxBytes": "1Gi"}},
    {"mode": "side-car"},
    {"ports": {"data": 0}},
    {"prometheusRule": {"runbookUrl": "deploy/README.md#"}},
    {"image": {"digest": "sha256:1"}},
    {"networkPolicy": {"enable": True}},
], ids=str)
def test_values_that_are_misspelt_are_refused(schema, values):
    assert not schema.is_valid(values)


def test_rules_and_dashboard_have_one_source():
    """The chart's files are links, which Helm follows."""
    for name, source in (("rules.yaml", "prometheus/rules.yaml"),
                         ("onceproxy.json", "grafana/onceproxy.json")):
        link = CHART / "files" / name
        assert link.is_symlink() and link.resolve() == (ROOT / "deploy" / source).resolve()
    urls = re.findall(r"runbook_url: (\S+)", (CHART / "files" / "rules.yaml").read_text())
    prefix = yaml.safe_load((CHART / "values.yaml").read_text())["prometheusRule"]["runbookUrl"]
    assert urls and all(url.startswith(prefix) for url in urls)
    assert f'replace "{prefix}"' in (CHART / "templates" / "prometheusrule.yaml").read_text()
