"""What a worker does: transcribe utterances as the commands do, and say what it could not."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.accuracy import task as task_module
from whisperq_edge.edge.accuracy.condition import Condition
from whisperq_edge.edge.accuracy.failure import Failure
from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.task import Task, close_session, result_key, run_task
from whisperq_edge.edge.accuracy.utterance import Utterance
from whisperq_edge.edge.artifact import MANIFEST, TOKENIZER, sha256
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ArtifactError, AudioError, ConfigError
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.edge.types import SAMPLE_RATE
from whisperq_edge.runtimes import open_session

# A beam hears the first otherwise, a whole window the second; the third is doubtful, so that at the
# defaults its text would be drawn by chance.
SPOKEN = ("42_three_three_four_nine_three.flac", "46_two_six_two.flac", "70_jfk.flac")


@pytest.fixture(autouse=True)
def closed():
    yield
    close_session()


def utterance(path, **more):
    values = {"id": path.name, "text": "", "speaker": "", "digest": sha256(path), **more}
    return Utterance(audio=str(path), **values)


@pytest.fixture
def hear(artifact):
    """Run a task on sound files, or on utterances, with the bundled model."""
    digest = sha256(artifact.folder / MANIFEST)

    def run(*sounds, **settings):
        utterances = [one if isinstance(one, Utterance) else utterance(one) for one in sounds]
        task = Task(str(artifact.folder), digest, Settings(**settings), tuple(utterances))
        return run_task(pickle.loads(pickle.dumps(task)))  # as it comes to another machine

    return run


@pytest.fixture
def spoken(recordings):
    return [recordings / name for name in SPOKEN]


def test_texts_are_those_of_the_transcriber_at_temperature_0(artifact, spoken, hear):
    generation = artifact.manifest.generation
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
    with open_session(artifact, 1) as session:
        transcriber = Transcriber(session, tokenizer, generation)

        def text(path, **more):
            options = TranscriptionOptions(language="en", **more)
            return transcriber.transcribe(load_audio(path), options).text.strip()

        plain = [text(path, temperature=(0.0,)) for path in spoken]
        beam = text(spoken[0], temperature=(0.0,), beam_size=3)
        full = text(spoken[1], temperature=(0.0,), audio_context="full")
        by_chance = text(spoken[2])
    assert not {beam, full, by_chance} & {*plain}  # or this test would show nothing
    assert [one.text for one in hear(*spoken)] == plain
    assert [one.text for one in hear(spoken[0], beam_size=3)] == [beam]
    assert [one.text for one in hear(spoken[1], audio_context="full")] == [full]


def test_a_result_says_what_it_is_of(artifact, spoken, hear):
    (found,) = hear(spoken[0])
    assert isinstance(found, Result)
    digest = sha256(artifact.folder / MANIFEST)
    assert found.key == result_key(digest, utterance(spoken[0]), Settings())
    assert (found.artifact, found.settings, found.id) == (digest, Settings(), spoken[0].name)
    assert found.duration_s == pytest.approx(soundfile.info(spoken[0]).duration, abs=1e-3)
    assert found.compute_s > 0
    assert found.cpu_s > 0
    assert not found.words
    assert not found.stand_in


def test_live_it_is_what_the_command_commits(artifact, recordings, hear, call):
    path = recordings / "66_up_stop_yes_go.flac"
    ended = call(
        *("stream", path, "--artifact", artifact.folder, "--speed", 0, "--json"),
        *("--policy", "local-agreement", "--language", "en"),
        *("--temperature-increment-on-fallback", "none", "--threads", 1),
    )
    assert ended.status == 0, ended.err
    events = [json.loads(line) for line in ended.out.splitlines()]
    committed = [event for event in events if event["kind"] == "committed"]
    words = [word for event in committed for word in event["words"]]
    assert len(words) > 2
    (found,) = hear(path, variant="streaming")
    assert found.text == "".join(event["text"] for event in committed).strip()
    assert [word.text for word in found.words] == [word["word"].strip() for word in words]
    assert [word.start_s for word in found.words] == [word["start"] for word in words]
    assert [word.end_s for word in found.words] == [word["end"] for word in words]


def test_word_times_are_those_of_the_command(artifact, spoken, hear, call):
    ended = call(
        *("transcribe", spoken[0], "--artifact", artifact.folder, "--format", "json"),
        *("--word-timestamps", "true", "--language", "en", "--threads", 1),
        *("--temperature-increment-on-fallback", "none"),
    )
    assert ended.status == 0, ended.err
    segments = json.loads(ended.out)["segments"]
    words = [word for segment in segments for word in segment["words"]]
    (found,) = hear(spoken[0], variant="word-times")
    assert len(words) == len(found.text.split())
    assert [word.text for word in found.words] == [word["word"].strip() for word in words]
    assert [word.end_s for word in found.words] == pytest.approx([word["end"] for word in words])


@pytest.mark.parametrize("variant", ["plain", "streaming", "word-times"])
@pytest.mark.parametrize("n_samples", [1, 80, 8000, 31 * SAMPLE_RATE])
def test_silence_and_short_clips_have_no_text(tmp_path, hear, variant, n_samples):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(n_samples, np.float32), SAMPLE_RATE)
    (found,) = hear(path, variant=variant)
    assert found.text == ""
    assert found.words == ()
    assert found.duration_s == pytest.approx(n_samples / SAMPLE_RATE)


def test_what_cannot_be_heard_does_not_end_the_rest(tmp_path, spoken, hear):
    broken, empty, moved = (tmp_path / f"{name}.flac" for name in ("broken", "empty", "moved"))
    broken.write_bytes(b"fLaC and nothing")
    soundfile.write(empty, np.zeros(0, np.float32), SAMPLE_RATE)
    shutil.copy(spoken[1], moved)
    sounds = [utterance(path) for path in (broken, empty, moved, spoken[0])]
    moved.unlink()
    *failures, found = hear(*sounds)
    assert all(isinstance(one, Failure) for one in failures)
    assert [one.id for one in failures] == ["broken.flac", "empty.flac", "moved.flac"]
    assert all(str(tmp_path / one.id) in one.reason for one in failures)
    assert {one.exit_code for one in failures} == {AudioError.exit_code}
    assert len({one.key for one in failures} | {found.key}) == 4
    assert isinstance(found, Result)
    assert found.text


def test_sound_that_is_another_by_now_is_refused(spoken, hear):
    (failed,) = hear(utterance(spoken[0], digest="0" * 64))
    assert isinstance(failed, Failure)
    assert "changed since the set was read" in failed.reason


def test_the_condition_is_applied_by_the_digest_of_the_sound(tmp_path, spoken, hear):
    clean = load_audio(spoken[0])
    condition = Condition.parse("snr0+rt0.6")
    worse = condition.apply(clean, seed_text=sha256(spoken[0]))
    path = tmp_path / "worse.wav"
    soundfile.write(path, worse, SAMPLE_RATE, subtype="FLOAT")
    (expected,), (plain,) = hear(path), hear(spoken[0])
    (found,) = hear(spoken[0], condition=condition.name)
    assert found.text == expected.text
    assert found.text != plain.text


def test_the_session_stays_open_for_the_same_and_no_other(spoken, hear, monkeypatch):
    opened, closed = [], []

    class Counted(task_module.OpenedArtifact):
        def __init__(self, folder, digest, settings):
            super().__init__(folder, digest, settings)
            opened.append(settings)

        def close(self):
            super().close()
            closed.append(self._settings)

    monkeypatch.setattr(task_module, "OpenedArtifact", Counted)
    for settings in ({}, {}, {"beam_size": 2}, {"beam_size": 2}, {}):
        hear(spoken[0], **settings)
    assert [one.beam_size for one in opened] == [None, 2, None]
    assert [one.beam_size for one in closed] == [None, 2]
    close_session()
    assert len(closed) == 3


def test_an_artifact_that_is_another_by_now_is_refused(artifact, spoken):
    task = Task(str(artifact.folder), "0" * 64, Settings(), (utterance(spoken[0]),))
    with pytest.raises(ArtifactError, match="exported anew"):
        run_task(task)


@pytest.mark.parametrize(
    ("language", "settings", "said"),
    [
        ("tlh", {}, "unknown language"),
        ("en", {"variant": "streaming", "beam_size": 2}, "greedily"),
    ],
)
def test_what_does_not_suit_the_artifact_ends_the_task(spoken, hear, language, settings, said):
    with pytest.raises(ConfigError, match=said):
        hear(utterance(spoken[0], language=language), **settings)


def test_a_library_cannot_print_among_the_results(spoken, hear, capfd):
    hear(*spoken)
    assert capfd.readouterr().out == ""
