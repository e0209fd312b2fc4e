"""The decoder step in TFLite's memory: its inputs, its cache and its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edge.artifact import GraphSpec
from ..edge.types import FloatArray, IntArray, ModelDimensions

HIDDEN = np.float32(-1e9)  # what the mask adds to the score of a row that is not filled


class TfliteDecoder:
    """One token of each hypothesis at a time.

    The caches are inputs of the graph, written through views of the interpreter's memory: only the
    new row is ever copied. A view must not outlive the statement that asks for it: the interpreter
    refuses to run while there is one.

    Args:
        interpreter: The decoder is its primary graph.
        spec: Of the decoder.
        dimensions: The model's shape.
    """

    def __init__(self, interpreter: Any, spec: GraphSpec, dimensions: ModelDimensions) -> None:  # noqa: ANN401
        self._interpreter = interpreter
        self._dimensions = d = dimensions
        self._head = d.n_text_state // d.n_text_head
        inputs = interpreter.get_input_details()
        outputs = zip(spec.outputs, interpreter.get_output_details(), strict=True)
        self._index = {detail["name"]: detail["index"] for detail in inputs}
        self._index |= {output.name: detail["index"] for output, detail in outputs}
        self._view = {name: interpreter.tensor(index) for name, index in self._index.items()}
        names = [f"{t}_{layer}" for layer in range(d.n_text_layer) for t in "kv"]
        self._rows = {f"self_{name}": f"new_{name}" for name in names}
        self._cross = [f"cross_{name}" for name in names]
        self._shape = (0, 0)  # hypotheses and positions
        self._logits: FloatArray = np.empty((0, d.n_vocab), np.float32)
        # At once, for XNNPACK in tflite-runtime spoils an encoder that ran before; and not with a
        # window of 1, after which ai-edge-litert 2.1 sums along the wrong axes.
        self._resize(1, 2)

    def begin(self, window: FloatArray) -> None:
        """One hypothesis without tokens.

        Args:
            window: Keys and values of the cross-attention, by layer in turn:
                (2 * n_text_layer, n_text_head, n_positions, head).
        """
        self._resize(1, window.shape[2])
        self._set_window(window)
        self.show(0)

    def run(self, tokens: IntArray, n_past: int) -> None:
        """One step.

        Args:
            tokens: One for each hypothesis.
            n_past: Tokens before.
        """
        self._view["tokens"]()[:] = tokens
        self._view["position"]()[:] = n_past
        self._interpreter.invoke()
        for cache, row in self._rows.items():
            self._view[cache]()[:, :, n_past] = self._view[row]()[:, :, 0]
        self._view["mask"]()[:, :, n_past] = 0

    def show(self, n_past: int) -> None:
        """Let the next step see so many rows of the cache, and no others."""
        self._view["mask"]()[:, :, :n_past] = 0
        self._view["mask"]()[:, :, n_past:] = HIDDEN

    def reorder(self, sources: IntArray, n_past: int) -> None:
        """Hypothesis ``i`` becomes a copy of the old ``sources[i]``."""
        rows = {name: self._view[name]()[sources, :, :n_past] for name in self._rows}
        if len(sources) != self._shape[0]:
            window = self.window()
            self._resize(len(sources), self._shape[1])
            self._set_window(window)
            self.show(n_past)
        for name, array in rows.items():
            self._view[name]()[:, :, :n_past] = array

    def logits(self) -> FloatArray:
        """Of the last step, (n_hypotheses, n_vocab); the next step changes them."""
        if len(self._logits) != self._shape[0]:
            self._logits = np.empty((self._shape[0], self._dimensions.n_vocab), np.float32)
        self._logits[:] = self._view["logits"]()
        return self._logits

    def alignment(self) -> FloatArray:
        """Of the last step, (n_hypotheses, n_alignment_heads, 1, n_positions)."""
        copy: FloatArray = self._view["alignment"]().swapaxes(2, 3).copy()
        return copy

    def window(self) -> FloatArray:
        """A copy of what ``begin`` was given."""
        return np.concatenate([self._view[name]() for name in self._cross])

    def _set_window(self, window: FloatArray) -> None:
        for name, array in zip(self._cross, window, strict=True):
            self._view[name]()[:] = array

    def _resize(self, n_hypotheses: int, n_positions: int) -> None:
        """Make room; what the inputs held is lost where that changes anything."""
        if (n_hypotheses, n_positions) == self._shape:
            return
        d, resize = self._dimensions, self._interpreter.resize_tensor_input
        resize(self._index["tokens"], (n_hypotheses,))
        for name in self._rows:
            resize(self._index[name], (n_hypotheses, d.n_text_head, d.n_text_ctx, self._head))
        for name in self._cross:
            resize(self._index[name], (1, d.n_text_head, n_positions, self._head))
        self._interpreter.allocate_tensors()
        self._shape = (n_hypotheses, n_positions)
        for name in self._rows:
            # Rows that are hidden are multiplied by zero, and must be numbers for that.
            self._view[name]()[:] = 0
