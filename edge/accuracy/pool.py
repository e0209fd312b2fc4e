"""Processes of this machine as an executor, as many as its cores and its memory allow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from ...runtimes import usable_cores
from ..artifact import Artifact
from ..profiling.control_group import read_limit_bytes
from ..profiling.fit import MARGIN, needed_bytes
from ..profiling.process import resident_bytes
from ..profiling.system_memory import read_available_bytes
from ..profiling.system_tree import SystemTree
from .pool_process import PoolProcess
from .workers import WorkerLost, Workers

_P = ParamSpec("_P")
_T = TypeVar("_T")


def pool_width(
    artifacts: Iterable[Artifact],
    threads: int,
    *,
    tree: SystemTree | None = None,
    cores: int | None = None,
) -> int:
    """How many processes can work here side by side without waiting, or dying, for each other.

    Args:
        artifacts: Any of them may be open in each process, one at a time.
        threads: With which each process computes.
        tree: The machine; None for this one.
        cores: That may be used; None for those that this process may use.

    Returns:
        At least 1: whether one fits at all is for ``misfit`` to say.
    """
    tree = SystemTree() if tree is None else tree
    width = (usable_cores() if cores is None else cores) // threads
    need = MARGIN * max(map(needed_bytes, artifacts), default=0)
    if need and (bytes_left := _bytes_left(tree)) is not None:
        width = min(width, int(bytes_left // need))
    return max(1, width)


def _bytes_left(tree: SystemTree) -> int | None:
    """Memory that new processes may take; None where the system does not say."""
    free, limit = read_available_bytes(tree), read_limit_bytes(tree)
    if limit is not None:
        limit -= resident_bytes()
    return min((n for n in (free, limit) if n is not None), default=None)


class Pool(Workers):
    """Processes, each of which makes one call at a time; they are started as they are needed.

    A ``ProcessPoolExecutor`` is broken for good when one of its processes dies, and says neither
    which call that was nor how it died. Here the call's own future says how, in ``WorkerLost``, and
    the next call gets a new process.

    Args:
        width: How many.
        threads: With which each of them computes.
    """

    def __init__(self, width: int, *, threads: int = 1) -> None:
        self._width, self._n_threads = width, threads
        # Each thread has a process of its own, and waits for it.
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="pool")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._processes: set[PoolProcess] = set()
        self._is_ended = False

    @property
    def width(self) -> int:
        """How many calls run at the same time."""
        return self._width

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See ``Executor``; what is sent, and what comes back, has to be picklable."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the processes.

        Args:
            wait: Let the calls that run finish, and those that wait if they are not cancelled;
                otherwise all are ended now.
            cancel_futures: Cancel what waits.
        """
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures or not wait)
        if wait:
            self._threads.shutdown(wait=True)
        with self._lock:
            self._is_ended = True
            processes = list(self._processes)
        for process in processes:
            process.kill()
        self._threads.shutdown(wait=True)  # at once: nobody has a process any more
        for process in processes:
            process.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what runs, unless the block failed."""
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _call(self, fn: Callable[..., _T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _T:
        process = self._process()
        try:
            return process.call(fn, args, kwargs)
        except WorkerLost:
            self._own.process = None
            with self._lock:
                self._processes.discard(process)
            process.close()
            raise

    def _process(self) -> PoolProcess:
        """That of this thread, started anew if it died."""
        process: PoolProcess | None = getattr(self._own, "process", None)
        if process is not None:
            return process
        process = PoolProcess(self._n_threads)
        with self._lock:
            if not self._is_ended:
                self._processes.add(process)
                self._own.process = process
                return process
        process.close()
        raise WorkerLost("the pool was shut down")
