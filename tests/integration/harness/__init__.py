"""What the integration tests share: the program as a process, a service that does exactly what a test says,
and clients that send exact bytes and accept only valid HTTP."""

from .client import Client, crowd
from .config import policy, settings
from .message import Response, request
from .process import Onceproxy, StartFailed
from .upstream import Exchange, Upstream
from .wait import PATIENCE, eventually

__all__ = [
    "Client",
    "Exchange",
    "Onceproxy",
    "PATIENCE",
    "Response",
    "StartFailed",
    "Upstream",
    "crowd",
    "eventually",
    "policy",
    "request",
    "settings",
]
