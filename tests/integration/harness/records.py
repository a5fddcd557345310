"""Records of operations, as tests of the admin port and of `onceproxy records` use them."""

import threading

from . import request
from .process import run
from .upstream import executed


def records(proxy, action, *arguments):
    """`onceproxy records` against the proxy's admin port."""
    host, port = proxy.admin
    return run("records", action, "--admin", f"{host}:{port}", *arguments)


def fingerprint_of(proxy, key):
    """Of a request that was let through with that key."""
    for record in proxy.operator.get("/records?limit=1000")["items"]:
        if record["request_id"] == key:
            return record["fingerprint"]
    raise AssertionError(f"no record of {key}")


def order(key, body=b""):
    return request(key=key, body=body, headers={"x-request-id": key})


def breaking(stage):
    """An upstream that breaks off while `broken` is set: the outcome is unknown."""
    broken = threading.Event()
    broken.set()

    def handler(exchange):
        if broken.is_set():
            exchange.connection.close()
        else:
            executed(exchange)

    return stage.upstream(handler), broken
