"""The legacy service of the demo: takes orders, dispatches rides, takes them back, receives alerts.

It is deliberately naive: it does what every request says, every time. Each request takes 50 ms and
writes one line for its effect. The service does not look at what it did before.

    service.py EFFECTS [PORT]

EFFECTS is the file that the effects are appended to. PORT is the port of 127.0.0.1 to serve on, by
default a free one. The service prints the port.
"""

import http.server
import itertools
import json
import re
import sys
import threading
import time

WORK = 0.05  # seconds that each takes
DISPATCH = re.compile(r"/v1/rides/([^/]+)/dispatch")
DECLINE = re.compile(r"/v1/rides/([^/]+)/decline")


class Effects:
    """What was done to the world: one line each, in a file that outlives the process."""

    def __init__(self, path):
        self._file = open(path, "a", buffering=1)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def add(self, operation):
        with self._lock:
            number = next(self._numbers)
            self._file.write(operation + "\n")
        return number


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    effects = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answer = self.execute(json.loads(body))
        except (ValueError, KeyError, LookupError) as error:
            return self.reply(400, {"error": str(error)})
        self.reply(201 if self.path == "/orders" else 200, answer)

    def execute(self, order):
        """Does what the request says."""
        ride = DISPATCH.fullmatch(self.path)
        if ride:
            time.sleep(WORK)
            number = self.effects.add(f"dispatch {ride[1]} {order['driver_id']} {order['sequence']}")
            return {"dispatched": ride[1], "driver": order["driver_id"], "job": number}
        declined = DECLINE.fullmatch(self.path)
        if declined:
            time.sleep(WORK)
            return {"declined": declined[1],
                    "job": self.effects.add(f"decline {declined[1]} {order['by']}")}
        if self.path == "/alerts":
            time.sleep(WORK)
            number = self.effects.add(f"alert {order['name']} {order['starts_at']}")
            return {"ticket": number}
        if self.path == "/orders":
            time.sleep(WORK)
            return {"order": self.effects.add(f"order {order['item']}")}
        raise LookupError(f"no such path: {self.path}")

    def reply(self, status, document):
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        """The client has left. The effect of its request stays."""


def main():
    Handler.effects = Effects(sys.argv[1])
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with Server(("127.0.0.1", port), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
