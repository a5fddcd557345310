"""The documents: links are valid, and the commands of the README work."""

import os
import pathlib
import re
import subprocess

import pytest

from harness import request
from harness.client import once
from harness.process import run

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = sorted(ROOT / path for path in subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()) or sorted(
    path for path in ROOT.rglob("*.md") if "build" not in path.relative_to(ROOT).parts)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)


def anchors(path):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.M)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower().replace(" ", "-")
             for heading in headings]
    return {re.sub(r"[^\w-]", "", heading) for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document):
    for link in LINK.findall(prose(document)):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_commands_in_the_documents_can_be_executed():
    commands = {word for document in DOCUMENTS
                for word in re.findall(r"(?:^    |`)((?:tests|deploy)/[\w/-]+\.(?:sh|py))(?: [\w-]|\n)",
                                       document.read_text(), re.M)}
    assert "tests/bench/backlog.py" in commands
    for word in commands:
        assert os.access(ROOT / word, os.X_OK), word


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_first_use_of_the_readme_works(stage, directory):
    readme = (ROOT / "README.md").read_text()
    text = re.search(r"<<'END'\n(.*?)END\n", readme, re.S)[1]
    (directory / "onceproxy.yaml").write_text(text)
    assert run("check", directory / "onceproxy.yaml").returncode == 0

    effects = directory / "effects.txt"
    service = subprocess.Popen(["/usr/bin/python3", ROOT / "deploy/demo/service.py", effects],
                               stdout=subprocess.PIPE, text=True)
    try:
        port = int(service.stdout.readline())
        policies = [{"name": "orders", "match": {"methods": ["POST"], "path": "/orders"},
                     "fingerprint": "client_key", "scope": "shared", "window": "24h"}]
        proxy = stage.proxy(f"127.0.0.1:{port}", policies)
        order = request(key="k1", body=b'{"item":"tea"}', headers={"content-type": "application/json"})
        answers = [once(proxy.data, order), once(proxy.data, order)]
        other = once(proxy.data, request(key="k1", body=b'{"item":"coffee"}',
                                         headers={"content-type": "application/json"}))
    finally:
        service.kill()
        service.wait()
        service.stdout.close()
    assert [answer.decision for answer in answers] == ["forwarded", "replayed"]
    assert [answer.status for answer in [*answers, other]] == [201, 201, 422]
    assert answers[0].body == answers[1].body == b'{"order": 1}\n'
    assert effects.read_text() == "order tea\n"
