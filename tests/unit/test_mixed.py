"""Mixed precision: the ladder, the ranking, the search, and an export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ParityError, UnsupportedPrecisionError
from whisperq_edge.edge.evaluation import listening, teacher
from whisperq_edge.edge.evaluation import mixed as mixed_module
from whisperq_edge.edge.evaluation import verify as verify_module
from whisperq_edge.edge.evaluation.listening import Listener
from whisperq_edge.edge.evaluation.mixed import export_mixed, smallest_passing
from whisperq_edge.edge.evaluation.mixture import Ladder, n_bytes
from whisperq_edge.edge.evaluation.ranking import divergences
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.parity import CurvePoint
from whisperq_edge.edge.types import AudioContexts, Precision, no_progress
from whisperq_edge.exporters import TARGETS, ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint

INT4, INT8, FP16 = Precision("int4", 32), Precision("int8"), Precision("fp16")
FULL = Ladder((INT4, INT8, FP16))
NAMES = ("encoder.0.fc1", "decoder.embedding", "decoder.0.qkv")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniature")
    return load_checkpoint(write_random_checkpoint(folder, MINIATURE))


@pytest.fixture(scope="module")
def heard(checkpoint):
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    listener = Listener(checkpoint.dimensions, checkpoint.generation, tokenizer)
    exact = prepare(checkpoint, Recipe.of("fp32"))
    return listener.listen(exact, list(bundled_recordings(1)), AudioContexts(1500))


def test_a_ladder_has_the_preferred_forms_of_what_is_offered():
    assert Ladder.for_target("onnx", "native") == FULL
    assert Ladder.for_target("onnx", "portable").rungs == (INT8, FP16)
    assert Ladder.of(("int8:64", "fp32")).rungs == (Precision("int8", 64), Precision("fp32"))


def test_without_a_choice_there_is_no_ladder():
    with pytest.raises(UnsupportedPrecisionError, match="nothing to choose between"):
        Ladder.of(("int8",))


def test_every_layout_has_a_ladder_or_says_why():
    for name, target in TARGETS.items():
        for layout, offer in target.layouts.items():
            kinds = {precision.split(":")[0] for precision in offer.precisions}
            if offer.is_uniform:
                with pytest.raises(UnsupportedPrecisionError, match="stores all matrices alike"):
                    Ladder.for_target(name, layout)
                continue
            if len(kinds - {"fp32"}) < 2:
                continue
            for rung in Ladder.for_target(name, layout).rungs:
                assert rung.name in kinds


def test_the_worst_climb_first_and_the_head_starts_higher():
    assert FULL.lowest == Recipe(INT4, INT4, INT8)
    assert FULL.raises(NAMES) == [
        ("encoder.0.fc1", INT8),
        ("decoder.0.qkv", INT8),
        ("encoder.0.fc1", FP16),
        ("decoder.embedding", FP16),
        ("decoder.0.qkv", FP16),
    ]
    assert FULL.recipe(NAMES, 0).layers == {}
    assert FULL.recipe(NAMES, 3).layers == {"encoder.0.fc1": FP16, "decoder.0.qkv": INT8}


def test_a_finer_mixture_is_larger(checkpoint):
    names = list(prepare(checkpoint, FULL.lowest).matrices)
    sizes = [
        n_bytes(prepare(checkpoint, FULL.recipe(names, n)))
        for n in range(0, len(FULL.raises(names)) + 1, 6)
    ]
    assert sizes == sorted(set(sizes))


def point(n_raises, passed):
    return CurvePoint(n_raises, 1000 + n_raises, 0.01, 1.0, 0.1, passed)


@pytest.mark.parametrize("n_steps", [1, 2, 7, 64])
def test_the_search_finds_the_smallest_that_passes(n_steps):
    for first in range(n_steps + 1):
        tried = []

        def measure(n, first=first, tried=tried):
            tried.append(n)
            return point(n, n >= first)

        points = smallest_passing(n_steps, measure)
        assert min((n for n in points if points[n].passed), default=n_steps) == first
        assert tried[0] == 0
        assert len(tried) == len(set(tried)) <= n_steps.bit_length() + 2


def test_the_matrix_that_bears_least_is_ranked_first(checkpoint, heard):
    """One matrix's integers are spoilt by a single huge weight in every row."""
    exact = prepare(checkpoint, Recipe.of("fp32"))
    coarse = prepare(checkpoint, Recipe.of("int8"))
    for name in ("encoder.1.fc2", "decoder.0.out"):
        weight = exact.matrices[name].copy()
        weight[:, 0] *= 3000
        coarse.matrices[name] = quantize(weight, INT8)
        coarse.matrices[name].values[:, 0] = 0
        losses = divergences(exact, coarse, MINIATURE, heard, no_progress)
        assert set(losses) == set(exact.matrices)
        assert list(losses.values()) == sorted(losses.values(), reverse=True)
        assert next(iter(losses)) == name
        coarse = prepare(checkpoint, Recipe.of("int8"))


