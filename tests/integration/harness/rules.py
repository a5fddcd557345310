"""The rules and the dashboard that deploy/ has for Prometheus and Grafana."""

import json
import pathlib

import yaml

DEPLOY = pathlib.Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "onceproxy.json").read_text())


def recorded():
    """Name and expression of every recording rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]
            if "record" in rule}


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
