"""The definition of Whisper in the form that Qualcomm's HTP takes whole.

Every shape is fixed, and every value between two operators is rounded to a grid: a
QuantizeLinear and a DequantizeLinear stand between them, from which the compiler reads that the
operator runs in integers. Values are rows, (t, d), without a batch axis: one token at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.types import FRAMES_PER_POSITION, ModelDimensions
from ..models.grid import Grid
from ..models.parameters import Parameters
from ..models.quantize import part_of
from .onnx_graph import OnnxGraph
from .onnx_grids import grid_constants
from .onnx_ops import KERNEL, OnnxOps
from .qualcomm_grids import MASK, widened

WIDE = ".wide"  # after the name of a place: its values in steps of 16 bits


class QualcommOps(OnnxOps):
    """Adds nodes to a graph of one window; values are names of dequantized values.

    The names of places are those of ``models/reference.py``, which rounds there too.

    Args:
        graph: The graph to build.
        parameters: The weights and the grids.
        arrays: The weights as the file holds them.
        dimensions: The model's shape.
        n_positions: The window's length.
    """

    def __init__(
        self,
        graph: OnnxGraph,
        parameters: Parameters,
        arrays: Mapping[str, NDArray[Any]],
        dimensions: ModelDimensions,
        n_positions: int,
    ) -> None:
        super().__init__(graph, parameters, arrays, dimensions)
        self.n_positions = n_positions
        self._place = ""  # after the last named operation
        self._places: dict[str, str] = {}  # where each value was rounded

    # Rounding

    def _here(self, value: str, what: str) -> str:
        return self._rounded(value, f"{self._place}.{what}")

    def _rounded(self, value: str, place: str, name: str | None = None) -> str:
        """``value`` on the grid of a place; as the graph's output ``name`` if there is one."""
        return self._read(self._quantize(value, place), place, name)

    def _wide(self, value: str) -> str:
        """The same values in steps of 16 bits."""
        return self._on(value, f"{self._places[value]}{WIDE}")

    def _on(self, value: str, place: str) -> str:
        """``value`` on another grid, if it is another."""
        if self._grid(place) == self._grid(self._places[value]):
            return value
        return self._rounded(value, place)

    def _grid(self, place: str) -> Grid:
        if place.endswith(WIDE):
            return widened(self.parameters.grids[place.removesuffix(WIDE)])
        return self.parameters.grids[place]

    def _quantize(self, value: str, place: str, name: str | None = None) -> str:
        grid = grid_constants(self.graph, place, self._grid(place))
        outputs = [name] if name else 1
        return str(self.graph.op("QuantizeLinear", [value, *grid], outputs=outputs))

    def _read(self, steps: str, place: str, name: str | None = None) -> str:
        """The values of integer steps."""
        grid = self._grid(place)
        value: str = self.graph.op(
            "DequantizeLinear",
            [steps, *grid_constants(self.graph, place, grid)],
            outputs=[name] if name else 1,
            axis=0,  # of a bias, which has a scale for each channel
        )
        self._places[value] = place
        return value

    def _moved(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """An operator that moves values about; they stay on the grid of the first input."""
        return self._rounded(self._op(kind, *inputs, **attributes), self._places[inputs[0]])

    def _constant(self, name: str, n_rows: int | None = None) -> str:
        """A vector or table of the parameters, on its grid."""
        vector = self.parameters.vectors[name].astype(np.float32)[:n_rows]
        steps = self.parameters.grids[name].steps(vector)
        return self._read(self.graph.constant(steps, f"{name}.steps"), name)

    def _input(self, name: str, shape: tuple[int, ...], place: str) -> str:
        dtype = self.parameters.grids[place].zero.dtype.name
        return self._read(self.graph.input(name, shape, dtype), place)

    # Encoder and decoder

    def linear(self, x: str, name: str) -> str:
        """See Ops."""
        return self._gemm(x, name)

    def _gemm(self, x: str, name: str, output: str | None = None) -> str:
        self._place = name
        self.activations[part_of(name)] = "static"
        x = self._on(x, f"{name}.input")
        n_out = self._quantized(name).values.shape[0]
        zeros = self.graph.constant(np.zeros(n_out, np.int8), f"int8_zeros_{n_out}")
        columns = [self._array(f"{name}.values"), self._channel_scales(name), zeros]
        inputs = [x, self._op("DequantizeLinear", *columns, axis=1)]
        if f"{name}.bias" in self.parameters.grids:
            inputs.append(self._constant(f"{name}.bias"))
        return self._rounded(self._op("Gemm", *inputs), f"{name}.output", output)

    def layer_norm(self, x: str, name: str) -> str:
        """See Ops."""
        self._place = name
        inputs = [x, self._constant(f"{name}.gain"), self._constant(f"{name}.shift")]
        y = self._op("LayerNormalization", *inputs, axis=-1, epsilon=1e-5)
        return self._here(y, "output")

    def gelu(self, x: str) -> str:
        """See Ops."""
        return self._here(self._op("Gelu", x), "gelu")

    def add(self, a: str, b: str) -> str:
        """See Ops."""
        return self._here(self._op("Add", a, b), "sum")

    def add_positions(self, x: str, name: str) -> str:
        """See Ops; the decoder's were added with the embedding, outside of this graph."""
        if name.startswith("decoder."):
            return x
        self._place = name
        return self._here(self._op("Add", x, self._constant(name, self.n_positions)), "sum")

    # Encoder

    def mel(self) -> str:
        """The input: log-mel features, turned time first."""
        n_frames, n_mels = FRAMES_PER_POSITION * self.n_positions, self.dimensions.n_mels
        mel = self.graph.input("mel", (1, n_mels, n_frames))
        x = self._rounded(mel, "encoder.conv1.input")
        x = self._moved("Transpose", x, perm=[0, 2, 1])
        return self._moved("Reshape", x, self.graph.ints(n_frames, n_mels))

    def conv1d(self, x: str, name: str, *, stride: int) -> str:
        """See Ops: a product of three shifted copies."""
        ints = self.graph.ints
        n_time = FRAMES_PER_POSITION * self.n_positions
        padded = self._moved("Pad", x, ints(1, 0, 1, 0))
        shifted = [
            self._moved("Slice", padded, ints(tap), ints(tap + n_time), ints(0), ints(stride))
            for tap in range(KERNEL)
        ]
        return self.linear(self._moved("Concat", *shifted, axis=1), name)

    def attention(self, qkv: str, n_heads: int) -> str:
        """See Ops."""
        q, k, v = (self._heads(part, n_heads) for part in self._parts(qkv, 3))
        return self._attended(self._scores(q, k), v)[0]

    def cross_cache(self, kv: str, n_heads: int, n_layers: int) -> None:
        """See Ops; the steps of the grid are the outputs."""
        place = self._places[kv]
        dtype = self.parameters.grids[place].zero.dtype.name
        head = self.dimensions.n_text_state // n_heads
        for i, part in enumerate(self._parts(kv, 2 * n_layers)):
            layer, is_value = divmod(i, 2)
            name = f"cross_{'kv'[is_value]}_{layer}"
            split = self._moved("Reshape", part, self.graph.ints(-1, n_heads, head))
            self._quantize(self._op("Transpose", split, perm=[1, 0, 2]), place, name)
            self.graph.declare_output(name, (n_heads, self.n_positions, head), dtype)

    # Decoder

    def embedding(self, name: str) -> str:
        """See Ops: an input, because a table is looked up on the CPU."""
        x = self.graph.input("x", (1, self.dimensions.n_text_state))
        return self._rounded(x, "decoder.positions.sum")

    def cached_attention(self, qkv: str, n_heads: int, layer: int) -> str:
        """See Ops; the new keys and values are outputs, for the session to keep."""
        n_past = self.dimensions.n_text_ctx - 1
        head = self.dimensions.n_text_state // n_heads
        place = self._places[qkv]
        dtype = self.parameters.grids[place].zero.dtype.name
        q, *new = self._parts(qkv, 3)
        row = self.graph.ints(n_heads, 1, head)
        both = []
        for t, part in zip("kv", new, strict=True):
            name = f"present_{t}_{layer}"
            steps = self._quantize(self._op("Reshape", part, row), place, name)
            self.graph.declare_output(name, (n_heads, 1, head), dtype)
            past = self._input(f"self_{t}_{layer}", (n_heads, n_past, head), place)
            both.append(self._moved("Concat", past, self._read(steps, place), axis=1))
        scores = self._scores(self._moved("Reshape", q, row), both[0])
        mask = self._once("mask", self._make_mask)
        masked = self._here(self._op("Add", self._wide(scores), mask), "masked")
        return self._attended(masked, both[1])[0]

    def _make_mask(self) -> str:
        return self._input("mask", (1, 1, self.dimensions.n_text_ctx), MASK)

    def cross_attention(self, q: str, n_heads: int, layer: int, aligned: tuple[int, ...]) -> str:
        """See Ops; the weights of all heads are an output, where any is wanted."""
        head = self.dimensions.n_text_state // n_heads
        shape = (n_heads, self.n_positions, head)
        keys, values = (
            self._input(f"cross_{t}_{layer}", shape, "decoder.cross_kv.output") for t in "kv"
        )
        row = self._moved("Reshape", q, self.graph.ints(n_heads, 1, head))
        y, weights = self._attended(self._scores(row, keys), values)
        if aligned:
            name = f"weights_{layer}"
            self._read(weights, f"{self._place}.softmax", name)
            self.graph.declare_output(name, (n_heads, 1, self.n_positions))
        return y

    def head(self, x: str, name: str) -> str:
        """See Ops."""
        logits = self._gemm(x, name, "logits")
        self.graph.declare_output("logits", (1, self.dimensions.n_vocab))
        return logits

    # Attention

    def _scores(self, q: str, k: str) -> str:
        """Products of every query and key: (n_heads, n_queries, n_keys)."""
        columns = self._moved("Transpose", k, perm=[0, 2, 1])
        return self._here(self._op("MatMul", q, columns), "scores")

    def _attended(self, scores: str, v: str) -> tuple[str, str]:
        """What attention gives, (t, d), and the steps of its weights."""
        place = f"{self._place}.softmax"
        steps = self._quantize(self._op("Softmax", self._wide(scores), axis=-1), place)
        weights = self._on(self._read(steps, place), f"{self._place}.weights")
        y = self._here(self._op("MatMul", weights, v), "context")
        y = self._moved("Transpose", y, perm=[1, 0, 2])
        return self._moved("Reshape", y, self.graph.ints(-1, self.dimensions.n_audio_state)), steps

    def _parts(self, x: str, n: int) -> list[str]:
        """``n`` equal parts of each row."""
        place = self._places[x]
        return [self._rounded(part, place) for part in self._split(x, n)]

    def _heads(self, x: str, n_heads: int) -> str:
        """(t, d) to (n_heads, t, head)."""
        head = self.dimensions.n_audio_state // n_heads
        split = self._moved("Reshape", x, self.graph.ints(-1, n_heads, head))
        return self._moved("Transpose", split, perm=[1, 0, 2])
