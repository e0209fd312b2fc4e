"""Studies with figures that a test can work out by hand."""

from __future__ import annotations

import msgspec

from whisperq_edge.edge.accuracy.difference import Difference
from whisperq_edge.edge.accuracy.interval import Interval
from whisperq_edge.edge.accuracy.qualities import Qualities
from whisperq_edge.edge.accuracy.summary import Summary
from whisperq_edge.edge.study.config import SetConfig, StudyConfig
from whisperq_edge.edge.study.stages import StagePass
from whisperq_edge.edge.study.study import (
    SCHEMA,
    Accuracy,
    CheckpointFacts,
    Format,
    Missing,
    Pair,
    SetFacts,
    Study,
    Times,
)

from .records import BOARD

SETS = (SetConfig("clean", "demo"), SetConfig("noisy", "demo", "challenging"))
CONFIG = StudyConfig(
    title="A made-up study",
    checkpoints=("demo", "random:base"),
    targets=("onnx", "ggml"),
    precisions=("fp16", "int8", "int5", "int4"),
    sets=SETS,
    variants=("plain", "streaming"),
)
NOTHING = Qualities(None, None, {}, None, None, None)
SIZES = {"fp16": 20_000_000, "int8": 11_000_000, "int5": 8_000_000, "int4": 7_000_000}
WRONG = {"fp16": 0.040, "int8": 0.041, "int5": 0.043, "int4": 0.050}
SPEED = {"fp16": 0.30, "int8": 0.20, "int5": 0.32, "int4": 0.28}
STORED = {"fp16": "fp16", "int8": "q8_0", "int5": "q5_0", "int4": "q4_0"}


def interval(value, spread=0.01):
    return Interval(value, value - spread, value + spread, 0.95, 30)


def summary(wrong, spread=0.01):
    return Summary(
        wer=interval(wrong, spread),
        cer=interval(wrong / 2, spread),
        substitutions=wrong,
        insertions=0.0,
        deletions=0.0,
        hallucinations=interval(0.0, 0.0),
        empty=interval(0.0, 0.0),
        n_utterances=100,
        n_silent=0,
        n_words=900,
        n_speakers=30,
        sound_s=400.0,
        compute_s=20.0,
    )


def difference(value, low=None, high=None):
    return Difference(value, low, high, 0.95, 0.5, 30)


def artifact(precision="int8", target="ggml", checkpoint="demo", **more):
    given = {
        "stored": STORED[precision] if target == "ggml" else precision,
        "instead_of": (),
        "size_bytes": SIZES[precision],
        "stand_in": False,
        "tools": {target: "1.0"},
    }
    digest = f"{checkpoint}-{target}-{precision}".encode().hex()
    return Format(checkpoint, target, precision, digest=digest, **(given | more))


def times(one, seconds, *, spread=0.05, threads=1, **more):
    """Seven passes around ``seconds``, the middle one exactly so."""
    factors = (1.0, 1 - spread, 1 + spread, 1 - spread / 2, 1 + spread / 2, 1.0, 1.0)
    passes = tuple(stage_pass(seconds * factor) for factor in factors)
    whole = () if one.checkpoint.startswith("random") else tuple(seconds * f for f in factors)
    given = {
        "clip_s": 10.0 if whole else None,
        "whole_s": whole,
        "loads_s": (seconds / 10, seconds / 9),
        "passes": passes,
        "peak_bytes": 90_000_000,
    }
    return Times(one.digest, threads, **(given | more))


def stage_pass(seconds):
    return StagePass(
        mel=0.01 * seconds,
        encode=0.6 * seconds,
        prompt=0.01 * seconds,
        decode=0.01 * seconds,
        sample=0.001 * seconds,
        batched=0.02 * seconds,
        total=seconds,
    )


def study(config=CONFIG, **more):
    """Two targets, of which only ggml has int5; words of the bundled model."""
    formats = tuple(
        artifact(
            precision,
            target,
            checkpoint,
            instead_of=("int5",) if (precision, target) == ("int8", "onnx") else (),
        )
        for checkpoint in config.checkpoints
        for target in config.targets
        for precision in config.precisions
        if (precision, target) != ("int5", "onnx")
    )
    worded = [one for one in formats if one.checkpoint == "demo"]
    accuracies = tuple(
        Accuracy(one.digest, name, variant, summary(more_ + WRONG[one.precision]), NOTHING, 0.05)
        for one in worded
        for name, variant, more_ in (
            ("clean", "plain", 0.0),
            ("noisy", "plain", 0.1),
            ("clean", "streaming", 0.01),
        )
    )
    pairs = [
        pair(one, other, WRONG[one.precision] - WRONG[other.precision])
        for one in worded
        for other in worded
        if one.target == other.target and one != other
    ]
    streamed = difference(0.01, 0.002, 0.018)
    pairs += [
        Pair(one.digest, one.digest, "clean", "streaming", "plain", streamed) for one in worded
    ]
    given = Study(
        schema=SCHEMA,
        created="2026-01-02T03:04:05+00:00",
        package="0.1.0",
        config=config,
        board=BOARD,
        tools={"jiwer": "4.0"},
        checkpoints=(
            CheckpointFacts("demo", "d" * 64, "cc-by-4.0", 9_500_000),
            CheckpointFacts("random:base", "e" * 64, "unknown", 72_600_000),
        ),
        sets=(
            SetFacts("clean", "demo", "clean", 100, 900, 30, 400.0),
            SetFacts("noisy", "demo", "challenging", 100, 900, 30, 400.0),
        ),
        formats=formats,
        accuracies=accuracies,
        pairs=tuple(pairs),
        times=tuple(times(one, SPEED[one.precision]) for one in formats),
        missing=(Missing("demo int8 qualcomm", "onnxruntime-qnn is not installed"),),
    )
    return msgspec.structs.replace(given, **more)


def pair(one, other, value, spread=0.004):
    found = difference(value, value - spread, value + spread)
    return Pair(one.digest, other.digest, "clean", "plain", "plain", found)
