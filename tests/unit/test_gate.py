"""The gate: what it measures, and what it lets through."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.evaluation.gate import (
    MIXED_TOLERANCE,
    ROUNDING_LIMIT,
    TOLERANCES,
    findings,
    tolerance_for,
    verdict,
)
from whisperq_edge.edge.evaluation.loss import LossMeter
from whisperq_edge.edge.evaluation.speed import Round, compared
from whisperq_edge.edge.evaluation.weights import RoundingMeter, rounding_ratio
from whisperq_edge.edge.parity import Loss, Parity, PartParity, Verdict, WeightRounding
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.quantize import QuantizedTensor, Recipe, quantize

INTEGERS = [
    Precision("int8"),
    *(Precision(name, block) for name in ("int8", "int4") for block in (32, 64, 128)),
]
HALVES = Precision("fp16")


def heavy_tailed(seed=0, shape=(96, 200)):
    return np.random.default_rng(seed).standard_t(3, shape).astype(np.float32)


@pytest.mark.parametrize("precision", [*INTEGERS, HALVES], ids=str)
@pytest.mark.parametrize("scale", [1, 1e-6, 1e4])
def test_rounding_is_explained(precision, scale):
    for seed in range(5):
        weight = heavy_tailed(seed) * np.float32(scale)
        assert 0.9 < rounding_ratio(weight, quantize(weight, precision)) <= ROUNDING_LIMIT


@pytest.mark.parametrize("precision", INTEGERS, ids=str)
def test_one_step_in_one_weight_is_found(precision):
    weight = heavy_tailed()
    good = quantize(weight, precision)
    values = good.values.copy()
    steps = good.scales.repeat(good.block, 1)[:, :200]
    rounded_up = (np.abs(values) < 3) & ((good.dequantize() - weight) / steps > 0)
    values[tuple(np.argwhere(rounded_up)[0])] += 1
    bad = QuantizedTensor(values, good.scales, precision)
    assert rounding_ratio(weight, bad) > 1.9


@pytest.mark.parametrize("precision", [*INTEGERS, HALVES, Precision("fp32")], ids=str)
def test_a_transposed_or_other_matrix_is_found(precision):
    square = heavy_tailed(shape=(128, 128))
    assert rounding_ratio(square.T, quantize(square, precision)) > 2
    assert rounding_ratio(heavy_tailed(1), quantize(heavy_tailed(2), precision)) > 2


def test_exact_floats_leave_no_difference():
    weight = heavy_tailed()
    assert rounding_ratio(weight, quantize(weight, Precision("fp32"))) == 0
    assert rounding_ratio(weight, np.nextafter(weight, np.float32(9))) == np.inf


def test_what_no_half_can_hold_is_clipped_and_explained():
    weight = heavy_tailed()
    weight[3, 5] = 1e9
    for precision in (HALVES, *INTEGERS):
        assert rounding_ratio(weight, quantize(weight, precision)) <= ROUNDING_LIMIT
    assert rounding_ratio(weight, np.zeros_like(weight, np.float16)) > 2


def test_a_nan_is_the_worst():
    meter = RoundingMeter()
    weight = heavy_tailed()
    for name, broken in (("a", False), ("b", True), ("c", False)):
        stored = quantize(weight, Precision("int8"))
        if broken:
            stored.scales[4] = np.nan
        meter.add(name, weight, stored)
    assert meter.result() == WeightRounding(np.inf, "b")


def logits(*rows):
    return np.array(rows, np.float32)


def test_the_loss_of_equal_logits_is_none():
    meter = LossMeter()
    meter.add(logits([1, 2, 3]), logits([1, 2, 3]))
    assert meter.result() == Loss(0, 0, 1, 0, 1)


def test_the_loss_is_over_all_texts():
    exact = logits([0, 0, 5], [0, 5, 0], [3, 2.95, 0], [0, 0, 9])
    ours = logits([0, 0, 5], [0, 0, 5], [2.9, 3, 0], [0, 0, 1])
    meter = LossMeter()
    meter.add(ours[:1], exact[:1])
    meter.add(ours[1:], exact[1:])
    loss = meter.result()
    assert loss.n_tokens == 4
    assert loss.token_agreement == 0.5
    assert loss.near_ties == 0.25  # the third: the checkpoint is 0.05 from undecided
    assert loss.other_tokens == 0.25
    energy = np.square(exact).sum()
    assert loss.relative_error == pytest.approx(np.sqrt(np.square(ours - exact).sum() / energy))
    p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (exact, ours))
    assert loss.divergence == pytest.approx((p * np.log(p / q)).sum() / 4, rel=1e-5)


PART = PartParity(cosine=1, relative_error=1e-6, max_error=1e-5, sensitivity=0)
GOOD = Parity(
    parts={"encoder": PART, "decoder": PART},
    token_agreement=1,
    wer=0.1,
    wer_reference=0.1,
    n_recordings=24,
    n_words=1000,
    weights=WeightRounding(1.0, "encoder.conv1"),
    loss=Loss(0.01, 1e-3, 1, 0, 1000),
)


def changed(struct, **values):
    return msgspec.structs.replace(struct, **values)


@pytest.mark.parametrize(
    ("precision", "parity", "finding"),
    [
        ("int8", GOOD, None),
        (
            "int8",
            changed(GOOD, weights=WeightRounding(1.002, "encoder.0.fc1")),
            "encoder.0.fc1: difference from the checkpoint",
        ),
        ("int8", changed(GOOD, loss=changed(GOOD.loss, divergence=0.051)), "loss: divergence"),
        ("int4", changed(GOOD, loss=changed(GOOD.loss, divergence=0.051)), None),
        ("int8", changed(GOOD, loss=changed(GOOD.loss, divergence=np.nan)), "loss: divergence"),
        ("int8", changed(GOOD, loss=changed(GOOD.loss, token_agreement=0.991)), None),
        (
            "int8",
            changed(GOOD, loss=changed(GOOD.loss, token_agreement=0.989)),
            "loss: share of tokens unlike the checkpoint's is 0.011, allowed 0.01",
        ),
        (
            "int8",
            changed(GOOD, loss=changed(GOOD.loss, token_agreement=0.9, near_ties=0.095)),
            None,
        ),
        ("int4", changed(GOOD, loss=changed(GOOD.loss, token_agreement=0.95)), None),
        # Two of 120 are chance for int8; in floats not even one is.
        ("int8", changed(GOOD, loss=Loss(0, 0, 118 / 120, 0, 120)), None),
        ("int8", changed(GOOD, loss=Loss(0, 0, 117 / 120, 0, 120)), "allowed 0.01667"),
        ("fp32", changed(GOOD, loss=Loss(0, 0, 119 / 120, 0, 120)), "allowed 0"),
    ],
)
def test_the_limits(precision, parity, finding):
    found = [str(error) for error in findings(parity, TOLERANCES[precision])]
    if finding is None:
        assert found == []
    else:
        assert len(found) == 1
        assert finding in found[0]


def test_the_coarsest_precision_decides():
    assert tolerance_for(Recipe.of("int4")) is TOLERANCES["int4"]
    assert tolerance_for(Recipe.of("int8")) is TOLERANCES["int8"]
    mixed = Recipe(*[Precision("fp32")] * 3, layers={"encoder.0.fc1": Precision("fp16")})
    assert tolerance_for(mixed) is TOLERANCES["fp16"]


def test_a_measured_mixture_is_held_to_more_than_int4():
    for limit in MIXED_TOLERANCE.__struct_fields__:
        assert getattr(MIXED_TOLERANCE, limit) <= getattr(TOLERANCES["int4"], limit)


def test_the_verdict_names_every_reason():
    bad = changed(GOOD, token_agreement=0.5, wer=0.5)
    assert verdict(GOOD, TOLERANCES["int8"]) == Verdict(passed=True)
    found = verdict(bad, TOLERANCES["int8"])
    assert not found.passed
    assert [reason.split(":")[0] for reason in found.reasons] == ["decoder", "words"]


def test_speed_is_the_median_of_the_ratios_within_a_round():
    # The machine is ten times slower in one round, for both, and stumbles once over one of them.
    rounds = [
        (Round(1, 2), Round(2, 8)),
        (Round(10, 20), Round(20, 80)),
        (Round(9, 2), Round(2, 8)),
    ]
    speed = compared(rounds, "fp32")
    assert (speed.encode, speed.step, speed.recording) == (0.5, 0.25, 0.3)
    assert not speed.is_slower


@pytest.mark.parametrize(("steps", "slower"), [(8.0, False), (8.3, False), (9.0, True)])
def test_slower_than_floats_is_told_from_noise(steps, slower):
    assert compared([(Round(2, steps), Round(2, 8))], "fp32").is_slower is slower
