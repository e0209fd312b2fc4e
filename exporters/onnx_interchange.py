"""What the layouts for other programs have in common: their operations, and reading them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from ..edge.artifact import Manifest
from ..models.parameters import Parameters
from . import onnx_weights
from .onnx_graph import FLOAT
from .onnx_ops import PortableOnnxOps
from .onnx_own_weights import read_arrays

ROW_STEPS = 127  # either side of zero
ROW_ZERO = 128


class InterchangeOps(PortableOnnxOps):
    """Standard operators, batch first throughout, and logits of every position.

    Other programs step through several sounds at once, and read the logits of a prompt's first
    tokens. The step's tokens are the value ``tokens``.
    """

    def head(self, x: str, name: str) -> str:
        """See Ops; of every position, (b, t, n_vocab).

        Each row is rounded by itself: what a prompt's last token gives must not depend on the
        range of the tokens before it.
        """
        if f"{name}.values" not in self.arrays:
            return self._product(x, name)
        self.activations["head"] = "int8-row"
        steps, tiny = (
            self.graph.constant(np.array(value, np.float32), label)
            for value, label in ((ROW_STEPS, "row_steps"), (1e-30, "tiny"))
        )
        zero = self.graph.constant(np.array(ROW_ZERO, np.float32), "row_zero")
        largest = self._op("ReduceMax", self._op("Abs", x), self.graph.ints(-1), keepdims=1)
        scale = self._op("Max", self._op("Div", largest, steps), tiny)
        rounded = self._op("Add", self._op("Round", self._op("Div", x, scale)), zero)
        y = self._op(
            "MatMulInteger",
            self._op("Cast", rounded, to=TensorProto.UINT8),
            self._array(f"{name}.values"),
            self.graph.constant(np.array(ROW_ZERO, np.uint8), "row_zero_byte"),
        )
        scaled = self._op("Mul", self._op("Cast", y, to=FLOAT), scale)
        return self._op("Mul", scaled, self._channel_scales(name))

    def _attend(self, q: str, keys: str, values: str) -> tuple[str, str]:
        """Cross-attention of (b, t, d) to keys and values with heads, and its weights."""
        n_heads = self.dimensions.n_text_head
        weights = self._op("Softmax", self._scores(self._batch_heads(q, n_heads), keys), axis=-1)
        y = self._op("Transpose", self._op("MatMul", weights, values), perm=[0, 2, 1, 3])
        return self._op("Reshape", y, self.graph.ints(0, 0, -1)), weights


def read_parameters(folder: Path, manifest: Manifest) -> Parameters:
    """The weights that the graphs of an artifact hold, all of them together.

    Raises:
        ArtifactError: A file is missing or damaged, or not in the precision of the manifest.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for graph in manifest.graphs.values():
        arrays |= read_arrays(folder / graph.file, _is_weight)
    return onnx_weights.restored(arrays, {}, manifest, folder)


def _is_weight(name: str) -> bool:
    return name.startswith(("encoder.", "decoder."))
