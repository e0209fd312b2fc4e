"""The operations that the definition of Whisper is written in.

``models/whisper.py`` describes the network once against this protocol; each implementation
interprets it: NumPy computes numbers, an exporter adds nodes to a graph. ``T`` is an array in the
one and a name in the other.

Activations are batch-first, ``(n_batch, n_time, n_state)``. Parameters are named, not passed: an
implementation looks them up in the ``Parameters`` it was made with and chooses its native form.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

T = TypeVar("T")


class Ops(Protocol[T]):
    """What a target must be able to say."""

    def conv1d(self, x: T, name: str, *, stride: int) -> T:
        """Convolve over time, kernel 3, one step of padding; (b, t, in) to (b, t/stride, out)."""

    def linear(self, x: T, name: str) -> T:
        """Product with the matrix ``name`` plus its bias; (b, t, in) to (b, t, out)."""

    def layer_norm(self, x: T, name: str) -> T:
        """Normalization over the last axis with gain and shift, epsilon 1e-5."""

    def gelu(self, x: T) -> T:
        """The exact (erf) Gaussian error linear unit."""

    def add(self, a: T, b: T) -> T:
        """Elementwise sum of equal shapes."""

    def add_positions(self, x: T, name: str) -> T:
        """Add rows of the table ``name``, from 0 in the encoder, from ``n_past`` in the decoder."""

    def attention(self, qkv: T, n_heads: int) -> T:
        """Self-attention of every position to every other; (b, t, 3d) packed q|k|v to (b, t, d).

        Queries are already scaled by 1/sqrt(d/n_heads), here and below.
        """

    def cached_attention(self, qkv: T, n_heads: int, layer: int) -> T:
        """Append the new keys and values to the cache of ``layer``, then causal self-attention."""

    def cross_cache(self, kv: T, n_heads: int, n_layers: int) -> None:
        """Keep the cross-attention's keys and values of one window.

        Args:
            kv: For each decoder layer its keys, then its values: (1, n_positions, 2*n_layers*d).
            n_heads: Attention heads of the decoder.
            n_layers: Layers of the decoder.
        """

    def cross_attention(self, q: T, n_heads: int, layer: int, aligned: tuple[int, ...]) -> T:
        """Attention to the encoded window; the weights of the ``aligned`` heads are an output."""

    def embedding(self, name: str) -> T:
        """Rows of the table ``name`` for the tokens of this step; (b, t, d)."""

    def head(self, x: T, name: str) -> T:
        """Logits of the last position against the same table as ``embedding``; (b, n_vocab)."""
