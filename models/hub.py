"""Checkpoints on the Hugging Face Hub, through its library's cache.

Only the files that a checkpoint is read from are fetched: most repositories also hold the same
weights for other frameworks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..edge.errors import CheckpointError
from ..edge.types import Progress
from .hugging_face_folder import (
    CONFIG,
    GENERATION_CONFIG,
    MODEL_CARD,
    TOKENIZER_FILES,
    WEIGHT_FILES,
    shard_files,
)

_SMALL_FILES = (CONFIG, GENERATION_CONFIG, MODEL_CARD, *TOKENIZER_FILES)
_STAGE = "download"


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint in the cache; ``revision`` is the commit that it is."""

    folder: Path
    revision: str


def download(hub_id: str, *, revision: str | None, offline: bool, progress: Progress) -> Snapshot:
    """Fetch what is missing of a checkpoint.

    Without a network, a checkpoint that the cache already has is used as it is.

    Args:
        hub_id: "openai/whisper-tiny".
        revision: Branch, tag or commit; None for the main branch.
        offline: Do not try the network; ``HF_HUB_OFFLINE`` says the same.
        progress: Told the share of the bytes that has arrived.

    Raises:
        CheckpointError: There is no such repository or revision, it is gated, it is no checkpoint,
            or neither the network nor the cache has it.
    """
    from huggingface_hub import constants

    cached = _cached(hub_id, revision)
    if offline or constants.HF_HUB_OFFLINE:
        if cached is None:
            which = f"{hub_id} at {revision}" if revision else hub_id
            raise CheckpointError(
                f"{which} is not in the cache ({constants.HF_HUB_CACHE}) and this is offline; "
                "load it once with a network"
            )
        return cached
    try:
        return _fetch(hub_id, revision, progress)
    except _library_errors() as error:
        if cached is not None and not _is_answer(error):
            return cached
        raise CheckpointError(_explain(error, hub_id, revision, constants.ENDPOINT)) from error


def _cached(hub_id: str, revision: str | None) -> Snapshot | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(hub_id, CONFIG, revision=revision)
    except HFValidationError as error:
        raise CheckpointError(_first_line(error)) from error
    if not isinstance(config, str):  # never asked for, or known not to exist
        return None
    folder = Path(config).parent
    weights = _choose_weights(path.name for path in folder.iterdir())
    if weights is None:
        return None
    shards = shard_files(folder / weights) if weights.endswith(".json") else ()
    complete = all((folder / name).is_file() for name in shards)
    return Snapshot(folder, folder.name) if complete else None


def _fetch(hub_id: str, revision: str | None, progress: Progress) -> Snapshot:
    from huggingface_hub import HfApi, hf_hub_download

    info = HfApi().model_info(hub_id, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    weights = _choose_weights(sizes)
    if weights is None or CONFIG not in sizes:
        raise CheckpointError(
            f"{hub_id} is not a checkpoint in Hugging Face's layout: it needs {CONFIG} "
            f"and one of {', '.join(WEIGHT_FILES)}"
        )
    # The named revision is asked for once, so that the cache knows it; then its commit is, so
    # that all files belong together even if somebody pushes in between.
    folder = Path(hf_hub_download(hub_id, CONFIG, revision=revision)).parent
    names = [name for name in _SMALL_FILES if name in sizes and name != CONFIG]
    if weights.endswith(".json"):
        index = Path(hf_hub_download(hub_id, weights, revision=folder.name))
        names += shard_files(index)
    else:
        names.append(weights)
    total = max(1, sum(sizes.get(name, 0) for name in names))
    done = 0
    for name in names:
        size, before = sizes.get(name, 0), done

        def report(n_bytes: int, before: int = before, size: int = size) -> None:
            progress(_STAGE, (before + min(n_bytes, size)) / total)

        hf_hub_download(hub_id, name, revision=folder.name, **_reporting(report))
        done += size
        progress(_STAGE, done / total)
    return Snapshot(folder, folder.name)


def _choose_weights(names: Iterable[str]) -> str | None:
    present = set(names)
    return next((name for name in WEIGHT_FILES if name in present), None)


def _reporting(report: Callable[[int], None]) -> dict[str, Any]:
    """The option that takes a progress bar; releases before 1.0 have none, and count files only."""
    from huggingface_hub import hf_hub_download

    known = "tqdm_class" in inspect.signature(hf_hub_download).parameters
    return {"tqdm_class": _bar(report)} if known else {}


def _bar(report: Callable[[int], None]) -> type:
    """A progress bar class, which is what the library takes, that draws nothing and reports."""
    from huggingface_hub.utils.tqdm import tqdm

    n_reported = 0

    class Bar(tqdm):
        def __init__(self, *args: object, **options: object) -> None:
            # The library has no types here.
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]
            self._n_bytes = self.n

        def update(self, n: float | None = 1) -> None:
            nonlocal n_reported
            self._n_bytes += int(n or 0)
            # Some transfers have two bars, one for the network and one for the disk.
            n_reported = max(n_reported, self._n_bytes)
            report(n_reported)

    return Bar


def _library_errors() -> tuple[type[Exception], ...]:
    from huggingface_hub import errors

    # The HTTP client varies by version; its own base class is only to be had from here. The
    # accelerated transfers raise RuntimeError.
    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return (OSError, RuntimeError, http_error, errors.HFValidationError)


def _is_answer(error: Exception) -> bool:
    """Whether the Hub said no, as opposed to not being reached."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code < 500
    return isinstance(error, HFValidationError)


def _explain(error: Exception, hub_id: str, revision: str | None, endpoint: str) -> str:
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():  # a kind of RepositoryNotFoundError
            return (
                f"{hub_id} is gated: accept its terms at {endpoint}/{hub_id}, "
                "then log in with: hf auth login"
            )
        case errors.RepositoryNotFoundError():
            return (
                f"there is no {hub_id} on {endpoint}, or it is private; "
                "check the name, or log in with: hf auth login"
            )
        case errors.RevisionNotFoundError():
            return f"{hub_id} has no revision '{revision}'"
        case errors.HfHubHTTPError():
            return f"{endpoint} refused {hub_id}: {_first_line(error)}"
        case errors.HFValidationError():
            return _first_line(error)
        case OSError() if error.errno is not None and not isinstance(error, ConnectionError):
            return f"{hub_id} cannot be stored in the cache: {error.strerror}"
    return (
        f"{endpoint} cannot be reached and {hub_id} is not in the cache; "
        f"check the network ({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
