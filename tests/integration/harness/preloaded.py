"""Libraries of C that are built for a test and loaded before the program's own."""

import pathlib
import shutil
import subprocess

import pytest

from .process import PRESET


def preloaded(directory, source):
    """Builds `source`, a file beside this one; the library's path."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    if PRESET in ("asan", "tsan"):
        pytest.skip("a sanitizer's library has to be the first one")
    library = pathlib.Path(directory) / pathlib.Path(source).with_suffix(".so").name
    subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
                    str(library), str(pathlib.Path(__file__).with_name(source)), "-ldl"], check=True)
    return library
