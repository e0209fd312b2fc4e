"""The NumPy reference as a session: slow, exact, and on every machine.

The one runtime that takes parameters instead of an artifact's graphs: it exists to judge them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from ..edge.errors import InferenceError
from ..edge.types import (
    ActivationRule,
    AudioContexts,
    FloatArray,
    GenerationSettings,
    IntArray,
    ModelDimensions,
    Session,
    SessionFacts,
)
from ..models.ggml_ops import GgmlOps
from ..models.parameters import Parameters
from ..models.reference import Cache, NumpyOps
from ..models.whisper import decode, encode_audio, fill_cross_cache
from .checks import check_mel, check_reorder, check_rewind, check_tokens


class ReferenceSession(Session):
    """See Session; takes any audio context.

    Args:
        parameters: Weights in any precision.
        dimensions: The model's shape.
        generation: Names the alignment heads.
        activations: How each part rounds what it multiplies; see ``NumpyOps``.
    """

    def __init__(
        self,
        parameters: Parameters,
        dimensions: ModelDimensions,
        generation: GenerationSettings,
        activations: Mapping[str, ActivationRule] | None = None,
    ) -> None:
        self.dimensions = dimensions
        self.contexts = AudioContexts(dimensions.n_audio_ctx)
        rules = dict(activations or {})
        self.facts = SessionFacts("numpy", np.__version__, "cpu", 0, "decoder", rules)
        self._alignment_heads = generation.alignment_heads
        ops = GgmlOps if "ggml" in rules.values() else NumpyOps
        self._ops = ops(parameters, rules)
        self._decodes = "decoder.cross_kv" in parameters.matrices
        self._encoded: FloatArray | None = None
        self._n_hypotheses = 0
        self._closed = False

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._closed:
            raise InferenceError("the session is closed")
        x = encode_audio(self._ops, np.ascontiguousarray(mel.T)[None], self.dimensions)
        self._encoded = x[0]
        if self._decodes:
            fill_cross_cache(self._ops, x, self.dimensions)
            self._n_hypotheses = 1
        self._ops.alignment = []

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, self._n_hypotheses, self.n_past, self.dimensions)
        self._ops.tokens = tokens
        self._ops.alignment = []
        logits = decode(self._ops, self.dimensions, self._alignment_heads)
        self._ops.cache.n_past += tokens.shape[1]
        return logits

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, self._n_hypotheses)
        cache = self._ops.cache
        for store in (cache.keys, cache.values):
            for layer in store:
                store[layer] = store[layer][sources]
        self._n_hypotheses = len(sources)

    def rewind(self, n_tokens: int) -> None:
        """See Session."""
        check_rewind(n_tokens, self.n_past)
        self._ops.cache.n_past = n_tokens

    @property
    def n_past(self) -> int:
        """See Session."""
        return self._ops.cache.n_past

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._ops.alignment:
            raise InferenceError("there is no alignment before the first step of a window")
        return np.concatenate(self._ops.alignment, axis=1)

    def window(self) -> FloatArray:
        """See Session."""
        if not self._ops.cache.cross:
            raise InferenceError("no window is encoded")
        return np.stack([array for pair in self._ops.cache.cross for array in pair])

    def encoded(self) -> FloatArray:
        """The encoder's own output, (n_positions, n_audio_state)."""
        if self._encoded is None:
            raise InferenceError("no window is encoded")
        return self._encoded.copy()

    def adopt(self, window: FloatArray) -> None:
        """Go on from a window that another session encoded, to judge its decoder alone.

        Args:
            window: As ``window`` gives it, or as ``encoded`` does.
        """
        if window.ndim == 2:
            fill_cross_cache(self._ops, window[None], self.dimensions)
        else:
            self._ops.cache = Cache(cross=list(zip(window[::2], window[1::2], strict=True)))
        self._ops.alignment = []
        self._n_hypotheses = 1

    @contextmanager
    def float_noise(self) -> Iterator[None]:
        """Within it every product takes its input with the noise of another float kernel."""
        self._ops.float_noise = np.random.default_rng(0)
        try:
            yield
        finally:
            self._ops.float_noise = None

    def close(self) -> None:
        """See Session."""
        self._closed = True
        self._n_hypotheses = 0
