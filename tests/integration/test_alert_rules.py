"""The alert and recording rules of deploy/prometheus: every alert has a test case and a section in the runbook."""

import re

import yaml

from harness.monitoring import promtool
from harness.rules import DEPLOY, RULES, alerts, recorded

TESTS = sorted((DEPLOY / "prometheus").glob("*_test.yaml"))


def test_the_rules_are_valid():
    promtool("check", "rules", RULES)


def test_every_alert_is_quiet_and_fires_when_it_should():
    promtool("test", "rules", *TESTS)


def test_every_alert_has_a_case_in_which_it_fires_and_two_in_which_it_does_not():
    quiet, firing = {}, set()
    cases = [case for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]
             for case in test["alert_rule_test"]]
    for case in cases:
        name = case["alertname"]
        if case["exp_alerts"]:
            firing.add(name)
        else:
            quiet[name] = quiet.get(name, 0) + 1
    assert firing == set(alerts())
    assert {name: count for name, count in quiet.items() if count >= 2}.keys() == firing


def test_every_alert_has_a_severity_a_summary_and_a_section_in_the_runbook():
    runbook = (DEPLOY / "README.md").read_text()
    sections = set(re.findall(r"^#+ (.+)$", runbook, re.M))
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        assert alert["annotations"]["summary"], name
        assert alert["annotations"]["runbook_url"] == f"https://onceproxy.io/runbooks#{name.lower()}"
        assert name in sections, f"deploy/README.md says nothing of {name}"
    told = {section for section in sections if section.startswith("Onceproxy")}
    assert told == set(alerts()), "sections about alerts that there are not"


def test_what_is_of_a_policy_is_of_its_namespace_too():
    for name, expression in {**recorded(), **{k: v["expr"] for k, v in alerts().items()}}.items():
        for labels in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
            assert labels.startswith("job, namespace"), f"{name}: {labels}"
