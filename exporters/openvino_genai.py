"""The folder that OpenVINO GenAI's WhisperPipeline loads.

Its encoder stops at the hidden states; the decoder makes the cross-attention's keys and values from
them in the first step after a reset, and keeps them as state. For word times it looks for sums
whose result is called "cross_attention_qk_scaled_scores" and makes outputs of them.
"""

from __future__ import annotations

from dataclasses import replace

from openvino import opset13 as op

from ..edge.types import ModelDimensions
from ..models.parameters import Parameters
from .openvino_graph import OpenvinoGraph, Value
from .openvino_ops import OpenvinoOps
from .openvino_weights import part_name, split_rows

ENCODER, DECODER = "openvino_encoder_model.xml", "openvino_decoder_model.xml"
TOKENIZER, DETOKENIZER = "openvino_tokenizer.xml", "openvino_detokenizer.xml"
CROSS_KV = "decoder.cross_kv"
SCORES = "cross_attention_qk_scaled_scores"


class GenaiEncoderOps(OpenvinoOps):
    """The encoder without the product that belongs to the decoder here."""

    def linear(self, x: Value, name: str) -> Value:
        """See Ops."""
        return x if name == CROSS_KV else super().linear(x, name)

    def cross_cache(self, kv: Value, n_heads: int, n_layers: int) -> None:
        """See Ops; ``kv`` is still the encoder's output."""
        shape = ("windows", "positions", self.dimensions.n_audio_state)
        self.graph.output("last_hidden_state", kv, shape)


class GenaiDecoderOps(OpenvinoOps):
    """The decoder with the cross-attention's keys and values inside."""

    def __init__(
        self, graph: OpenvinoGraph, parameters: Parameters, dimensions: ModelDimensions
    ) -> None:
        # One product for each, though they are one elsewhere: what a single state starts with is
        # left out of the steps after the first, what several start with is not.
        matrices, vectors = dict(parameters.matrices), dict(parameters.vectors)
        n_parts = 2 * dimensions.n_text_layer
        parts = split_rows(CROSS_KV, matrices.pop(CROSS_KV), n_parts)
        biases = split_rows(CROSS_KV, vectors.pop(f"{CROSS_KV}.bias"), n_parts)
        matrices.update(parts)
        vectors.update({f"{name}.bias": bias for name, bias in biases.items()})
        super().__init__(graph, replace(parameters, matrices=matrices, vectors=vectors), dimensions)

    def cross_attention(
        self, q: Value, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> Value:
        """See Ops; hypotheses stay apart: WhisperPipeline may repeat the window for each."""
        graph = self.graph
        keys, values = (self._kept(t, n_heads, layer) for t in "kv")
        rows = op.reshape(q, graph.ints(0, 0, n_heads, -1), True)
        # Adding zero costs nothing, the plugin drops it; the name has to be on a sum.
        scores = op.add(self._cross_scores(rows, keys), graph.scalar(0.0))
        scores.output(0).get_tensor().add_names({f"{SCORES}.{layer}"})
        weights = op.softmax(scores, -1)
        self._align(weights, aligned)
        return self._merged(op.matmul(weights, values, False, False), n_heads)

    def _kept(self, t: str, n_heads: int, layer: int) -> Value:
        """Keys or values of a layer: a state that starts as a product with the hidden states."""
        d = self.dimensions.n_text_state
        hidden = self.graph.input("encoder_hidden_states", ("windows", "positions", d))
        start = self.linear(hidden, part_name(CROSS_KV, 2 * layer + "kv".index(t)))
        shape = ("windows", n_heads, "positions", d // n_heads)
        value, keep = self.graph.state(f"cross_{t}_{layer}", shape, self._heads(start, n_heads))
        keep(value)
        return value
