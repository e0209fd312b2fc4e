"""Stands in for what transcribes, in processes that have to import it by its name.

What befalls an utterance stands in its text: "die" ends the process, "die-once" the first that
comes to it, "raise" is a mistake of ours, "no-library" an artifact that cannot be opened, "mute" a
result that is left out, "unusable" a sound that cannot be used, "sleep" takes a minute, and "brief"
a moment.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path

import msgspec

from whisperq_edge.edge.accuracy.failure import Failure
from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.task import Task, result_key
from whisperq_edge.edge.accuracy.utterance import Utterance
from whisperq_edge.edge.artifact import MANIFEST, sha256
from whisperq_edge.edge.errors import MissingDependencyError

SETTINGS = Settings()


def utterances(folder, *texts):
    """Some that have no sound, only a place where ``hear`` leaves traces."""
    return [
        Utterance(f"u{n}", str(folder / f"u{n}.wav"), f"digest-{n}", text, "somebody")
        for n, text in enumerate(texts)
    ]


def tasks(said, size=1, digest="a"):
    """Tasks of ``size`` utterances each, for an artifact that does not exist."""
    return [
        Task(f"/artifacts/{digest}", digest, SETTINGS, tuple(said[start : start + size]))
        for start in range(0, len(said), size)
    ]


def tasks_with_files(folder, *texts, size=1):
    """The same where somebody looks for the files: a manifest, and sounds that nobody hears."""
    artifact = folder / "artifact"
    artifact.mkdir(exist_ok=True)
    (artifact / MANIFEST).write_text("{}")
    said = utterances(folder, *texts)
    for utterance in said:
        Path(utterance.audio).touch()
    planned = tasks(said, size, sha256(artifact / MANIFEST))
    return [msgspec.structs.replace(task, artifact=str(artifact)) for task in planned]


def n_heard(utterance):
    """How often somebody began with it."""
    return len(list(Path(utterance.audio).parent.glob(f"{utterance.id}.heard-*")))


def end_process():
    """As the system does it where memory ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def hear(task):
    """As ``run_task``."""
    return [outcome for outcome in (_hear(task, u) for u in task.utterances) if outcome]


def _hear(task, utterance):
    before = n_heard(utterance)
    Path(utterance.audio).with_suffix(f".heard-{uuid.uuid4()}").touch()
    key = result_key(task.digest, utterance, task.settings)
    match utterance.text:
        case "die":
            end_process()
        case "die-once" if not before:
            end_process()
        case "raise":
            raise ZeroDivisionError("no\nsound")
        case "no-library":
            raise MissingDependencyError("openvino", "openvino", "running it")
        case "mute":
            return None
        case "unusable":
            return Failure(key, utterance.id, "it is broken", 7)
        case "sleep":
            time.sleep(60)
        case "brief":
            time.sleep(0.03)
    text = f"{task.digest} heard {utterance.id}"
    return Result(key, task.digest, task.settings, utterance.id, text, 1.0, 0.5, 0.5)
