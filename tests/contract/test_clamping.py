"""What a full-range int8 export does on an x86 CPU without VNNI, shown on words.

Such a CPU adds two neighbouring products of an unsigned and a signed byte in 16 bits and clamps.
The machine that runs this test may not clamp, so the instruction is imitated.
"""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.options import DecodingOptions
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.evaluation.teacher import features
from whisperq_edge.models import parameters as parameters_module
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import INT8_MAX, QuantizedTensor, Recipe, quantize
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes.run_reference import ReferenceSession

LOW, HIGH = -(2**15), 2**15 - 1
RULES = dict.fromkeys(("encoder", "decoder", "head"), "uint8-tensor")
N_RECORDINGS = 16


def clamped_product(x, values):
    """(t, n_in) bytes by (n_out, n_in) bytes, two neighbours at a time, as vpmaddubsw does.

    Pairs that cannot clamp are summed by a product; the few that can are added one by one.
    """
    exact = x @ values.T
    at_risk = np.abs(values[:, ::2]) + np.abs(values[:, 1::2]) > HIGH / 255
    for pair in np.flatnonzero(at_risk.any(0)):
        channels = np.flatnonzero(at_risk[:, pair])
        two = slice(2 * pair, 2 * pair + 2)
        sums = x[:, two] @ values[channels, two].T
        exact[:, channels] += np.clip(sums, LOW, HIGH) - sums
    return exact


def exact_product(x, values):
    """The same without the clamp: what every other CPU computes."""
    return x @ values.T


class IntegerOps(NumpyOps):
    """The reference, with integer products done as integers, by one kernel or the other."""

    def __init__(self, parameters, product):
        super().__init__(parameters, RULES)
        self.product = product

    def _product(self, x, name):
        matrix = self.parameters.matrices[name]
        low, high = min(x.min(), 0), max(x.max(), 0)
        scale = np.float32((high - low) / 255) or np.float32(1)
        zero = np.rint(-low / scale)
        steps = np.clip(np.rint(x / scale) + zero, 0, 255).reshape(-1, x.shape[-1])
        values = matrix.values.astype(np.float32)
        product = self.product(steps, values) - zero * values.sum(1)
        y = product * (scale * matrix.scales[:, 0])
        return y.reshape(*x.shape[:-1], -1).astype(np.float32)


def full_range(weight, precision):
    scales = np.abs(weight).max(1) / INT8_MAX
    scales[scales == 0] = 1
    values = np.rint(weight / scales[:, None]).astype(np.int8)
    return QuantizedTensor(values, scales[:, None].astype(np.float32), precision)


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("demo", offline=True)


def texts(checkpoint, ops):
    session = ReferenceSession(ops.parameters, checkpoint.dimensions, checkpoint.generation, RULES)
    session._ops = ops
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    options = DecodingOptions(language="en", without_timestamps=True, sample_len=24)
    decoder = Decoder(session, tokenizer, checkpoint.generation, options)
    found = []
    for recording in bundled_recordings(N_RECORDINGS):
        session.encode(features(recording, session.contexts, session.dimensions.n_mels))
        found.append(decoder.decode(decoder.begin(decoder.detect_language()), 0.0).text)
    return found


def changed(checkpoint, parameters):
    exact = texts(checkpoint, IntegerOps(parameters, exact_product))
    clamping = texts(checkpoint, IntegerOps(parameters, clamped_product))
    return sum(a != b for a, b in zip(exact, clamping, strict=True))


def test_clamping_changes_words_of_a_full_range_export_and_none_of_ours(checkpoint, monkeypatch):
    assert changed(checkpoint, prepare(checkpoint, Recipe.of("int8"))) == 0
    monkeypatch.setattr(parameters_module, "quantize", full_range)
    assert changed(checkpoint, prepare(checkpoint, Recipe.of("int8"))) > 0


def test_the_imitation_clamps_where_the_instruction_does():
    x = np.full((1, 4), 255, np.float32)
    full, safe = np.array([[127, 127, 1, 1]], np.float32), np.array([[64, 64, 1, 1]], np.float32)
    assert clamped_product(x, full) == HIGH + 510
    assert clamped_product(x, safe) == x @ safe.T


def test_pair_safe_products_never_clamp():
    rng = np.random.default_rng(0)
    matrix = quantize(rng.standard_t(4, (64, 128)).astype(np.float32), Recipe.of("int8").encoder)
    x = rng.choice(np.array([0, 255], np.float32), (100, 128))
    values = matrix.values.astype(np.float32)
    np.testing.assert_array_equal(clamped_product(x, values), x @ values.T)
