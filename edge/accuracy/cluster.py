"""Workers on many machines: a scheduler of dask.distributed as an executor."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from ... import __version__
from ..errors import MissingDependencyError, RemoteError
from .task import Task
from .worker_check import Requirements, examination, judge
from .workers import Workers

_P = ParamSpec("_P")
_T = TypeVar("_T")

CONNECT_S = 10.0  # until the scheduler must have answered
PATIENCE_S = 60.0  # until there must be a worker, or a new worker must have answered
_LOOK_S = 1.0  # between two looks at the workers
_FIRST = 1_000  # the priority of what a worker is asked before it gets tasks


def cluster_executor(address: str, *, patience_s: float = PATIENCE_S) -> Cluster:
    """Connect to a scheduler that is running.

    Args:
        address: As ``dask scheduler`` prints it: "tcp://192.168.1.10:8786".
        patience_s: How long it may be without workers, and a worker without an answer.

    Raises:
        MissingDependencyError: dask.distributed is not installed.
        RemoteError: There is no scheduler at that address.
    """
    try:
        import distributed
    except ModuleNotFoundError:
        raise MissingDependencyError("distributed", "cluster", "a sweep on a cluster") from None
    for name in (distributed.__name__, f"{distributed.__name__}.client"):
        # They write to standard error, and what they say is told here in one line.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Cluster(_connect(address), address, patience_s)


def _connect(address: str) -> Any:  # noqa: ANN401 (untyped)
    """A ``Client``, in time even if the other side accepts and then says nothing."""
    from distributed import Client

    client: Callable[..., Any] = Client  # untyped
    made: list[Any] = []
    errors: list[Exception] = []

    def connect() -> None:
        try:
            made.append(client(address, timeout=CONNECT_S, set_as_default=False))
        except Exception as error:  # what is no scheduler may answer anything
            errors.append(error)

    thread = threading.Thread(target=connect, name="cluster", daemon=True)
    thread.start()
    thread.join(CONNECT_S + 2)
    if made:
        return made[0]
    said = f" ({' '.join(str(errors[0]).split())})" if errors else ""
    raise RemoteError(
        f"there is no dask scheduler at {address}{said}; start one: dask scheduler, "
        "and give the address that it prints"
    )


class Cluster(Workers):
    """The workers of a scheduler, those that come later included.

    Each is asked once whether it has the same version of this package and sees the files. dask does
    a task again when its worker dies, and gives it up when that has happened several times.

    Args:
        client: Connected to the scheduler; it is closed with the executor.
        address: Of the scheduler, for messages.
        patience_s: See ``cluster_executor``.
    """

    def __init__(self, client: Any, address: str, patience_s: float) -> None:  # noqa: ANN401
        self._client, self._address, self._patience_s = client, address, patience_s
        # Not pure: what was given up may be tried again, and is not answered from memory.
        self._executor = client.get_executor(pure=False)
        self._requirements = Requirements({}, [])
        self._threads: dict[str, int] = {}  # by worker
        self._asked: dict[str, tuple[Any, float]] = {}  # the answer to come, and when it is late
        self._suited: set[str] = set()
        self._looked_s = self._seen_s = time.monotonic()

    @property
    def width(self) -> int:
        """Threads of all workers."""
        return max(1, sum(self._threads.values()))

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Wait for a worker, and ask all that are there; see ``Workers``."""
        self._requirements = Requirements.of(tasks)
        self._suited.clear()
        self._seen_s = time.monotonic()
        self._look()
        while self._asked or not self._suited:
            time.sleep(0.05)
            self._look()

    def watch(self) -> None:
        """Ask new workers; see ``Workers``."""
        if self._asked or time.monotonic() - self._looked_s >= _LOOK_S:
            self._look()

    def deaths(self, error: Exception) -> int:
        """See ``Workers``; dask gives a task up after several."""
        from distributed import KilledWorker

        return error.allowed_failures + 1 if isinstance(error, KilledWorker) else 1

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """See ``Executor``.

        Raises:
            RemoteError: The connection is closed.
        """
        try:
            future: Future[_T] = self._executor.submit(
                _call_in_version, __version__, fn, args, kwargs
            )
        except Exception as error:
            raise self._lost() from error
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the connection; the cluster itself goes on.

        Args:
            wait: Wait for what was submitted; otherwise it is cancelled.
            cancel_futures: Likewise: dask does not tell what runs from what waits.
        """
        with suppress(Exception):  # the scheduler may be gone, and what it held with it
            self._executor.shutdown(wait=wait and not cancel_futures)
        with suppress(Exception):
            self._client.close(timeout=CONNECT_S)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what runs, unless the block failed."""
        self.shutdown(wait=kind is None)

    def _look(self) -> None:
        self._looked_s = time.monotonic()
        if self._client.status == "closed":
            raise self._lost()
        if self._client.status != "running":
            return  # it tries to connect again, for ``CONNECT_S``
        try:
            ncores = self._client.scheduler.ncores
            self._threads = self._client.sync(ncores, callback_timeout=CONNECT_S)
        except TimeoutError:
            raise RemoteError(f"the scheduler at {self._address} does not answer") from None
        except (OSError, RuntimeError):
            return  # the next look says what it is
        if self._threads:
            self._seen_s = self._looked_s
        elif self._looked_s - self._seen_s > self._patience_s:
            raise RemoteError(
                f"the scheduler at {self._address} has had no workers for {self._patience_s:.0f} s;"
                f" start one on each machine: dask worker {self._address} --nthreads 1"
            )
        self._ask()
        self._hear()

    def _ask(self) -> None:
        for worker in self._threads.keys() - self._suited - self._asked.keys():
            answer = self._client.submit(
                examination(),
                *self._requirements,
                workers=[worker],
                allow_other_workers=False,
                pure=False,
                priority=_FIRST,
            )
            self._asked[worker] = (answer, self._looked_s + self._patience_s)

    def _hear(self) -> None:
        for worker, (answer, late_s) in list(self._asked.items()):
            if worker not in self._threads or answer.status in ("cancelled", "lost"):
                del self._asked[worker]
            elif answer.status == "finished":
                judge(worker, answer.result(timeout=CONNECT_S))
                self._suited.add(worker)
                del self._asked[worker]
            elif answer.status == "error":
                raise RemoteError(
                    f"worker {worker} cannot run what it is sent ({answer.exception()}); it needs "
                    "the same Python and dask as there are here"
                )
            elif self._looked_s > late_s:
                raise RemoteError(f"worker {worker} has not answered in {self._patience_s:.0f} s")

    def _lost(self) -> RemoteError:
        return RemoteError(
            f"the scheduler at {self._address} is gone; what is done is kept: give the same "
            "command again when it is back"
        )


def _call_in_version(
    version: str, fn: Callable[..., _T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> _T:
    """A worker may have come after the others were asked: another version's result is none."""
    if version != __version__:
        raise RemoteError(
            f"a worker has whisperq-edge {__version__}, and this is {version}; "
            "all have to be the same"
        )
    return fn(*args, **kwargs)
