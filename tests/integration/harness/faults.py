"""Makes system calls of the program fail when a test says so (faults.c, preloaded)."""

import struct

from .preloaded import preloaded

FIELDS = ("disk_full", "accepts_to_fail", "send_bytes_max", "sends_to_fail", "send_to_cut",
          "failed")


class Faults:
    """`variables` are for the program's environment. What is set counts at once."""

    def __init__(self, directory, data):
        """`data`: the directory whose disk can be full."""
        self.control = directory / "faults"
        self.control.write_bytes(bytes(8 * len(FIELDS)))
        self.variables = {"LD_PRELOAD": str(preloaded(directory, "faults.c")),
                          "FAULTS": str(self.control), "FAULTS_DIRECTORY": str(data)}

    def set(self, **values):
        with open(self.control, "r+b") as file:
            for name, value in values.items():
                file.seek(8 * FIELDS.index(name))
                file.write(struct.pack("<q", value))

    def get(self, name):
        at = 8 * FIELDS.index(name)
        return struct.unpack("<q", self.control.read_bytes()[at : at + 8])[0]
