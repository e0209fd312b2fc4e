"""A process of the pool: it makes one call at a time for the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from ..profiling.worker_process import signal_reason
from ..types import Closeable
from .workers import WorkerLost, WorkersError

_T = TypeVar("_T")

# NumPy's products are small here, and BLAS threads wait for each other actively: they would take
# the cores from the other workers. Each library reads its variable when it is loaded.
_BLAS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_ENDING_S = 5.0  # for a process that has closed its pipe
_STARTING = threading.Lock()  # all threads have one environment


class PoolProcess(Closeable):
    """A fresh interpreter that waits for calls.

    Ctrl-C is not for it but for the program that started it, and it ends with that program,
    however that ends.

    Args:
        threads: With which libraries that use OpenMP may compute.

    Raises:
        WorkersError: No process can be started, or it ends at once.
        WorkerLost: It was killed before it was ready.
    """

    def __init__(self, threads: int) -> None:
        # A fork would have the locks of this process's threads, and not the threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with _STARTING, _environment(threads), _interrupts_blocked():
                self._process.start()
        except OSError as error:
            self._pipe.close()
            raise WorkersError(f"no worker could be started: {error.strerror}") from error
        finally:
            theirs.close()
        try:
            self._receive()
        except WorkerLost as error:
            self._pipe.close()
            if (self._process.exitcode or 0) < 0:
                raise
            raise WorkersError(
                f"a worker could not begin: {error}; a script that starts one has to do so below "
                "the line: if __name__ == '__main__':"
            ) from None

    def call(
        self, function: Callable[..., _T], args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> _T:
        """What the function returns, or raises, in the process.

        Raises:
            WorkerLost: The process ended meanwhile.
        """
        request = pickle.dumps((function, args, named))
        try:
            self._pipe.send_bytes(request)
        except OSError:
            raise WorkerLost(self._ending()) from None
        is_error, value = self._receive()
        if is_error:
            raise value
        return value  # type: ignore[no-any-return]

    def kill(self) -> None:
        """End it, whatever it does; a call that another thread makes is lost."""
        self._process.kill()

    def close(self) -> None:
        """End it, and free what it had here; not while a call is made."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _receive(self) -> tuple[bool, Any]:
        try:
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise WorkerLost(self._ending()) from None
        return pickle.loads(answer)  # type: ignore[no-any-return]

    def _ending(self) -> str:
        self._process.join(_ENDING_S)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            return "it closed its pipe"
        return signal_reason(-status) if status < 0 else f"it ended with status {status}"


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    wanted = {**dict.fromkeys(_BLAS, "1"), "OMP_NUM_THREADS": str(threads)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process that is started within inherits this: Ctrl-C never reaches it."""
    resource_tracker.ensure_running()  # started along with the first process, it would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection) -> None:
    """Make calls until the pipe closes."""
    threading.Thread(target=_end_with_parent, name="leash", daemon=True).start()
    with suppress(OSError):  # where memory ends, a worker can be spared, and its parent cannot
        Path("/proc/self/oom_score_adj").write_text("500")
    with suppress(EOFError, OSError):
        pipe.send_bytes(pickle.dumps((False, None)))
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)  # in the midst of a call, which nobody waits for any more


def _answer(request: bytes) -> bytes:
    try:
        function, args, named = pickle.loads(request)
        return pickle.dumps((False, function(*args, **named)))
    except Exception as error:
        try:
            answer = pickle.dumps((True, error))
            pickle.loads(answer)  # some can be written and not read
        except Exception:
            answer = pickle.dumps((True, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer
