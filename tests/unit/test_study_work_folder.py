"""What a study keeps between runs."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.errors import WhisperqError
from whisperq_edge.edge.study import work_folder
from whisperq_edge.edge.study.pace import Pace
from whisperq_edge.edge.study.stages import StageStart
from whisperq_edge.edge.study.work_folder import WorkFolder, key_of
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.registry import find_entry

START = StageStart((0.5,), (), stand_in=True, tools={"library": "1"})


def test_what_is_kept_is_found_under_its_key_alone(tmp_path):
    work = WorkFolder(tmp_path)
    work.write("stages", key_of("a", 1), START)
    assert work.read("stages", key_of("a", 1), StageStart) == START
    assert work.read("stages", key_of("a", 2), StageStart) is None


def test_what_another_release_kept_is_done_again(tmp_path):
    work = WorkFolder(tmp_path)
    path = work.path("stages", "k")
    path.parent.mkdir()
    for content in ('{"load_s": 1}', '{"loads_s": [', ""):
        path.write_text(content)
        assert work.read("stages", "k", StageStart) is None


def test_a_checkpoint_by_name_is_left_to_who_loads_it(tmp_path):
    assert WorkFolder(tmp_path).model("openai/whisper-tiny") == "openai/whisper-tiny"
    assert not list(tmp_path.iterdir())


def test_a_random_checkpoint_is_of_true_shape_and_written_once(tmp_path):
    work = WorkFolder(tmp_path)
    folder = work.model("random:tiny")
    assert load_checkpoint(folder).dimensions == find_entry("tiny").dimensions
    weights = tmp_path / "checkpoints" / "random-tiny" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert work.model("random:tiny") == folder
    assert weights.stat().st_mtime_ns == before


def test_a_random_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(folder, dimensions):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work_folder, "write_random_checkpoint", fail)
    with pytest.raises(WhisperqError, match="No space left"):
        WorkFolder(tmp_path).model("random:tiny")
    assert not list((tmp_path / "checkpoints").iterdir())


def test_the_time_left_follows_what_was_done(monkeypatch):
    clock = iter([0.0, 10.0, 30.0])
    monkeypatch.setattr("whisperq_edge.edge.study.pace.time.monotonic", lambda: next(clock))
    told = []
    pace = Pace("stages", 4, told.append)
    pace.tell("first")  # nothing is known yet, and the clock is not read
    pace.finish()
    pace.tell("second")
    pace.tell("second", 0.5)
    assert [(step.done, step.left_s) for step in told] == [
        (0.0, None),
        (0.25, pytest.approx(30.0)),
        (0.375, pytest.approx(50.0)),
    ]
