"""proxy/telemetry/REFERENCE.md lists exactly the metrics that the program exposes."""

import pathlib
import re

from harness import request
from harness.admin import Admin
from harness.client import once

ROOT = pathlib.Path(__file__).parents[2]
TELEMETRY = ROOT / "proxy/telemetry"
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


def words_for_store_errors():
    """Those that the reference tells, and those that stand in the sources."""
    told = re.search(r"Operations of `onceproxy_store_errors_total`:(.*?)\n\n(.*?)\. The metrics",
                     (TELEMETRY / "REFERENCE.md").read_text(), re.S)
    words = set(re.findall(r"`([a-z_]+)`", told[1])) | set(re.findall(r"`([a-z_]+)`", told[2]))
    sources = [path for folder in ("store/rocksdb", "proxy") for path in (ROOT / folder).glob("*.cpp")]
    used = {word for path in sources
            for word in re.findall(r'\b(?:failed|store_error)\("([a-z_]+)"', path.read_text())}
    return words, used


def test_errors_of_the_store_are_counted_from_zero(proxy):
    """To an alert a series that begins at 1 does not rise: the first failure would go unnoticed."""
    words, used = words_for_store_errors()
    assert len(words) > 20 and len(used) > 10 and used <= words
    values = dict(re.findall(r'^onceproxy_store_errors_total\{operation="(\w+)"\} (\S+)$',
                             Admin(proxy.telemetry).get("/metrics"), re.M))
    assert values.keys() == words and set(values.values()) == {"0"}
