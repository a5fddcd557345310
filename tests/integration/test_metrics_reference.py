"""proxy/telemetry/REFERENCE.md lists exactly the metrics that the program exposes."""

import pathlib
import re

from harness import request
from harness.admin import Admin
from harness.client import once

TELEMETRY = pathlib.Path(__file__).parents[2] / "proxy/telemetry"
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \|(.*?)\|", re.M)
TOLD = {name: (kind, set(re.findall(r"\w+", labels)))
        for name, kind, labels in ROW.findall((TELEMETRY / "REFERENCE.md").read_text())}


def test_every_metric_is_listed_with_its_type_and_labels(proxy):
    for key in ("a", "a", None):
        once(proxy.data, request(key=key))
    text = Admin(proxy.telemetry).get("/metrics")
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert set(types) <= set(TOLD)
    for name, kind in types.items():
        assert TOLD[name][0] == kind, name
    for name, labels in re.findall(r"^(\w+)\{(.*?)\} ", text, re.M):
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        assert set(re.findall(r'(\w+)="', labels)) - {"le"} == TOLD[family][1], name


def test_no_metric_is_listed_that_does_not_exist():
    sources = "".join(path.read_text() for path in TELEMETRY.glob("*.cpp"))
    missing = {name for name in TOLD if f'"{name}"' not in sources}
    assert not missing
