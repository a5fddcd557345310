"""The program has one event loop, that of Asio; no source file uses another one."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ["store", "policies", "config", "proxy", "tests", "deploy"]
# Programs that stand for clients and services in benchmarks.
PEERS = ROOT / "tests/bench/peers"
ROUND_IT = re.compile(r"#\s*include\s*<sys/epoll\.h>|\b(getaddrinfo|eventfd|sigtimedwait)\s*\(")


def test_no_source_waits_or_resolves_by_other_means_than_asio():
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")
               if path.suffix in (".c", ".h", ".cpp", ".hpp") and PEERS not in path.parents]
    assert len(sources) > 100
    found = [f"{path.relative_to(ROOT)}: {match[0]}" for path in sources
             for match in ROUND_IT.finditer(path.read_text())]
    assert not found
