"""Where a study keeps what it has done, so that it goes on there and never does it twice."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec

from ...models.random_checkpoint import write_random_checkpoint
from ...models.registry import find_entry
from ..errors import WhisperqError
from ..profiling.whole_file import write_whole
from .config import RANDOM, is_random

T = TypeVar("T", bound=msgspec.Struct)


class WorkFolder:
    """Folders and files under the keys of their content: what is there is complete.

    Args:
        root: The folder; made if it is missing.

    Attributes:
        artifacts: Exports.
        results: What was transcribed, a line each.
        profiles: Records of the profiler, and the journals of unfinished ones.
        cache: Of libraries, for the time of a measurement.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.results = root / "results.jsonl"
        self.profiles = root / "profiles"
        self.cache = root / "cache"

    def model(self, checkpoint: str) -> str:
        """What ``export --model`` takes for a checkpoint; one of random weights is written first.

        Raises:
            MissingDependencyError: safetensors is not installed.
            WhisperqError: The disk refuses.
        """
        if not is_random(checkpoint):
            return checkpoint
        name = checkpoint.removeprefix(RANDOM)
        folder = self.root / "checkpoints" / f"random-{name}"
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}.partial")  # one program at a time
            try:
                shutil.rmtree(partial, ignore_errors=True)
                write_random_checkpoint(partial, find_entry(name).dimensions)
                partial.rename(folder)
            except OSError as error:
                raise WhisperqError(f"cannot write {folder}: {error.strerror}") from error
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return str(folder)

    def read(self, kind: str, key: str, content: type[T]) -> T | None:
        """What is kept under a key; None if nothing is, or nothing of this release."""
        try:
            return msgspec.json.decode(self.path(kind, key).read_bytes(), type=content)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def write(self, kind: str, key: str, content: msgspec.Struct) -> None:
        """Keep something, whole or not at all.

        Raises:
            WhisperqError: The disk refuses.
        """
        write_whole(msgspec.json.encode(content), self.path(kind, key))

    def path(self, kind: str, key: str) -> Path:
        """Of the file."""
        return self.root / kind / f"{key}.json"


def key_of(*parts: object) -> str:
    """Sha256 over all that decides a result, the same on every run."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
