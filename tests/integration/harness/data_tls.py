"""Ports of the program that speak TLS, and the handshakes that fail."""

from . import eventually

FAILURES = "onceproxy_tls_handshake_failures_total"


def listen(files, address="127.0.0.1:0", **more):
    """The configuration of a port that speaks TLS."""
    return {"address": address, "tls": {"certificate": files[0], "key": files[1], **more}}


def failed(proxy, reason, count=1):
    """Waits for handshakes on the data port that fail for this reason."""
    eventually(lambda: proxy.metrics().sum(FAILURES, listener="data", reason=reason) >= count,
               f"{count} handshakes failed for {reason}")
