"""What the tests of manifests share: the tools, the pods in a list of documents, and the restricted Pod
Security Standard."""

import os
import pathlib
import re
import shutil

import pytest

TOOLS = pathlib.Path(os.environ.get("ONCEPROXY_KUBERNETES_TOOLS",
                                    pathlib.Path(__file__).parents[3] / "build" / "kubernetes-tools"))
WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Of those that the restricted standard allows, the ones that have a use here.
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected"}


def tool(name):
    """The path of a program that tests/kubernetes_tools.sh builds; a test that cannot have it is skipped."""
    path = shutil.which(name, path=f"{TOOLS}/bin:{os.environ['PATH']}")
    if path is None:
        pytest.skip(f"no Kubernetes tools here: {name}; tests/kubernetes_tools.sh builds them")
    return path


def pods_of(documents):
    """The pod templates of the workloads among them."""
    return [each["spec"]["template"]["spec"] for each in documents if each["kind"] in WORKLOADS]


def containers(pod):
    return pod.get("initContainers", []) + pod.get("containers", [])


def container_of(pod, name="onceproxy"):
    return next(each for each in containers(pod) if each["name"] == name)


def restricted(pod):
    """Fails where the pod does not meet the restricted Pod Security Standard."""
    of_pod = pod.get("securityContext", {})
    for container in containers(pod):
        security = container.get("securityContext") or {}
        assert security.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is True, container["name"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"]["drop"] == ["ALL"]
        assert security.get("seccompProfile", of_pod.get("seccompProfile"))["type"] == "RuntimeDefault"
        if container["name"] == "onceproxy":
            assert security["readOnlyRootFilesystem"] is True
            assert security.get("runAsUser", 10001) == 10001, "the image's user, which owns its volumes"
    for volume in pod.get("volumes", []):
        assert volume.keys() - {"name", "$patch"} <= VOLUMES


def uncoloured(text):
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
