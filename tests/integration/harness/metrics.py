"""The Prometheus text format, read strictly enough to notice a broken exposition."""

import re
import urllib.request

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} declared twice"
                self.types[name] = kind
            if not line or line.startswith("#"):
                continue
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            labels = match[2] or ""
            assert LABEL.sub("", labels) == "", f"not labels: {labels!r}"
            sample = (match[1], frozenset(LABEL.findall(labels)))
            assert sample not in self.samples, f"exposed twice: {line!r}"
            self.samples[sample] = float(match[3])

    def sum(self, name, **labels):
        """The sum of every sample of that name which has these labels; 0 without any."""
        wanted = set(labels.items())
        return sum(v for (n, found), v in self.samples.items() if n == name and wanted <= found)

    def values(self, name, **labels):
        """Those samples one by one; none where it is not exported."""
        wanted = set(labels.items())
        return [v for (n, found), v in self.samples.items() if n == name and wanted <= found]

    def decisions(self, decision, policy="orders"):
        return self.sum("onceproxy_requests_total", decision=decision, policy=policy)

    def label_values(self, label):
        return {v for _, found in self.samples for k, v in found if k == label}


def scrape(address, context=None):
    """With a `context` through TLS."""
    host, port = address
    scheme = "https" if context else "http"
    with urllib.request.urlopen(f"{scheme}://{host}:{port}/metrics", timeout=30,
                                context=context) as response:
        assert response.headers["Content-Type"].startswith("text/plain"), response.headers
        return Metrics(response.read().decode())
