"""Rounding by what a matrix multiplies: the integers, the moments, and how they are judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from whisperq_edge.edge.evaluation import weights as weights_module
from whisperq_edge.edge.evaluation.calibration import (
    bundled_calibration,
    calibrated_rounding,
    digest_of,
)
from whisperq_edge.edge.evaluation.gate import ROUNDING_LIMIT
from whisperq_edge.edge.evaluation.recordings import bundled_recordings, judging_recordings
from whisperq_edge.edge.evaluation.weights import RoundingMeter, calibrated_ratio
from whisperq_edge.edge.parity import Calibration
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.gptq import CalibratedRounding, output_errors, round_by_moment
from whisperq_edge.models.moments import input_moments
from whisperq_edge.models.observer import CalibrationSample
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import QuantizedTensor, Recipe, quantize
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.models.whisper import decode, encode

INT4 = Precision("int4", 32)
CALIBRATION = Calibration("gptq", 1, "0" * 64)


def weight_of(n_out=48, n_in=160, seed=0):
    return np.random.default_rng(seed).standard_t(4, (n_out, n_in)).astype(np.float32)


def correlated(n_rows, n_in=160, seed=1):
    """Inputs of which many say the same, as activations do; the mixing is always one."""
    mixing = np.random.default_rng(99).normal(size=(n_in // 4, n_in))
    random = np.random.default_rng(seed)
    return random.normal(size=(n_rows, n_in // 4)) @ mixing + 0.3 * random.normal(
        size=(n_rows, n_in)
    )


def moment_of(inputs):
    return inputs.T @ inputs / len(inputs)


@pytest.fixture(scope="module")
def demo():
    return load_checkpoint("demo", offline=True)


@pytest.mark.parametrize("block", [32, 64, 128])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_products_are_closer_than_by_plain_rounding(block, seed):
    """On inputs of the same kind that were not seen."""
    precision, weight = Precision("int4", block), weight_of(seed=seed)
    ours = round_by_moment(weight, precision, moment_of(correlated(400)))
    plain = quantize(weight, precision)
    unseen = correlated(200, seed=2)
    errors = [np.linalg.norm((m.dequantize() - weight) @ unseen.T) for m in (ours, plain)]
    assert errors[0] < 0.7 * errors[1]


def test_errors_are_made_up_for_as_well_as_they_can_be():
    """Beside the plain statement of it: after each input, the later weights that fit best."""
    weight, moment = weight_of(n_out=8, n_in=150), moment_of(correlated(400)[:, :150])
    ours, plain = round_by_moment(weight, INT4, moment), quantize(weight, INT4)
    damped = moment + 0.1 * np.diag(moment).mean() * np.eye(150)
    order = np.argsort(-np.diag(damped), kind="stable")
    scales = plain.scales.repeat(32, 1)[:, :150].astype(np.float64)
    wanted, error = np.zeros((8, 150)), np.zeros((8, 150))
    for place, j in enumerate(order):
        done, left = order[:place], order[place:]
        # The minimum of error @ damped @ error.T over the weights that are left.
        moves = np.linalg.solve(damped[np.ix_(left, left)], damped[np.ix_(left, done)])
        best = weight[:, j] + (error[:, done] @ moves.T)[:, 0]
        wanted[:, j] = np.clip(np.rint(best / scales[:, j]), -8, 7)
        error[:, j] = weight[:, j] - wanted[:, j] * scales[:, j]
    gains = np.einsum("oi,ij,oj->o", error, damped, error) < output_errors(weight, plain, moment)
    assert gains.all()
    np.testing.assert_array_equal(ours.values, wanted)


def test_independent_inputs_leave_nothing_to_make_up_for():
    weight = weight_of()
    ours, plain = round_by_moment(weight, INT4, np.eye(160)), quantize(weight, INT4)
    np.testing.assert_array_equal(ours.values, plain.values)
    np.testing.assert_array_equal(ours.scales, plain.scales)


def test_the_format_stays_that_of_plain_rounding():
    weight = weight_of(n_in=150)  # the last block is shorter
    ours = round_by_moment(weight, INT4, moment_of(correlated(400)[:, :150]))
    plain = quantize(weight, INT4)
    np.testing.assert_array_equal(ours.scales, plain.scales)
    assert ours.values.dtype == np.int8
    assert ours.values.shape == weight.shape
    assert ours.values.min() >= -8
    assert ours.values.max() <= 7
    assert (ours.values != plain.values).mean() > 0.05


def test_no_output_is_worse_than_by_plain_rounding():
    """Greedy feedback may go wrong; the outputs for which it does keep the nearest integers."""
    for seed in range(5):
        weight = weight_of(n_out=200, n_in=40, seed=seed)
        moment = moment_of(correlated(400, n_in=40))
        ours, plain = round_by_moment(weight, INT4, moment), quantize(weight, INT4)
        assert (output_errors(weight, ours, moment) <= output_errors(weight, plain, moment)).all()


def test_the_same_twice():
    weight, moment = weight_of(), moment_of(correlated(400))
    first, second = (round_by_moment(weight, INT4, moment) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.parametrize("kind", ["silent", "some dead", "one direction", "few"])
def test_inputs_that_were_not_heard(kind):
    """Fewer recordings than inputs leave moments that have no inverse."""
    weight, inputs = weight_of(), correlated(400)
    if kind == "silent":
        inputs *= 0
    if kind == "some dead":
        inputs[:, ::3] = 0
    if kind == "one direction":
        inputs[:] = inputs[0]
    ours = round_by_moment(weight, INT4, moment_of(inputs[:20] if kind == "few" else inputs))
    plain = quantize(weight, INT4)
    if kind == "silent":
        np.testing.assert_array_equal(ours.values, plain.values)
    if kind == "some dead":  # nothing is moved to where nothing was heard
        np.testing.assert_array_equal(ours.values[:, ::3], plain.values[:, ::3])
    steps = np.abs(ours.dequantize() - weight) / np.abs(ours.scales).repeat(32, 1)
    assert steps.max() < 8


def test_other_precisions_and_matrices_are_rounded_as_ever():
    weight = weight_of()
    rounder = CalibratedRounding({"a": moment_of(correlated(400))}, CALIBRATION)
    for name, precision in (("a", Precision("int8")), ("a", Precision("int8", 32)), ("b", INT4)):
        ours, plain = rounder(name, weight, precision), quantize(weight, precision)
        np.testing.assert_array_equal(ours.values, plain.values)
    assert rounder("a", weight, Precision("fp16")).dtype == np.float16
    assert rounder("a", weight, INT4) is rounder("a", weight, INT4)
    coarser = rounder("a", weight, Precision("int4", 128))
    assert coarser.precision.block == 128


class Keeping(NumpyOps):
    """Keeps what every product takes."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.seen = {}

    def at(self, x, place):
        if place.endswith(".input"):
            self.seen.setdefault(place.removesuffix(".input"), []).append(x[0])
        return x


