"""The Whisper encoder and decoder, described once; see ``ops`` for how it is interpreted.

Source: Radford et al. 2022 (arXiv 2212.04356), figure 1, and openai/whisper ``whisper/model.py``.

The form is the one that every target runs fastest: queries, keys and values are one product, and
the cross-attention's keys and values of all decoder layers are one product at the end of the
encoder, computed once per window. ``parameters.py`` lays a checkpoint's weights out to match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..edge.types import ModelDimensions
from .ops import Ops, T


def encode(ops: Ops[T], mel: T, dimensions: ModelDimensions) -> T:
    """Build the encoder and the decoder's cross-attention cache.

    Args:
        ops: The interpreter.
        mel: Log-mel frames, time first: (1, n_frames, n_mels). ``n_frames`` is even; any length
            up to twice ``n_audio_ctx``.
        dimensions: The model's shape.

    Returns:
        The normalized encoder output, (1, n_frames / 2, n_audio_state).
    """
    x = encode_audio(ops, mel, dimensions)
    fill_cross_cache(ops, x, dimensions)
    return x


def encode_audio(ops: Ops[T], mel: T, dimensions: ModelDimensions) -> T:
    """The encoder alone, for formats that leave the cross-attention's cache to the decoder.

    Args and result are those of ``encode``.
    """
    x = ops.gelu(ops.conv1d(mel, "encoder.conv1", stride=1))
    x = ops.gelu(ops.conv1d(x, "encoder.conv2", stride=2))
    x = ops.add_positions(x, "encoder.positions")
    for layer in range(dimensions.n_audio_layer):
        block = f"encoder.{layer}"
        qkv = ops.linear(ops.layer_norm(x, f"{block}.attn_norm"), f"{block}.qkv")
        x = ops.add(x, ops.linear(ops.attention(qkv, dimensions.n_audio_head), f"{block}.out"))
        x = _mlp(ops, x, block)
    return ops.layer_norm(x, "encoder.norm")


def fill_cross_cache(ops: Ops[T], x: T, dimensions: ModelDimensions) -> None:
    """The cross-attention's keys and values of all decoder layers, from ``encode_audio``."""
    kv = ops.linear(x, "decoder.cross_kv")
    ops.cross_cache(kv, dimensions.n_text_head, dimensions.n_text_layer)


def decode(
    ops: Ops[T], dimensions: ModelDimensions, alignment_heads: Iterable[tuple[int, int]]
) -> T:
    """Build one decoder step over the cache: any number of tokens, any number of hypotheses.

    Args:
        ops: The interpreter; it knows the step's tokens and the length of the cache.
        dimensions: The model's shape.
        alignment_heads: ``(layer, head)`` pairs whose cross-attention is an output.

    Returns:
        Logits of the last position, (n_hypotheses, n_vocab).
    """
    aligned = heads_by_layer(alignment_heads)
    x = ops.add_positions(ops.embedding("decoder.embedding"), "decoder.positions")
    for layer in range(dimensions.n_text_layer):
        block = f"decoder.{layer}"
        qkv = ops.linear(ops.layer_norm(x, f"{block}.attn_norm"), f"{block}.qkv")
        y = ops.cached_attention(qkv, dimensions.n_text_head, layer)
        x = ops.add(x, ops.linear(y, f"{block}.out"))
        q = ops.linear(ops.layer_norm(x, f"{block}.cross_norm"), f"{block}.cross_q")
        y = ops.cross_attention(q, dimensions.n_text_head, layer, aligned.get(layer, ()))
        x = ops.add(x, ops.linear(y, f"{block}.cross_out"))
        x = _mlp(ops, x, block)
    return ops.head(ops.layer_norm(x, "decoder.norm"), "decoder.embedding")


def _mlp(ops: Ops[T], x: T, block: str) -> T:
    y = ops.gelu(ops.linear(ops.layer_norm(x, f"{block}.mlp_norm"), f"{block}.fc1"))
    return ops.add(x, ops.linear(y, f"{block}.fc2"))


def heads_by_layer(alignment_heads: Iterable[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """The alignment heads of each decoder layer, ascending.

    This is the order in which every session gives them: by layer, then by head.
    """
    heads: defaultdict[int, list[int]] = defaultdict(list)
    for layer, head in sorted(alignment_heads):
        heads[layer].append(head)
    return {layer: tuple(heads[layer]) for layer in sorted(heads)}
