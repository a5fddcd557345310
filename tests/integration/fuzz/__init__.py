"""A mutational fuzzer for whole connections: to the data port, to the admin and telemetry ports, and from the
service.

A case is one client's connection: what it sends, in which pieces, and how it ends. It depends only on the
seed and on its own number, so it can be run again without the others. Most cases begin as valid traffic and
are then mutated. The others stay valid and must get the correct answers.
"""

from .campaign import Campaign, Terms
from .connections import Ending, Script

__all__ = ["Campaign", "Ending", "Script", "Terms"]