def test_moments_are_those_of_what_the_products_take(demo):
    exact = prepare(demo, Recipe.of("fp32"))
    random = np.random.default_rng(0)
    samples = [
        CalibrationSample(
            random.normal(size=(80, n)).astype(np.float32), np.array([50258, 50259, 50359, 400])
        )
        for n in (40, 60)
    ]
    told = []
    moments = input_moments(exact, demo.dimensions, demo.generation, samples, told.append)
    assert told == [1, 2]
    assert moments.keys() == exact.matrices.keys() - {"decoder.embedding"}
    ops = Keeping(exact)
    for sample in samples:
        encode(ops, np.ascontiguousarray(sample.mel.T)[None], demo.dimensions)
        ops.tokens = sample.tokens[None]
        decode(ops, demo.dimensions, demo.generation.alignment_heads)
    for name, moment in moments.items():
        inputs = np.concatenate(ops.seen[name]).astype(np.float64)
        np.testing.assert_allclose(moment, inputs.T @ inputs / len(inputs), rtol=1e-9, atol=1e-12)
    # What they are for: the error of products, without the inputs.
    weight, inputs = exact.matrices["decoder.1.fc2"], np.concatenate(ops.seen["decoder.1.fc2"])
    stored = quantize(weight, INT4)
    errors = np.square((stored.dequantize() - weight) @ inputs.T).mean(1)
    moment = moments["decoder.1.fc2"]
    damping = np.diag(moment).mean() * 0.1 * np.square(stored.dequantize() - weight).sum(1)
    np.testing.assert_allclose(output_errors(weight, stored, moment), errors + damping, rtol=1e-3)


