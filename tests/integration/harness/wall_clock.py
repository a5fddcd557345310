"""A wall clock that a test turns, and a machine that it boots: wall_clock.c, preloaded."""

import pathlib
import shutil
import struct
import subprocess
import uuid

import pytest

from .process import PRESET

SOURCE = pathlib.Path(__file__).with_name("wall_clock.c")


class WallClock:
    """`variables` are for the program's environment."""

    def __init__(self, directory):
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            pytest.skip("there is no C compiler")
        if PRESET in ("asan", "tsan"):
            pytest.skip("sanitizers and a preloaded clock do not go together")
        library = directory / "wall_clock.so"
        subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
                        str(library), str(SOURCE), "-ldl"], check=True)
        self.offset = directory / "wall_clock"
        self.offset.write_bytes(bytes(8))
        self.boot_id = directory / "boot_id"
        self.boot()
        self.variables = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self.offset),
                          "BOOT_ID": str(self.boot_id)}

    def set(self, seconds):
        """So much ahead of the right time; below zero: behind. Also while the program runs."""
        with open(self.offset, "r+b") as file:
            file.write(struct.pack("<q", int(seconds)))

    def boot(self):
        """The next start is in another boot of the machine."""
        self.boot_id.write_text(str(uuid.uuid4()) + "\n")
