"""The same numbers and tokens as transformers, on random checkpoints of the true dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import ModelDimensions
from whisperq_edge.exporters import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.models.random_checkpoint import TINY, write_random_checkpoint
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.models.whisper import encode
from whisperq_edge.runtimes import open_session

torch = pytest.importorskip("torch", reason="the oracle needs torch")
transformers = pytest.importorskip("transformers", reason="the oracle is transformers")

SIZES = {
    "tiny": TINY,
    "base": ModelDimensions(80, 1500, 512, 8, 6, 51865, 448, 512, 8, 6),
    "small": ModelDimensions(80, 1500, 768, 12, 12, 51865, 448, 768, 12, 12),
}
PROMPT = [50258, 50259, 50359, 50363]
N_INPUTS = 50
N_POSITIONS = 30  # 0.6 s: the oracle gets a shorter position table, the rest is the same
N_TOKENS = 4


def mel(seed, n_positions):
    shape = (80, 2 * n_positions)
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


@pytest.fixture(scope="module", params=SIZES)
def model(request, tmp_path_factory):
    """The oracle, our checkpoint and our fp32 session of one size."""
    folder = tmp_path_factory.mktemp(request.param)
    source = write_random_checkpoint(folder / "checkpoint", SIZES[request.param])
    checkpoint = load_checkpoint(source)
    oracle = transformers.WhisperForConditionalGeneration.from_pretrained(source).eval()
    made = export(
        "onnx", ExportRequest(checkpoint, Recipe.of("fp32")), folder / "artifact", verify=False
    )
    with torch.inference_mode(), open_session(made) as session:
        yield oracle, checkpoint, session


def shorten(oracle, n_positions):
    """Make the oracle take windows of ``n_positions``, which it otherwise refuses."""
    encoder = oracle.model.encoder
    encoder.embed_positions.weight.data = encoder.embed_positions.weight.data[:n_positions]
    encoder.embed_positions.num_embeddings = n_positions
    oracle.config.max_source_positions = encoder.config.max_source_positions = n_positions


def cross_keys_values(oracle, hidden, n_heads):
    """What our encoder gives, from the oracle's encoder output and its own projections."""
    arrays = []
    for layer in oracle.model.decoder.layers:
        for projection in (layer.encoder_attn.k_proj, layer.encoder_attn.v_proj):
            flat = projection(hidden)[0].numpy()
            arrays.append(flat.reshape(len(flat), n_heads, -1).swapaxes(0, 1))
    return np.stack(arrays)


def check_window(model, seed, n_positions):
    """Cross-attention keys and values within 1e-4, then the same greedy tokens."""
    oracle, checkpoint, session = model
    features = mel(seed, n_positions)
    hidden = oracle.model.encoder(torch.from_numpy(features[None])).last_hidden_state
    session.encode(features)
    window = cross_keys_values(oracle, hidden, checkpoint.dimensions.n_text_head)
    np.testing.assert_allclose(session.window(), window, atol=1e-4)
    text, new = list(PROMPT), PROMPT
    for _ in range(N_TOKENS):
        ours = int(session.step(np.array([new]))[0].argmax())
        out = oracle(encoder_outputs=(hidden,), decoder_input_ids=torch.tensor([text]))
        assert ours == int(out.logits[0, -1].argmax())
        new = [ours]
        text += new
    return hidden


def test_the_encoder_and_greedy_tokens_are_the_same_in_a_full_window(model):
    hidden = check_window(model, seed=1000, n_positions=1500)
    _, checkpoint, _ = model
    if checkpoint.dimensions != TINY:
        return  # NumPy takes its time, and has nothing that depends on the size
    ops = NumpyOps(prepare(checkpoint, Recipe.of("fp32")))
    reference = encode(ops, mel(1000, 1500).T[None], checkpoint.dimensions)
    np.testing.assert_allclose(reference, hidden.numpy(), atol=1e-4)


def test_greedy_tokens_are_the_same_over_many_inputs(model):
    shorten(model[0], N_POSITIONS)
    for seed in range(N_INPUTS):
        check_window(model, seed, N_POSITIONS)
