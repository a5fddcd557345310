#!/usr/bin/env python3
"""Prints the chart's values.schema.json: the chart's own values, and for `policies` and `config` what
`onceproxy schema` says, so that a misspelt key of a policy is refused before anything is installed.

    deploy/helm/values_schema.py build/debug/proxy/onceproxy > deploy/helm/onceproxy/values.schema.json

A test compares the file with what this prints.
"""

import json
import subprocess
import sys

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
SECONDS = {"type": "integer", "minimum": 0, "maximum": 3600}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
LABELS = {"type": "object", "additionalProperties": TEXT}
OBJECT = {"type": "object"}
OBJECTS = {"type": "array", "items": OBJECT}
NAME = {"type": "string", "minLength": 1}


def text(pattern):
    return {"type": "string", "pattern": pattern}


def closed(**properties):
    """An object that has these members and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def values(program_schema):
    sections = {key: optional(value) for key, value in program_schema["properties"].items()
                if key != "policies"}
    policies = program_schema["properties"]["policies"]
    monitor = closed(enabled=FLAG, labels=LABELS, interval=text("^[0-9]+(ms|s|m|h)$"))
    return closed(
        mode={"enum": ["standalone", "sidecar", "injector"]},
        nameOverride=TEXT,
        fullnameOverride=TEXT,
        image=closed(repository=NAME, tag=TEXT, digest=text("^(sha256:[0-9a-f]{64})?$"),
                     pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}),
        imagePullSecrets=OBJECTS,
        upstream=TEXT,
        policies=policies,
        config=closed(**sections),
        existingConfigMap=TEXT,
        reload={"enum": ["live", "restart"]},
        ports=closed(data=PORT, admin=PORT, telemetry=PORT),
        store=closed(
            kind={"enum": ["", "emptyDir", "claim", "postgres"]},
            size=text("^[0-9]+(Mi|Gi|Ti)$"),
            maxBytes=text("^[0-9]+(KiB|MiB|GiB|TiB)$"),
            auditMaxBytes=text("^[0-9]+(KiB|MiB|GiB|TiB)$"),
            storageClassName=TEXT,
            accessMode={"enum": ["ReadWriteOncePod", "ReadWriteOnce"]},
            postgres=closed(secretName=NAME, secretKey=NAME, connections={"type": "integer", "minimum": 1},
                            schema=NAME, durability={"enum": ["quorum", "primary"]})),
        shutdown=closed(grace=SECONDS, timeout=SECONDS, drainTime=SECONDS, serviceSleep=SECONDS),
        resources=OBJECT,
        extraEnv=OBJECTS,
        extraVolumeMounts=OBJECTS,
        sidecar=closed(native=FLAG),
        replicas=COUNT,
        podLabels=LABELS,
        podAnnotations=LABELS,
        extraVolumes=OBJECTS,
        nodeSelector=LABELS,
        tolerations=OBJECTS,
        affinity=OBJECT,
        topologySpreadConstraints=OBJECTS,
        priorityClassName=TEXT,
        serviceAccountName=TEXT,
        service=closed(type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, port=PORT,
                       annotations=LABELS),
        podSelector=LABELS,
        injector=closed(
            replicas=COUNT, failurePolicy={"enum": ["Fail", "Ignore"]},
            excludedNamespaces={"type": "array", "items": NAME},
            certificate=closed(kind={"enum": ["certManager", "generated", "secret"]}, issuerRef=OBJECT,
                               secretName=TEXT, caBundle=TEXT),
            resources=OBJECT),
        networkPolicy=closed(enabled=FLAG, **{"from": OBJECTS}, monitoringFrom=OBJECTS, extraIngress=OBJECTS),
        podDisruptionBudget=closed(enabled=FLAG, maxUnavailable={"type": ["integer", "string"]}),
        podMonitor=monitor,
        serviceMonitor=monitor,
        prometheusRule=closed(enabled=FLAG, labels=LABELS, runbookUrl=text("^https?://")),
        dashboard=closed(enabled=FLAG, labels=LABELS, annotations=LABELS),
        # Helm gives these to a chart that another one includes: `enabled` is what the condition of a dependency
        # mostly names.
        **{"global": OBJECT, "enabled": FLAG},
    )


def optional(schema):
    """A section of the file whose required members may be missing: the chart gives them."""
    made = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in made:
        made["properties"] = {name: optional(member) for name, member in made["properties"].items()}
    return made


def terse(schema):
    """Without what only explains."""
    if isinstance(schema, list):
        return [terse(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):  # names that are anybody's, and may be `title`
            made[key] = {name: terse(member) for name, member in value.items()}
        elif key not in ("description", "default", "$comment", "title"):
            made[key] = terse(value)
    return made


def main():
    printed = subprocess.run([sys.argv[1], "schema"], capture_output=True, text=True, check=True).stdout
    program_schema = json.loads(printed)
    schema = {"$schema": program_schema["$schema"], "title": "values of the chart onceproxy",
              **terse(values(program_schema)), "$defs": terse(program_schema["$defs"])}
    # A line for each value: 16,000 lines would be nobody's to read.
    lines = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
             for name, value in schema.pop("properties").items()]
    head = json.dumps(schema, ensure_ascii=False)[:-1]
    print(head + ',\n "properties": {\n' + ",\n".join(lines) + "\n}}")


if __name__ == "__main__":
    main()
