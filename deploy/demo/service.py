"""The legacy service of the demo: dispatches rides, takes them back, and receives alerts.

Deliberately naive: it does what every request says, every time. It takes 50 ms for each, writes one
line for each effect, and has no idea that it may have done the same thing a moment ago.

    service.py EFFECTS      serves on a free port, which it prints; EFFECTS is the file of effects
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
        self.reply(200, answer)

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
        raise LookupError(f"no such path: {self.path}")

    def reply(self, status, document):
        body = json.dumps(document).encode()
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
        """Whoever asked is gone; what was done is done."""


def main():
    Handler.effects = Effects(sys.argv[1])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
