"""A scene of the demo: events that five listeners must hear of, one of which fails.

Without onceproxy the dispatcher notifies one listener after the other, as legacy services do; the third
one throws, the exception is swallowed, and those behind it never hear of the event.
"""

import http.server
import json
import threading
import time

import scenes

EVENTS = 20
LISTENERS = 5
FAILING = 2  # the third
PATIENCE = 30  # seconds


class Listener:
    """Takes events, or fails at each of them."""

    def __init__(self, fails):
        heard = self.heard = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not fails:
                    heard.add(body["event"])
                self.send_response(500 if fails else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def missed(self):
        return EVENTS - len(self.heard)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Crew:
    """The listeners, in the order in which a dispatcher would notify them."""

    def __init__(self):
        self.listeners = [Listener(fails=number == FAILING) for number in range(LISTENERS)]

    def environment(self):
        return {f"LISTENER_{number + 1}": "%s:%d" % each.address
                for number, each in enumerate(self.listeners)}

    def notify_one_after_the_other(self):
        for number in range(EVENTS):
            for listener in self.listeners:
                if scenes.post(listener.address, "/events", event(number)) >= 500:
                    break  # the exception, which the legacy dispatcher swallows

    def notify_through(self, proxy):
        """Waits until all that can hear has heard, or the time is over."""
        for number in range(EVENTS):
            scenes.post(proxy, "/events", event(number))
        until = time.monotonic() + PATIENCE
        while self.missed() and time.monotonic() < until:
            time.sleep(0.05)

    def missed(self):
        """Events that listeners missed which do not fail themselves."""
        return sum(each.missed() for number, each in enumerate(self.listeners)
                   if number != FAILING)

    def stop(self):
        for listener in self.listeners:
            listener.stop()


def event(number):
    return {"event": f"e-{number}"}
