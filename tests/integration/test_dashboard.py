"""The dashboard of deploy/grafana, as a file."""

import json
import re

from harness.rules import DASHBOARD, panels


def test_the_dashboard_is_one_that_grafana_takes():
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["uid"] and DASHBOARD["title"]
    assert DASHBOARD["id"] is None, "an id is another Grafana's"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels()]
    assert all(titles) and len(set(titles)) == len(titles)
    for panel in panels():
        assert panel["description"], panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] and defaults["thresholds"]["steps"][0]["value"] is None
        refs = [each["refId"] for each in panel["targets"]]
        assert refs and len(set(refs)) == len(refs), panel["title"]
        for thing in (panel, *panel["targets"]):
            assert thing["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for each in panel["targets"]:
            assert each["expr"] and each["legendFormat"]
            assert each["instant"] != each["range"]


def test_no_two_panels_overlap_and_none_leaves_the_grid():
    taken = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= 24, panel["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies on {other}"


def test_every_variable_is_declared_and_used():
    declared = {each["name"] for each in DASHBOARD["templating"]["list"]}
    text = json.dumps({**DASHBOARD, "templating": [
        each.get("definition", "") for each in DASHBOARD["templating"]["list"]]})
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == declared
    repeated = [panel["repeat"] for panel in DASHBOARD["panels"] if "repeat" in panel]
    assert repeated == ["policy"]


def test_every_series_of_the_dashboard_is_chosen_by_namespace():
    for panel in panels():
        for each in panel["targets"]:
            for labels in re.findall(r"(?:onceproxy|process)_\w+\{([^}]*)\}", each["expr"]):
                assert 'job=~"$job", namespace=~"$namespace"' in labels, panel["title"]