def test_nobody_who_is_listened_to_judges(recordings):
    lines = (recordings / "manifest.jsonl").read_text().splitlines()
    speakers = {row["path"]: row["speaker"] for row in map(json.loads, lines)}
    heard = {speakers[r.name] for r in bundled_recordings(split="dev")}
    judges = {speakers[r.name] for r in judging_recordings(30, "gptq")}
    assert heard
    assert judges
    assert not heard & judges
    # An artifact without them is judged by all, as it always was.
    before = [r.name for r in bundled_recordings(30)]
    assert [r.name for r in judging_recordings(30, "nearest")] == before


def test_a_set_of_recordings_is_known_by_what_is_heard():
    some = list(bundled_recordings(3))
    assert digest_of(some) != digest_of(some[:2]) != digest_of(some[::-1])
    assert bundled_calibration() == digest_of(bundled_recordings(split="dev"))


def rounded(weight, moment):
    stored = round_by_moment(weight, INT4, moment)
    return QuantizedTensor(stored.values.copy(), stored.scales.copy(), INT4)


def test_the_gate_knows_good_integers_from_bad_ones():
    weight, moment = weight_of(), moment_of(correlated(400))
    good = rounded(weight, moment)
    assert calibrated_ratio(weight, good, moment) <= ROUNDING_LIMIT
    # By the bound on elements it would be refused: that is why there is another.
    assert weights_module.rounding_ratio(weight, good) > ROUNDING_LIMIT
    one_row = rounded(weight, moment)
    one_row.values[7] = np.roll(one_row.values[7], 1)
    assert calibrated_ratio(weight, one_row, moment) > ROUNDING_LIMIT
    other_scale = rounded(weight, moment)
    other_scale.scales[3, 2] *= 2
    assert calibrated_ratio(weight, other_scale, moment) == np.inf
    assert calibrated_ratio(weight, good, moment * np.nan) == np.inf


def test_a_wrong_quantizer_is_no_yardstick(monkeypatch):
    """Were plain rounding itself wrong, nothing would be worse than it."""

    def wrong(weight, precision):
        right = quantize(weight, precision)
        return QuantizedTensor(right.values // 2, right.scales, precision)

    weight, moment = weight_of(), moment_of(correlated(400))
    stored = rounded(weight, moment)
    monkeypatch.setattr(weights_module, "quantize", wrong)
    assert calibrated_ratio(weight, stored, moment) > ROUNDING_LIMIT


def test_plain_int4_is_judged_as_strictly_as_ever():
    weight, moment = weight_of(), moment_of(correlated(400))
    rounder = CalibratedRounding({"a": moment}, CALIBRATION)
    stored = rounder("a", weight, INT4)
    assert isinstance(stored, QuantizedTensor)
    for made_by, passes in ((rounder, True), (None, False)):
        meter = RoundingMeter(made_by)
        meter.add("a", weight, stored)
        assert (meter.result().worst <= ROUNDING_LIMIT) is passes
    meter = RoundingMeter(rounder)
    meter.add("b", weight, stored)  # which nobody rounded by recordings
    assert meter.result().worst > ROUNDING_LIMIT


def test_the_bundled_models_matrices_gain(demo):
    rounder = calibrated_rounding(demo)
    assert rounder.calibration.n_recordings == 16
    shown = {}
    prepare(
        demo,
        Recipe.of("int4", 64),
        rounder=rounder,
        observe=lambda name, weight, stored: shown.update({name: (weight.copy(), stored)}),
    )
    ratios = []
    for name, (weight, stored) in shown.items():
        if name == "decoder.embedding":
            np.testing.assert_array_equal(stored.values, quantize(weight, stored.precision).values)
            continue
        ratios.append(calibrated_ratio(weight, stored, rounder.moments[name]))
    assert max(ratios) <= ROUNDING_LIMIT
