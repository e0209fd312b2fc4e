"""A piece of work that any process, on any machine, can do: an artifact and some utterances."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import msgspec

from ..artifact import sha256
from ..audio.recording import load_audio
from ..errors import AudioError, InferenceError
from ..native_output import native_output_to_stderr
from ..types import SAMPLE_RATE, FloatArray
from .failure import Failure
from .opened_artifact import OpenedArtifact
from .result import Result, Settings
from .store import ResultStore
from .utterance import Utterance


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent to a worker: it needs the artifact and the sound under the same paths.

    Attributes:
        artifact: The artifact's folder.
        digest: sha256 of its manifest.
        settings: How the utterances are transcribed.
        utterances: Few enough that little is lost with a worker.
    """

    artifact: str
    digest: str
    settings: Settings
    utterances: tuple[Utterance, ...]


def result_key(digest: str, utterance: Utterance, settings: Settings) -> str:
    """What a result is filed under: sha256 over all that decides the text.

    Neither the utterance's name nor what was said is part of it: a set may be renamed, moved or
    corrected, and nothing has to be transcribed again.

    Args:
        digest: sha256 of the artifact's manifest.
        utterance: Its sound and language count.
        settings: How.
    """
    parts = (digest, utterance.digest, utterance.language, settings)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def find_result(
    store: ResultStore, digest: str, utterance: Utterance, settings: Settings
) -> Result | None:
    """What is recorded of an utterance; under its own id, if another of the same sound wrote it."""
    result = store.get(result_key(digest, utterance, settings))
    return None if result is None else msgspec.structs.replace(result, id=utterance.id)


def run_task(task: Task) -> list[Result | Failure]:
    """Transcribe the utterances, in order.

    The session stays open for the next task of this process, if that asks for the same.

    Returns:
        For each utterance what came of it; one whose sound cannot be used does not end the rest.

    Raises:
        ConfigError: The settings or a language do not suit the artifact.
        ArtifactError: The artifact is gone, changed or broken.
        MissingDependencyError: Its library is not installed.
    """
    # What a library prints must not mix with what the program does; a session serves one thread.
    with _ONE_AT_A_TIME, native_output_to_stderr():
        opened = _opened(task)
        return [_outcome(opened, task, utterance) for utterance in task.utterances]


def close_session() -> None:
    """Free what ``run_task`` has kept open in this process."""
    global _last
    with _ONE_AT_A_TIME:
        if _last is not None:
            _last[1].close()
        _last = None


_ONE_AT_A_TIME = threading.Lock()
_Kind = tuple[str, str, Settings]
_last: tuple[_Kind, OpenedArtifact] | None = None


def _opened(task: Task) -> OpenedArtifact:
    """The artifact of the task, open; the one before is closed first, for two may not fit."""
    global _last
    kind = (task.artifact, task.digest, task.settings)
    if _last is None or _last[0] != kind:
        if _last is not None:
            _last[1].close()
        _last = None
        _last = (kind, OpenedArtifact(Path(task.artifact), task.digest, task.settings))
    return _last[1]


def _outcome(opened: OpenedArtifact, task: Task, utterance: Utterance) -> Result | Failure:
    key = result_key(task.digest, utterance, task.settings)
    try:
        samples = _samples(utterance, task.settings.condition)
        heard = opened.hear(samples, utterance.language)
    except (AudioError, InferenceError) as error:
        return Failure(key, utterance.id, str(error), error.exit_code)
    return Result(
        key=key,
        artifact=task.digest,
        settings=task.settings,
        id=utterance.id,
        text=heard.text,
        words=heard.words,
        duration_s=len(samples) / SAMPLE_RATE,
        compute_s=heard.compute_s,
        cpu_s=heard.cpu_s,
        stand_in=opened.is_stand_in,
    )


def _samples(utterance: Utterance, condition: str) -> FloatArray:
    """The sound as it is to be heard."""
    from .condition import Condition

    samples = load_audio(utterance.audio)
    if sha256(Path(utterance.audio)) != utterance.digest:
        raise AudioError(f"{utterance.audio} changed since the set was read, or is another here")
    return Condition.parse(condition).apply(samples, seed_text=utterance.digest)
