"""What native libraries print, kept out of the results on standard output."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDOUT, _STDERR = 1, 2  # file descriptors, which is what a native library writes to


@contextmanager
def native_output_to_stderr() -> Iterator[None]:
    """Within it, standard output is standard error for all of the process."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        yield
    finally:
        # In a pipe the C library holds it back until the process ends.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, _STDOUT)
        os.close(kept)
