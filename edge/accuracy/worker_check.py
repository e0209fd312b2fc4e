"""Whether a worker on another machine can do the tasks of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ... import __version__
from ..artifact import MANIFEST
from ..errors import RemoteError
from .task import Task

# What a worker found: the version of its package, None without one, and what is not there.
Findings = tuple[str | None, list[str]]


class Requirements(NamedTuple):
    """What a worker has to see under the paths that it has here.

    Attributes:
        manifests: The digest of each artifact's manifest, by its path.
        sounds: One file of each folder: a shared folder that is there is there whole.
    """

    manifests: dict[str, str]
    sounds: list[str]

    @classmethod
    def of(cls, tasks: Iterable[Task]) -> Requirements:
        """Those of tasks."""
        manifests: dict[str, str] = {}
        sounds: dict[Path, str] = {}
        for task in tasks:
            manifests[str(Path(task.artifact) / MANIFEST)] = task.digest
            for utterance in task.utterances:
                sounds.setdefault(Path(utterance.audio).parent, utterance.audio)
        return cls(manifests, list(sounds.values()))


def examination() -> Callable[[dict[str, str], list[str]], Findings]:
    """What a worker is asked to do.

    A function within a function is sent as code rather than by its name, and so it runs where this
    package is missing, or has no such function. It uses Python's library alone for the same reason.
    """

    def examine(manifests: dict[str, str], sounds: list[str]) -> Findings:
        import hashlib
        from pathlib import Path

        try:
            from whisperq_edge import __version__ as version
        except ImportError:
            return None, []
        missing = [path for path in sounds if not Path(path).is_file()]
        for path, digest in manifests.items():
            file = Path(path)
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                missing.insert(0, path)
        return version, missing

    return examine


def judge(worker: str, findings: Findings) -> None:
    """Refuse a worker.

    Raises:
        RemoteError: It cannot do the tasks; says why, in one line.
    """
    version, missing = findings
    if version is None:
        raise RemoteError(
            f"worker {worker} has no whisperq-edge; install {__version__} in its environment"
        )
    if version != __version__:
        raise RemoteError(
            f"worker {worker} has whisperq-edge {version}, and this is {__version__}; "
            "all have to be the same"
        )
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RemoteError(
            f"worker {worker} does not see {missing[0]}{more} as it is here; artifacts and sounds "
            "have to lie under the same path on every machine"
        )
