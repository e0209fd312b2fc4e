"""What is left to do, and in which order."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.accuracy.plan import TASK_S, plan_tasks, sound_s
from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.task import result_key
from whisperq_edge.edge.accuracy.utterance import SpeechSet, Utterance
from whisperq_edge.edge.artifact import MANIFEST, Artifact, sha256
from whisperq_edge.edge.errors import ArtifactError

SETTINGS = Settings()
RATE = 8_000


class SizedArtifact:
    """Stands in for an artifact of so many bytes."""

    def __init__(self, folder, size):
        folder.mkdir()
        (folder / MANIFEST).write_text(folder.name)
        self.folder, self.size = folder, size
        self.digest = sha256(folder / MANIFEST)


@pytest.fixture
def store(tmp_path):
    with ResultStore(tmp_path / "results.jsonl") as store:
        yield store


def speech_set(folder, *lengths_s):
    """Utterances of these lengths, in files."""
    folder.mkdir(exist_ok=True)
    utterances = []
    for number, length_s in enumerate(lengths_s):
        path = folder / f"u{number}.wav"
        soundfile.write(path, np.zeros(round(length_s * RATE), np.int16), RATE)
        utterances.append(Utterance(f"u{number}", str(path), f"digest-{number}", "", "somebody"))
    return SpeechSet("test", tuple(utterances))


def ids(task):
    return [utterance.id for utterance in task.utterances]


def lengths_s(task):
    return [sound_s(utterance.audio) for utterance in task.utterances]


def test_every_utterance_is_planned_once_for_each_artifact(store, tmp_path):
    said = speech_set(tmp_path / "set", *[1.0] * 7)
    artifacts = [SizedArtifact(tmp_path / name, 10**9) for name in ("a", "b")]
    tasks = plan_tasks(artifacts, said, SETTINGS, store, task_s=3.0)
    planned = [(task.digest, name) for task in tasks for name in ids(task)]
    expected = itertools.product([a.digest for a in artifacts], [u.id for u in said.utterances])
    assert sorted(planned) == sorted(expected)
    assert [len(task.utterances) for task in tasks] == [3, 3, 1] * 2
    assert {task.settings for task in tasks} == {SETTINGS}


def test_tasks_are_as_long_as_they_should_be(store, tmp_path):
    """A byte is taken for a nanosecond a second, and no task has more than two minutes."""
    said = speech_set(tmp_path / "set", *[2.0] * 100)
    for size, n in [(10**9, round(TASK_S / 2)), (10**8, 25), (10**6, 60)]:
        artifact = SizedArtifact(tmp_path / str(size), size)
        tasks = plan_tasks([artifact], said, SETTINGS, store)
        assert len(tasks[0].utterances) == n


def test_what_the_store_has_is_left_out(store, tmp_path):
    said = speech_set(tmp_path / "set", *[1.0] * 4)
    artifact = SizedArtifact(tmp_path / "a", 10**9)
    for utterance in said.utterances[1:3]:
        key = result_key(artifact.digest, utterance, SETTINGS)
        store.append(Result(key, artifact.digest, SETTINGS, utterance.id, "", 1.0, 1.0, 1.0))
    (task,) = plan_tasks([artifact], said, SETTINGS, store)
    assert ids(task) == ["u0", "u3"]
    # Other settings, and another artifact, are other work.
    other = msgspec.structs.replace(SETTINGS, beam_size=5)
    assert len(plan_tasks([artifact], said, other, store)[0].utterances) == 4
    second = SizedArtifact(tmp_path / "b", 10**9)
    assert len(plan_tasks([second], said, SETTINGS, store)[0].utterances) == 4


def test_nothing_is_planned_where_all_is_known(store, tmp_path):
    artifact = SizedArtifact(tmp_path / "a", 10**9)
    assert plan_tasks([artifact], SpeechSet("empty", ()), SETTINGS, store) == []


def test_a_sound_that_is_there_twice_is_planned_once(store, tmp_path):
    said = speech_set(tmp_path / "set", 1.0, 1.0)
    twin = msgspec.structs.replace(said.utterances[0], id="again", text="other words")
    both = SpeechSet("test", (*said.utterances, twin))
    (task,) = plan_tasks([SizedArtifact(tmp_path / "a", 10**9)], both, SETTINGS, store)
    assert len(task.utterances) == 2


def test_an_artifact_is_opened_once_and_the_largest_first(store, tmp_path):
    said = speech_set(tmp_path / "set", 1.0, 3.0, 2.0, 1.0)
    sizes = {"small": 10**8, "large": 10**9, "middle": 5 * 10**8}
    artifacts = [SizedArtifact(tmp_path / name, size) for name, size in sizes.items()]
    tasks = plan_tasks(artifacts, said, SETTINGS, store, task_s=3.0)
    folders = [task.artifact for task in tasks]
    order = [str(tmp_path / name) for name in ("large", "middle", "small")]
    assert [folder for folder, _ in itertools.groupby(folders)] == order
    large = [task for task in tasks if task.artifact == order[0]]
    assert [lengths_s(task) for task in large] == [[3.0], [2.0, 1.0], [1.0]]


def test_long_recordings_come_before_all_else(store, tmp_path):
    said = speech_set(tmp_path / "set", 1.0, 40.0, 1.0)
    artifacts = [
        SizedArtifact(tmp_path / name, size) for name, size in (("a", 10**8), ("b", 10**9))
    ]
    tasks = plan_tasks(artifacts, said, SETTINGS, store, task_s=3.0)
    assert [(task.artifact[-1], ids(task)) for task in tasks] == [
        ("b", ["u1"]),
        ("a", ["u1"]),
        ("b", ["u0", "u2"]),
        ("a", ["u0", "u2"]),
    ]


def test_workers_need_no_working_directory(store, tmp_path, monkeypatch):
    SizedArtifact(tmp_path / "a", 10**9)
    monkeypatch.chdir(tmp_path)
    artifact = SizedArtifact(tmp_path / "b", 10**9)
    artifact.folder = artifact.folder.relative_to(tmp_path)
    (task,) = plan_tasks([artifact], speech_set(tmp_path / "set", 1.0), SETTINGS, store)
    assert Path(task.artifact).is_absolute() and task.digest == artifact.digest


def test_an_artifact_that_is_gone_is_told(artifact, store, tmp_path):
    gone = Artifact(tmp_path / "gone", artifact.manifest)
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        plan_tasks([gone], speech_set(tmp_path / "set", 1.0), SETTINGS, store)


def test_a_sound_that_cannot_be_read_is_planned(store, tmp_path):
    """Its task says what is wrong with it; the plan does not end for its sake."""
    said = speech_set(tmp_path / "set", 1.0, 1.0, 1.0)
    (tmp_path / "set" / "u0.wav").unlink()
    (tmp_path / "set" / "u1.wav").write_bytes(b"no sound")
    (task,) = plan_tasks([SizedArtifact(tmp_path / "a", 10**9)], said, SETTINGS, store)
    assert ids(task) == ["u2", "u0", "u1"]


def test_the_length_of_a_sound(tmp_path, recordings):
    (utterance,) = speech_set(tmp_path / "set", 2.5).utterances
    assert sound_s(utterance.audio) == 2.5
    path = min(recordings.glob("*.flac"))
    samples, rate = soundfile.read(path)
    assert sound_s(str(path)) == pytest.approx(len(samples) / rate)


def test_a_sound_that_does_not_say_its_length_is_taken_for_an_utterance(tmp_path):
    path = tmp_path / "pipe.flac"
    soundfile.write(path, np.zeros(RATE, np.int16), RATE)
    raw = bytearray(path.read_bytes())
    raw[21] &= 0xF0  # STREAMINFO's number of samples, of 36 bits: 0 is unknown
    raw[22:26] = bytes(4)
    path.write_bytes(raw)
    assert sound_s(str(path)) == 10.0


def test_a_stream_is_cut_into_shorter_tasks(store, tmp_path):
    said = speech_set(tmp_path / "set", *[1.0] * 12)
    artifact = SizedArtifact(tmp_path / "a", 10**9)
    for variant, n in [("plain", 6), ("word-times", 4), ("streaming", 1)]:
        tasks = plan_tasks([artifact], said, Settings(variant=variant), store, task_s=6.0)
        assert {len(task.utterances) for task in tasks} == {n}
