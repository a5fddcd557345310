#!/usr/bin/python3
"""What onceproxy adds to a request whose service answers in two writes.

    tests/bench/split_answers.py PROGRAM

The service is Python's http.server: it writes head and body separately and leaves Nagle's algorithm
on, so that the body waits until the head is acknowledged. Requests go directly and through
onceproxy in turns, over one kept connection each; the client acknowledges at once, so that only
onceproxy's part is compared. Exit code 1 when the median through onceproxy is
2 ms or more above the direct one.
"""

import http.client
import http.server
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from contenders import free_ports

REQUESTS = 500
ADDED_MAX = 0.002


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False
    # Each write() is a send() of its own.
    wbufsize = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def connect(port):
    deadline = time.monotonic() + 10
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.connect()
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nobody listens on port {port}")
            time.sleep(0.05)


def timed(connection, path, number):
    began = time.perf_counter()
    connection.request("POST", path, body=b"{}", headers={"Idempotency-Key": f"k{number}"})
    answer = connection.getresponse()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    answer.read()
    assert answer.status == 200, answer.status
    return time.perf_counter() - began


def measure(port, path, service_port):
    direct, through = connect(service_port), connect(port)
    times = {direct: [], through: []}
    for number in range(REQUESTS):
        for connection, list_of in times.items():
            list_of.append(timed(connection, path, number))
    return statistics.median(times[direct]), statistics.median(times[through])


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    port = free_ports(1)[0]
    good = True
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory) / "onceproxy.yaml"
        config.write_text(f"""
listen: 127.0.0.1:{port}
upstream: {{address: 127.0.0.1:{service.server_port}}}
store: {{rocksdb: {{path: {directory}/data}}}}
policies:
  - {{name: orders, match: {{path: /orders}}, fingerprint: client_key, scope: shared}}
""")
        program = subprocess.Popen([sys.argv[1], "run", "-c", str(config)], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            for path in ("/other", "/orders"):
                direct, through = measure(port, path, service.server_port)
                good = good and through - direct < ADDED_MAX
                print(f"{path:10} direct {direct * 1000:.2f} ms, through onceproxy "
                      f"{through * 1000:.2f} ms, added {(through - direct) * 1000:.2f} ms (medians)")
        finally:
            program.terminate()
            program.wait()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
