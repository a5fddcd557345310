"""A wall clock that a test sets, and a simulated boot or suspension of the machine (wall_clock.c,
preloaded)."""

import struct
import uuid

from .preloaded import preloaded


class WallClock:
    """`variables` are for the program's environment."""

    def __init__(self, directory):
        library = preloaded(directory, "wall_clock.c")
        self.offset = directory / "wall_clock"
        self.offset.write_bytes(bytes(8))
        self.suspended = directory / "suspended"
        self.suspended.write_bytes(bytes(8))
        self.boot_id = directory / "boot_id"
        self.boot()
        self.variables = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self.offset),
                          "SUSPENDED": str(self.suspended), "BOOT_ID": str(self.boot_id)}

    def set(self, seconds):
        """So much ahead of the right time; below zero: behind. Also while the program runs."""
        with open(self.offset, "r+b") as file:
            file.write(struct.pack("<q", int(seconds)))

    def suspend(self, seconds):
        """The machine was suspended for so long, and has just gone on."""
        with open(self.suspended, "r+b") as file:
            file.write(struct.pack("<q", int(seconds)))

    def boot(self):
        """The next start is in another boot of the machine."""
        self.boot_id.write_text(str(uuid.uuid4()) + "\n")
