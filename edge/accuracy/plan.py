"""What is left to do, cut into tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..artifact import MANIFEST, Artifact, sha256
from ..audio.recording import load_soundfile
from ..errors import ArtifactError
from .result import Settings, Variant
from .store import ResultStore
from .task import Task, result_key
from .utterance import SpeechSet, Utterance

# A task is lost whole when its worker dies or the sweep is interrupted, and the sweep ends when
# its last task does: so it should be short. Sending one takes milliseconds: so it need not be
# shorter than this.
TASK_S = 5.0
# How long a core takes for a second of sound, for each byte of the artifact: about what tiny and
# base take in int8. It is rough, and decides nothing but the size and the order of tasks.
_S_PER_BYTE = 1e-9
# Beside a recording that is heard once: a stream hears it again and again.
_TIMES_OF: Mapping[Variant, float] = {"plain": 1.0, "word-times": 1.5, "streaming": 6.0}
_MOST_SOUND_S = 120.0  # in a task, however small the artifact
_UNKNOWN_S = 10.0  # an utterance; a FLAC that was written to a pipe does not say its length
_ENDLESS_S = 1e9


def plan_tasks(
    artifacts: Sequence[Artifact],
    speech_set: SpeechSet,
    settings: Settings,
    store: ResultStore,
    task_s: float = TASK_S,
) -> list[Task]:
    """The tasks that fill the store with what it lacks.

    Tasks of one artifact follow each other, because a worker keeps the session of its last task:
    each worker then loads each artifact once at most. The artifact with the most work comes first,
    and of an artifact the longest recordings, so that the sweep does not end with one worker busy
    and the others idle. A recording that alone takes longer than a task should is begun before all
    else.

    Args:
        artifacts: Each stays as it is until the sweep is over.
        speech_set: What is to be transcribed.
        settings: How.
        store: What is known already. A sound that is in the set twice is transcribed once.
        task_s: About how long a task is to take, in seconds.

    Raises:
        ArtifactError: An artifact is gone.
    """
    groups = [_group(artifact, speech_set, settings, store, task_s) for artifact in artifacts]
    groups.sort(key=lambda group: group.work_s, reverse=True)
    long = [task for group in groups for task in group.long]
    return long + [task for group in groups for task in group.short]


@lru_cache(maxsize=1 << 20)
def sound_s(path: str) -> float:
    """How long a sound file is by its header; 0 if it cannot be read, which its task will say."""
    soundfile = load_soundfile()
    try:
        length_s = float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, OSError, TypeError):  # TypeError: a name ending in .raw
        return 0.0
    return length_s if length_s < _ENDLESS_S else _UNKNOWN_S


class _Group(NamedTuple):
    """The tasks of one artifact.

    Attributes:
        work_s: How long all of them take, by estimate.
        long: Single recordings that take longer than a task should, longest first.
        short: The others.
    """

    work_s: float
    long: list[Task]
    short: list[Task]


def _group(
    artifact: Artifact,
    speech_set: SpeechSet,
    settings: Settings,
    store: ResultStore,
    task_s: float,
) -> _Group:
    folder = artifact.folder.resolve()  # a worker has another working directory
    digest = _digest(folder)
    keyed = {result_key(digest, u, settings): u for u in speech_set.utterances}
    lacking = [utterance for key, utterance in keyed.items() if not store.has(key)]
    rate = _S_PER_BYTE * artifact.size * _TIMES_OF[settings.variant]
    most_s = min(task_s / rate, _MOST_SOUND_S)
    group = _Group(rate * sum(sound_s(u.audio) for u in lacking), [], [])
    for chunk in _chunks(lacking, most_s):
        tasks = group.long if sound_s(chunk[0].audio) > most_s else group.short
        tasks.append(Task(str(folder), digest, settings, chunk))
    return group


def _digest(folder: Path) -> str:
    try:
        return sha256(folder / MANIFEST)
    except OSError as error:
        raise ArtifactError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error


def _chunks(utterances: Sequence[Utterance], most_s: float) -> Iterator[tuple[Utterance, ...]]:
    """Runs of at most ``most_s`` seconds of sound, or of one utterance; the longest first."""
    chunk: list[Utterance] = []
    length_s = 0.0
    for utterance in sorted(utterances, key=lambda u: sound_s(u.audio), reverse=True):
        if chunk and length_s + sound_s(utterance.audio) > most_s:
            yield tuple(chunk)
            chunk, length_s = [], 0.0
        chunk.append(utterance)
        length_s += sound_s(utterance.audio)
    if chunk:
        yield tuple(chunk)
