"""The decoder's self-attention cache in ONNX Runtime's memory, one class per layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from ..edge.types import FloatArray, IntArray


class KeyValueCache(ABC):
    """Keys and values of every layer, as a decoder graph takes and gives them.

    Args:
        layers: Number of decoder layers.
        shape: Of one layer's keys: (n_heads, n_text_ctx, head).
    """

    def __init__(self, layers: int, shape: tuple[int, int, int]) -> None:
        self.names = [f"{t}_{layer}" for layer in range(layers) for t in "kv"]
        self.shape = shape

    @abstractmethod
    def clear(self) -> None:
        """One hypothesis without tokens."""

    @abstractmethod
    def bind(self, binding: Any) -> None:  # noqa: ANN401 - onnxruntime is untyped
        """Say where a step finds the past and leaves the present."""

    @abstractmethod
    def collect(self, present: Sequence[Any]) -> None:
        """Take over what a step left, in the order that it was bound."""

    @abstractmethod
    def reorder(self, sources: IntArray, n_past: int) -> None:
        """Hypothesis ``i`` becomes a copy of the old ``sources[i]``."""

    @abstractmethod
    def rewind(self, n_tokens: int) -> None:
        """Forget all but the first tokens."""


class InPlaceCache(KeyValueCache):
    """Past and present are one buffer with room for the whole context: a step copies nothing.

    The graph is told how many tokens are valid, so clearing and rewinding cost nothing either.
    Buffers are kept by number of hypotheses, because a search returns to the same numbers.
    """

    def __init__(self, layers: int, shape: tuple[int, int, int]) -> None:
        super().__init__(layers, shape)
        self._buffers: dict[int, list[FloatArray]] = {}
        self._values: dict[int, list[Any]] = {}
        self._n = 1
        self._allocate(1)

    def _allocate(self, n_hypotheses: int) -> None:
        if n_hypotheses not in self._buffers:
            arrays = [np.zeros((n_hypotheses, *self.shape), np.float32) for _ in self.names]
            self._buffers[n_hypotheses] = arrays
            # On the CPU an OrtValue refers to the array's memory: what one writes the other sees.
            self._values[n_hypotheses] = [ort.OrtValue.ortvalue_from_numpy(a) for a in arrays]

    def clear(self) -> None:
        """See KeyValueCache."""
        self._n = 1

    def bind(self, binding: Any) -> None:  # noqa: ANN401
        """See KeyValueCache."""
        for name, value in zip(self.names, self._values[self._n], strict=True):
            binding.bind_ortvalue_input(f"self_{name}", value)
            binding.bind_ortvalue_output(f"present_{name}", value)

    def collect(self, present: Sequence[Any]) -> None:
        """See KeyValueCache; it is there already."""

    def reorder(self, sources: IntArray, n_past: int) -> None:
        """See KeyValueCache."""
        old, self._n = self._buffers[self._n], len(sources)
        self._allocate(self._n)
        for source, target in zip(old, self._buffers[self._n], strict=True):
            target[:, :, :n_past] = source[sources, :, :n_past]

    def rewind(self, n_tokens: int) -> None:
        """See KeyValueCache."""


class GrowingCache(KeyValueCache):
    """Each step gives longer arrays, which the next one takes: the portable layout."""

    def __init__(self, layers: int, shape: tuple[int, int, int]) -> None:
        super().__init__(layers, shape)
        self._arrays: list[FloatArray] = []
        self._values: list[Any] = []
        self.clear()

    def clear(self) -> None:
        """See KeyValueCache."""
        n_heads, _, head = self.shape
        self._set([np.zeros((1, n_heads, 0, head), np.float32)] * len(self.names))

    def _set(self, arrays: Sequence[FloatArray]) -> None:
        # An OrtValue refers to the array's memory and does not keep it: older releases crash.
        self._arrays = [np.ascontiguousarray(array) for array in arrays]
        self._values = [ort.OrtValue.ortvalue_from_numpy(array) for array in self._arrays]

    def bind(self, binding: Any) -> None:  # noqa: ANN401
        """See KeyValueCache."""
        for name, value in zip(self.names, self._values, strict=True):
            binding.bind_ortvalue_input(f"self_{name}", value)
            binding.bind_output(f"present_{name}", "cpu")

    def collect(self, present: Sequence[Any]) -> None:
        """See KeyValueCache."""
        self._values = list(present)

    def reorder(self, sources: IntArray, n_past: int) -> None:
        """See KeyValueCache."""
        self._set([value.numpy()[sources] for value in self._values])

    def rewind(self, n_tokens: int) -> None:
        """See KeyValueCache."""
        self._set([value.numpy()[:, :, :n_tokens] for value in self._values])
