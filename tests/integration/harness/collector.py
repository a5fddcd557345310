"""A collector of traces (OTLP over HTTP, JSON) that does what a test says and keeps every span."""

import http.server
import json
import threading

from .wait import eventually

KINDS = {1: "internal", 2: "server", 3: "client"}


class Span:
    """One span, its attributes as plain values."""

    def __init__(self, data, service):
        self.data = data
        self.service = service
        self.name, self.trace, self.id = data["name"], data["traceId"], data["spanId"]
        self.parent = data.get("parentSpanId")
        self.kind = KINDS[data["kind"]]
        self.begin, self.end = int(data["startTimeUnixNano"]), int(data["endTimeUnixNano"])
        self.links = [(link["traceId"], link["spanId"]) for link in data.get("links", [])]
        self.failed = data.get("status", {}).get("code") == 2
        self.attributes = {}
        for attribute in data.get("attributes", []):
            (kind, value), = attribute["value"].items()
            assert attribute["key"] not in self.attributes, f"{attribute['key']} twice"
            self.attributes[attribute["key"]] = int(value) if kind == "intValue" else value

    def __getitem__(self, name):
        return self.attributes.get(name)

    def __repr__(self):
        return f"<{self.kind} {self.name} {self.attributes}>"


class Collector:
    """`answer(request_number)` is called for each export and says its status; it may wait."""

    def __init__(self, answer=lambda number: 200):
        self.lock = threading.Lock()
        self.requests = 0
        self._spans = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                with collector.lock:
                    collector.requests += 1
                    number = collector.requests
                status = answer(number)
                if status == 200:
                    collector._take(json.loads(body))
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")
                except OSError:
                    pass  # the program did not wait for the answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, body):
        found = []
        for resource in body["resourceSpans"]:
            service = {a["key"]: a["value"]["stringValue"]
                       for a in resource["resource"]["attributes"]}
            for scope in resource["scopeSpans"]:
                found += [Span(span, service) for span in scope["spans"]]
        with self.lock:
            self._spans += found

    def spans(self, count=0, **wanted):
        """Every span of that name, kind or trace, in the order of their beginnings; with `count`,
        once there are so many."""
        def found():
            with self.lock:
                return sorted((s for s in self._spans
                               if all(getattr(s, k) == v for k, v in wanted.items())),
                              key=lambda span: span.begin)
        if count:
            eventually(lambda: len(found()) >= count, f"{count} spans {wanted}")
        return found()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
