#!/usr/bin/python3
"""Records the store of a version of the program, which test_earlier_stores.py then opens.

    ONCEPROXY_BINARY=PROGRAM tests/integration/stores/record.py NAME

PROGRAM is that version's, NAME the archive's name without its ending. harness/earlier_store.py says what is
in it.
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import earlier_store  # noqa: E402

if len(sys.argv) != 2:
    sys.exit(__doc__)
with tempfile.TemporaryDirectory(prefix="onceproxy-") as directory:
    earlier_store.record(pathlib.Path(directory), sys.argv[1])
