"""A checkpoint's weights, laid out for ``whisper.py`` and quantized by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..edge.types import (
    FloatArray,
    ModelDimensions,
    Precision,
    Progress,
    no_progress,
)
from .checkpoint import Checkpoint
from .grid import Grid
from .quantize import PER_CHANNEL, Matrix, Recipe, quantize

SMOOTHING = 0.6  # share of the range that moves from activations to weights


@dataclass(frozen=True)
class Parameters:
    """Everything that ``whisper.py`` names.

    Attributes:
        matrices: Weights of products and the token embedding, (n_out, n_in), by the name of the
            operation: "encoder.0.qkv".
        vectors: Biases ("encoder.0.qkv.bias"), norms ("encoder.norm.gain", ".shift") and position
            tables ("encoder.positions"); fp32, or fp16 for the tables of a quantized model.
        grids: What activations are rounded to where that is fixed at export, by place
            ("encoder.0.qkv.input"; ``reference.py`` names them).
        scaled_queries: Whether queries come out of their products scaled for attention.
    """

    matrices: dict[str, Matrix]
    vectors: dict[str, NDArray[np.float32] | NDArray[np.float16]]
    grids: Mapping[str, Grid] = field(default_factory=dict)
    scaled_queries: bool = True

    @property
    def size(self) -> int:
        """Elements of all matrices."""
        return sum(matrix.size for matrix in self.matrices.values())

    def bias(self, name: str) -> FloatArray | None:
        """The bias of the product ``name``, where it has one."""
        bias = self.vectors.get(f"{name}.bias")
        return None if bias is None else bias.astype(np.float32, copy=False)


Observer = Callable[[str, FloatArray, Matrix], None]
"""Shown every matrix: its name, its floats (n_out, n_in), and what they were stored as."""


Rounder = Callable[[str, FloatArray, Precision], Matrix]
"""Stores a matrix in a precision, given its name and its floats (n_out, n_in)."""


def to_nearest(_name: str, weight: FloatArray, precision: Precision) -> Matrix:
    """The Rounder that asks for nothing but the weights."""
    return quantize(weight, precision)


def prepare(
    checkpoint: Checkpoint,
    recipe: Recipe,
    progress: Progress = no_progress,
    observe: Observer | None = None,
    *,
    rounder: Rounder = to_nearest,
    encoder_only: bool = False,
    as_published: bool = False,
) -> Parameters:
    """Fuse, smooth and quantize a checkpoint.

    Args:
        checkpoint: Its tensors are read one at a time.
        recipe: The precision of each part.
        progress: Told the share of matrices done.
        observe: Shown every matrix before its floats are dropped.
        rounder: Chooses the integers; it has to be what the recipe's ``rounding`` asks for.
        encoder_only: Leave out what another program has of its own: the decoder, and the products
            that make its cross-attention's keys and values.
        as_published: Leave queries unscaled and position tables as they are, for a program that
            reads a checkpoint's own tensors.
    """
    builder = _Builder(checkpoint, recipe, observe, rounder, as_published)
    steps = list(_steps(builder, checkpoint.dimensions, encoder_only))
    for done, step in enumerate(steps):
        progress("quantize", done / len(steps))
        step()
    progress("quantize", 1.0)
    return Parameters(builder.matrices, builder.vectors, scaled_queries=not as_published)


def _steps(
    builder: _Builder, dimensions: ModelDimensions, encoder_only: bool
) -> Iterator[Callable[[], None]]:
    yield lambda: builder.convolution("encoder.conv1")
    yield lambda: builder.convolution("encoder.conv2")
    sides = {"encoder": dimensions.n_audio_layer}
    if not encoder_only:
        sides["decoder"] = dimensions.n_text_layer
    for side, n_layers in sides.items():
        yield lambda side=side: builder.positions(side)  # type: ignore[misc]
        for layer in range(n_layers):
            yield lambda side=side, layer=layer: builder.block(side, layer)  # type: ignore[misc]
    if encoder_only:
        # Not smoothed: a decoder that is not ours would not undo it.
        yield lambda: builder.last_norm("encoder")
        return
    yield lambda: builder.cross_kv(dimensions.n_text_layer)
    yield builder.head


class _Builder:
    """Collects matrices and vectors under our names from a checkpoint's under Hugging Face's."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        recipe: Recipe,
        observe: Observer | None,
        rounder: Rounder,
        as_published: bool,
    ) -> None:
        self.tensor = checkpoint.tensor
        self.rounder = rounder
        self.as_published = as_published
        self.observe = observe
        dimensions = checkpoint.dimensions
        self.n_heads = {"encoder": dimensions.n_audio_head, "decoder": dimensions.n_text_head}
        self.recipe = recipe
        self.matrices: dict[str, Matrix] = {}
        self.vectors: dict[str, NDArray[np.float32] | NDArray[np.float16]] = {}

    def precision(self, name: str) -> Precision:
        return self.recipe.precision(name)

    def add(self, name: str, weight: FloatArray, bias: FloatArray | None) -> None:
        matrix = self.matrices[name] = self.rounder(name, weight, self.precision(name))
        if self.observe:
            self.observe(name, weight, matrix)
        if bias is not None:
            self.vectors[f"{name}.bias"] = bias

    def norm(self, name: str, gain: FloatArray, shift: FloatArray) -> None:
        self.vectors[f"{name}.gain"], self.vectors[f"{name}.shift"] = gain, shift

    def linear(self, name: str, source: str) -> None:
        self.add(name, self.tensor(f"{source}.weight"), self.tensor(f"{source}.bias"))

    def convolution(self, name: str) -> None:
        """(out, in, 3) as a product with three shifted copies side by side: (out, 3 * in)."""
        kernel = self.tensor(f"{name}.weight")
        self.add(
            name,
            kernel.transpose(0, 2, 1).reshape(kernel.shape[0], -1),
            self.tensor(f"{name}.bias"),
        )

    def positions(self, side: str) -> None:
        table = self.tensor(f"{side}.embed_positions.weight")
        # Halves are exact to 5e-4 of the largest entry, below what int8 rounds away, and save
        # 1.5 MB of tiny's artifact.
        exact = self.as_published or self.precision(f"{side}.positions").name == "fp32"
        self.vectors[f"{side}.positions"] = table if exact else table.astype(np.float16)

    def block(self, side: str, layer: int) -> None:
        source, block = f"{side}.layers.{layer}", f"{side}.{layer}"
        attention = f"{source}.self_attn"
        weights, biases = self.projections(attention, self.n_heads[side])
        self.normed(
            f"{block}.attn_norm", f"{attention}_layer_norm", f"{block}.qkv", weights, biases
        )
        self.linear(f"{block}.out", f"{attention}.out_proj")
        if side == "decoder":
            cross = f"{source}.encoder_attn"
            weights, biases = self.projections(cross, self.n_heads[side], "q")
            self.normed(
                f"{block}.cross_norm", f"{cross}_layer_norm", f"{block}.cross_q", weights, biases
            )
            self.linear(f"{block}.cross_out", f"{cross}.out_proj")
        weight, bias = self.tensor(f"{source}.fc1.weight"), self.tensor(f"{source}.fc1.bias")
        self.normed(
            f"{block}.mlp_norm", f"{source}.final_layer_norm", f"{block}.fc1", [weight], [bias]
        )
        self.linear(f"{block}.fc2", f"{source}.fc2")

    def cross_kv(self, n_layers: int) -> None:
        weights: list[FloatArray] = []
        biases: list[FloatArray] = []
        for layer in range(n_layers):
            attention = f"decoder.layers.{layer}.encoder_attn"
            w, b = self.projections(attention, self.n_heads["decoder"], "kv")
            weights += w
            biases += b
        self.normed("encoder.norm", "encoder.layer_norm", "decoder.cross_kv", weights, biases)

    def head(self) -> None:
        # The norm before the head cannot be smoothed: the same table is the embedding.
        self.last_norm("decoder")
        self.add("decoder.embedding", self.tensor("decoder.embed_tokens.weight"), None)

    def last_norm(self, side: str) -> None:
        source = f"{side}.layer_norm"
        self.norm(f"{side}.norm", self.tensor(f"{source}.weight"), self.tensor(f"{source}.bias"))

    def projections(
        self, source: str, n_heads: int, kinds: str = "qkv"
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """The projections of one attention; the missing key bias as zeros."""
        weights, biases = [], []
        for kind in kinds:
            weight = self.tensor(f"{source}.{kind}_proj.weight")
            if kind == "k":
                bias = np.zeros(weight.shape[0], np.float32)
            else:
                bias = self.tensor(f"{source}.{kind}_proj.bias")
            if kind == "q" and not self.as_published:
                scale = np.float32((weight.shape[0] // n_heads) ** -0.5)
                weight, bias = weight * scale, bias * scale
            weights.append(weight)
            biases.append(bias)
        return weights, biases

    def normed(
        self,
        norm: str,
        source: str,
        name: str,
        weights: Sequence[FloatArray],
        biases: Sequence[FloatArray],
    ) -> None:
        """A layer norm and the product that it feeds.

        Smoothed where kernels round the activations of all channels alike.
        """
        gain, shift = self.tensor(f"{source}.weight"), self.tensor(f"{source}.bias")
        weight = np.concatenate(weights) if len(weights) > 1 else weights[0]
        if self.precision(name) == PER_CHANNEL:
            factor = smoothing_factor(gain, shift, weight)
            gain, shift, weight = gain / factor, shift / factor, weight * factor
        self.norm(norm, gain, shift)
        self.add(name, weight, np.concatenate(biases))


def smoothing_factor(gain: FloatArray, shift: FloatArray, weight: FloatArray) -> FloatArray:
    """What to divide each channel of a layer norm by, and multiply the weights that it feeds with.

    The product does not change, but a channel that dwarfs the others no longer spends the range
    of the byte that all channels share. No data is needed: a normalized channel is expected
    within ``4 * |gain| + |shift|``.

    Args:
        gain: Of the norm, shape (n_in,).
        shift: Of the norm, shape (n_in,).
        weight: Shape (n_out, n_in).

    Returns:
        Shape (n_in,), geometric mean 1.

    Source:
        Xiao et al. 2022, SmoothQuant (arXiv 2211.10438), equation 4, with the calibrated maximum
        replaced by the bound above.
    """
    activation = np.maximum(4 * np.abs(gain) + np.abs(shift), 1e-5)
    weight_range = np.maximum(np.abs(weight).max(0), 1e-5)
    logarithm = SMOOTHING * np.log(activation) - (1 - SMOOTHING) * np.log(weight_range)
    return np.asarray(np.exp(logarithm - logarithm.mean()), np.float32)
