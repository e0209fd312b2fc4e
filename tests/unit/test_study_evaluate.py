"""What every artifact of a study is to hear."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.artifact import MANIFEST, sha256
from whisperq_edge.edge.study.cells import cells_of
from whisperq_edge.edge.study.config import SetConfig, StudyConfig
from whisperq_edge.edge.study.evaluate_step import EvaluateStep
from whisperq_edge.edge.study.export_step import Made

pytest.importorskip("jiwer", reason="judging words needs jiwer")
pytest.importorskip("whisper_normalizer", reason="judging words needs whisper-normalizer")

CONFIG = StudyConfig(
    title="A miniature",
    checkpoints=("demo",),
    targets=("onnx",),
    precisions=("int8",),
    sets=(
        SetConfig("clean", "demo", limit=12),
        SetConfig("noisy", "demo", condition="snr10", limit=12),
    ),
    variants=("plain", "streaming", "word-times"),
)


def n_heard(config, artifact, tmp_path):
    """How many utterances are to be transcribed, by variant and condition."""
    (cell,), _ = cells_of(config, {"demo": "demo"}, tmp_path)
    made = Made(cell, artifact, sha256(artifact.folder / MANIFEST))
    with ResultStore(tmp_path / "results.jsonl") as store:
        tasks = EvaluateStep([made], config, tmp_path, store).tasks()
    found: dict[tuple[str, str], int] = {}
    for task in tasks:
        way = (task.settings.variant, task.settings.condition)
        found[way] = found.get(way, 0) + len(task.utterances)
    return found


def test_all_sets_are_heard_plainly_and_the_first_in_every_variant(artifact, tmp_path):
    assert n_heard(CONFIG, artifact, tmp_path) == {
        ("plain", "clean"): 12,
        ("streaming", "clean"): 12,
        ("word-times", "clean"): 12,
        ("plain", "snr10"): 12,
    }


def test_variants_may_hear_less(artifact, tmp_path):
    for limit, n in [(5, 5), (50, 12)]:
        config = msgspec.structs.replace(CONFIG, variant_limit=limit)
        assert n_heard(config, artifact, tmp_path) == {
            ("plain", "clean"): 12,
            ("streaming", "clean"): n,
            ("word-times", "clean"): n,
            ("plain", "snr10"): 12,
        }