def test_smoothing_alone_costs_nothing(checkpoint, heard):
    """A smoothed matrix is ranked together with its norm."""
    exact = prepare(checkpoint, Recipe.of("fp32"))
    smoothed = prepare(checkpoint, Recipe.of("int8"))
    for name in exact.matrices:
        smoothed.matrices[name] = exact.matrices[name]
    floats = {}
    prepare(
        checkpoint,
        Recipe.of("int8"),
        observe=lambda name, weight, _: floats.update({name: weight.copy()}),
    )
    smoothed.matrices.update(floats)
    assert not np.allclose(floats["encoder.0.qkv"], exact.matrices["encoder.0.qkv"], rtol=0.1)
    losses = divergences(exact, smoothed, MINIATURE, heard, no_progress)
    assert max(losses.values()) < 1e-6


@pytest.fixture
def few_words(monkeypatch):
    """Judge by so little that a test stays brief."""
    monkeypatch.setattr(teacher, "MIN_RECORDINGS", 2)
    monkeypatch.setattr(teacher, "MAX_RECORDINGS", 2)
    for module in (listening, mixed_module, verify_module):
        monkeypatch.setattr(module, "OPTIONS", replace(teacher.OPTIONS, sample_len=4))


def test_a_mixture_is_exported_verified_and_explained(checkpoint, tmp_path, few_words):
    pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
    request = ExportRequest(checkpoint, Recipe.of("int8"))
    made = export_mixed("onnx", request, tmp_path / "a")
    choice, manifest = made.manifest.choice, made.manifest
    assert manifest.verdict.passed
    assert manifest.tolerance == mixed_module.MIXED_TOLERANCE
    assert [point.n_raises for point in choice.curve] == sorted({p.n_raises for p in choice.curve})
    sizes = [point.n_bytes for point in choice.curve]
    assert sizes == sorted(sizes)
    assert all(not p.passed for p in choice.curve if p.n_raises < choice.n_raises)
    kinds = {precision.name for precision in manifest.quantization.values()}
    assert choice.n_raises == 0 or "int8" in kinds
    worst = list(choice.losses)[: choice.n_raises]
    assert set(manifest.quantization) - {"encoder", "decoder", "head"} <= set(worst)


def test_a_mixture_that_the_gate_refuses_is_made_finer(
    checkpoint, tmp_path, few_words, monkeypatch
):
    tried = []

    def refusing(target, request, output, *, choice, **_):
        tried.append(choice)
        if len(tried) < 3:
            raise ParityError("loss", "divergence", 1.0, 0.1)
        return Path(output)

    monkeypatch.setattr(mixed_module, "export", refusing)
    request = ExportRequest(checkpoint, Recipe.of("int8"))
    export_mixed("onnx", request, tmp_path / "a")
    counts = [choice.n_raises for choice in tried]
    assert counts == sorted(set(counts))
    assert [p for p in tried[1].curve if p.n_raises == counts[0] and p.passed] == []
