"""How many threads NumPy's products use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingDependencyError


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it NumPy multiplies in one thread.

    The reference's products are small. BLAS threads that wait for each other actively take six
    times as long for them wherever another process, or a runtime's own threads, want a core.

    Raises:
        MissingDependencyError: threadpoolctl is not installed.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise MissingDependencyError("threadpoolctl", "onnx", "verifying artifacts") from None
    with threadpool_limits(1, user_api="blas"):
        yield
