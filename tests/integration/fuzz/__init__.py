"""A mutational fuzzer for whole connections, to each side of the program: to the data port, to the
admin and telemetry ports, and from the service behind it.

A case is one client's connection: what it sends, in which pieces, and how it ends. It is made from
the seed and its own number alone, so one case can be run again without the others. Most begin as
right traffic and are then mutated; the rest stay right, and are held to their right answers.
"""

from .campaign import Campaign, Terms
from .connections import Ending, Script

__all__ = ["Campaign", "Ending", "Script", "Terms"]
