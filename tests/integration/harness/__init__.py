"""What the integration tests are made of: the real program, an upstream that does exactly what a
test says, and clients that send exact bytes and accept only exact HTTP."""

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
