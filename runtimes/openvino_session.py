"""A session of the native layout: the decoder is given the window, and keeps the text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import openvino as ov

from ..edge.artifact import Artifact
from ..edge.errors import InferenceError
from ..edge.types import (
    FRAMES_PER_POSITION,
    ActivationRule,
    AudioContexts,
    FloatArray,
    IntArray,
    SessionFacts,
)
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .openvino_device import VERSION, Device, is_quantized, last_line, really_used


class OpenvinoSession(CountedSession):
    """See Session.

    The self-attention cache is the decoder's state. ``beam_idx`` of the next step says which
    hypothesis of the state each one continues, so reordering moves nothing.
    """

    def __init__(self, artifact: Artifact, encoder: Device, decoder: Device, threads: int) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        shapes = None
        if encoder.static:
            longest = self.contexts.longest
            self.contexts = AudioContexts(longest, (longest,))
            n_frames = longest * FRAMES_PER_POSITION
            shapes = {"input_features": (1, self.dimensions.n_mels, n_frames)}
        models = (
            encoder.compile(artifact.path("encoder"), shapes),
            decoder.compile(artifact.path("decoder")),
        )
        self._encoder: Any = models[0].create_infer_request()
        self._decoder: Any = models[1].create_infer_request()
        rules: dict[str, ActivationRule] = dict.fromkeys(("encoder", "decoder", "head"), "float")
        if is_quantized(manifest):
            rule = decoder.rounding()
            rules |= {"encoder": encoder.rounding(), "decoder": rule, "head": rule}
        self.facts = SessionFacts(
            "openvino", VERSION, really_used(*models), threads, "decoder", rules
        )
        self._has_window = False
        self._cross: FloatArray = np.empty(0, np.float32)
        self._tokens: IntArray = np.empty((0, 0), np.int64)
        self._positions: IntArray = np.empty(0, np.int64)
        self._sources = np.zeros(0, np.int32)
        self._n_past = 0

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._encoder is None:
            raise InferenceError("the session is closed")
        features = np.ascontiguousarray(mel[None], np.float32)
        with translated("encoder"):
            self._encoder.set_tensor("input_features", ov.Tensor(features, shared_memory=True))
            self._encoder.infer()
            self._take_window()
            self._decoder.reset_state()
        self._has_window = True
        self._tokens = np.empty((0, 0), np.int64)
        self._sources = np.zeros(1, np.int32)
        self._n_past = 0

    def _take_window(self) -> None:
        """Give the decoder the encoder's output where it lies."""
        self._cross = self._encoder.get_tensor("cross").data
        for layer in range(self.dimensions.n_text_layer):
            for i, t in enumerate("kv"):
                part = self._cross[2 * layer + i][None]
                tensor = ov.Tensor(part, shared_memory=True)
                self._decoder.set_tensor(f"cross_{t}_{layer}", tensor)

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        n_hypotheses = len(self._sources)
        check_tokens(tokens, n_hypotheses, self._n_past, self.dimensions)
        with translated("decoder"):
            if self._tokens.shape != tokens.shape:
                self._bind(tokens.shape)
            self._tokens[:] = tokens
            n_tokens = tokens.shape[1]
            self._positions[:] = np.arange(self._n_past, self._n_past + n_tokens)
            self._decoder.set_tensor("beam_idx", ov.Tensor(self._sources, shared_memory=True))
            self._decoder.infer()
            logits: FloatArray = self._decoder.get_tensor("logits").data
        self._n_past += n_tokens
        self._sources = np.arange(n_hypotheses, dtype=np.int32)
        return logits.reshape(n_hypotheses, -1)

    def _bind(self, shape: tuple[int, ...]) -> None:
        """Bind what a step of this shape reads."""
        self._tokens, self._positions = np.empty(shape, np.int64), np.empty(shape[1], np.int64)
        shared = {"input_ids": self._tokens, "cache_position": self._positions}
        for name, array in shared.items():
            self._decoder.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, len(self._sources))
        self._sources = self._sources[sources]

    def _forget(self, n_tokens: int) -> None:
        with translated("decoder"):
            for state in self._self_states():
                if n_tokens:
                    kept = state.state.data[self._sources, :, :n_tokens]
                    state.state = ov.Tensor(np.ascontiguousarray(kept))
                else:
                    state.reset()
        n_hypotheses = len(self._sources)
        # A state that was reset holds one hypothesis without text, whatever their number.
        kept_rows = np.arange(n_hypotheses) if n_tokens else np.zeros(n_hypotheses)
        self._sources = kept_rows.astype(np.int32)

    def _self_states(self) -> list[Any]:
        return [state for state in self._decoder.query_state() if state.name.startswith("self_")]

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._tokens.size:
            raise InferenceError("there is no alignment before the first step of a window")
        return self._split_alignment(self._decoder.get_tensor("alignment").data).copy()

    def _split_alignment(self, alignment: FloatArray) -> FloatArray:
        """(1, n_heads, n_hypotheses * n_tokens, n_positions), taken apart."""
        rows = alignment[0]
        split: FloatArray = rows.reshape(len(rows), *self._tokens.shape, rows.shape[-1])
        return split.swapaxes(0, 1)

    def window(self) -> FloatArray:
        """See Session."""
        if not self._has_window:
            raise InferenceError("no window is encoded")
        return self._window()

    def _window(self) -> FloatArray:
        return self._cross.copy()

    def close(self) -> None:
        """See Session."""
        self._encoder = self._decoder = None
        self._cross = np.empty(0, np.float32)
        self._has_window = False
        self._sources = np.zeros(0, np.int32)


@contextmanager
def translated(part: str) -> Iterator[None]:
    """Turn the library's exceptions into InferenceError; ``part`` says where they came from."""
    try:
        yield
    except Exception as error:  # RuntimeError for nearly everything, TypeError, its own
        raise InferenceError(f"openvino failed in the {part}: {last_line(error)}") from error
