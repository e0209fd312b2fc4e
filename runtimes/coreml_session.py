"""Core ML packages behind the Session interface, whoever runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..edge.artifact import Artifact
from ..edge.errors import InferenceError
from ..edge.types import FloatArray, IntArray, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession

HIDDEN = -1e4  # added to the scores of what a token may not look at; a half holds it
_CROSS_CACHE, _EMBEDDINGS, _WHISPERCPP = "cross_cache", "encoder_output_embeds", "output"


class Model(Protocol):
    """One function of a package, loaded."""

    def predict(self, data: dict[str, Any], /) -> Mapping[str, NDArray[Any]]:
        """Outputs by name for inputs by name; the dictionary is the callee's to change."""


# Opens a function of a package, the only one if it is not named.
OpenModel = Callable[[Path, str | None], Model]


@dataclass
class _Hypothesis:
    """The self-attention's cache of one hypothesis: (1, n_text_layer * n_text_state, 1, n_ctx)."""

    keys: FloatArray
    values: FloatArray

    def copy(self) -> _Hypothesis:
        return _Hypothesis(self.keys.copy(), self.values.copy())


class CoremlSession(CountedSession):
    """See Session.

    The programs take one token of one hypothesis: several are run one after the other.

    Args:
        artifact: In any layout of the target.
        facts: What the models run on.
        open_model: Opens a function of a package.
    """

    def __init__(self, artifact: Artifact, facts: SessionFacts, open_model: OpenModel) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        self.facts = facts
        self._packages = {name: artifact.path(name).parent for name in manifest.graphs}
        self._open = open_model
        self._models: dict[tuple[str, int], Model] = {}
        # A damaged package shows now; functions for other windows open when one comes.
        for part in self._packages:
            self._model(part, self.contexts.longest)
        self._encoder_input = manifest.graphs["encoder"].inputs[0].name
        self._window_name = manifest.graphs["encoder"].outputs[0].name
        self._window: FloatArray | None = None
        self._n_positions = 0
        self._hypotheses: list[_Hypothesis] = []
        self._alignment: list[list[FloatArray]] = []
        self._n_past = 0

    def _model(self, part: str, n_positions: int) -> Model:
        key = part, n_positions
        if key not in self._models:
            several = len(self.contexts.fixed) > 1
            function = f"positions_{n_positions}" if several else None
            self._models[key] = self._open(self._packages[part], function)
        return self._models[key]

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        n_positions = check_mel(mel, self.dimensions, self.contexts)
        if not self._packages:
            raise InferenceError("the session is closed")
        shaped = mel[None] if self._window_name == _WHISPERCPP else mel[None, :, None]
        feeds = {self._encoder_input: np.ascontiguousarray(shaped, np.float32)}
        window = self._model("encoder", n_positions).predict(feeds)[self._window_name]
        self._window = np.ascontiguousarray(window, np.float32)
        self._n_positions = n_positions
        d = self.dimensions
        shape = (1, d.n_text_layer * d.n_text_state, 1, d.n_text_ctx)
        self._hypotheses = [_Hypothesis(np.zeros(shape, np.float32), np.zeros(shape, np.float32))]
        self._alignment, self._n_past = [], 0

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        if self._window_name == _WHISPERCPP:
            raise InferenceError(
                "this artifact is an encoder for whisper.cpp, which decodes with its own weights; "
                "docs/coreml.md says how it loads it"
            )
        check_tokens(tokens, len(self._hypotheses), self._n_past, self.dimensions)
        model = self._model("decoder", self._n_positions)
        logits = np.empty((len(tokens), self.dimensions.n_vocab), np.float32)
        self._alignment = [[] for _ in tokens]
        for hypothesis, row, alignment, last in zip(
            self._hypotheses, tokens, self._alignment, logits, strict=True
        ):
            for n_past, token in enumerate(row, self._n_past):
                result = model.predict(self._feeds(hypothesis, int(token), n_past))
                hypothesis.keys[..., n_past] = result["key_cache_updates"][..., 0]
                hypothesis.values[..., n_past] = result["value_cache_updates"][..., 0]
                heads = result["alignment_heads_weights"]
                alignment.append(np.asarray(heads, np.float32).reshape(-1, self._n_positions))
            last[:] = result["logits"][0, 0]
        self._n_past += tokens.shape[1]
        return logits

    def _feeds(self, hypothesis: _Hypothesis, token: int, n_past: int) -> dict[str, Any]:
        """A fresh dictionary of arrays as coremltools takes them on every system: not halves."""
        places = np.arange(self.dimensions.n_text_ctx)[None]
        return {
            "input_ids": np.array([token], np.int32),
            "cache_length": np.array([n_past], np.int32),
            "key_cache": hypothesis.keys,
            "value_cache": hypothesis.values,
            "kv_cache_update_mask": (places == n_past).astype(np.float32),
            "decoder_key_padding_mask": np.where(places <= n_past, 0, HIDDEN).astype(np.float32),
            self._window_name: self._window,
        }

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, len(self._hypotheses))
        taken: set[int] = set()
        hypotheses = []
        for source in sources.tolist():
            kept = self._hypotheses[source]
            hypotheses.append(kept.copy() if source in taken else kept)
            taken.add(source)
        self._hypotheses = hypotheses

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._alignment:
            raise InferenceError("there is no alignment before the first step of a window")
        return np.stack([np.stack(tokens, axis=1) for tokens in self._alignment])

    def window(self) -> FloatArray:
        """See Session."""
        if self._window is None:
            raise InferenceError("no window is encoded")
        d = self.dimensions
        if self._window_name == _WHISPERCPP:
            window = self._window[0]
        elif self._window_name == _EMBEDDINGS:
            window = self._window[0, :, 0].T
        else:
            heads = (2 * d.n_text_layer, d.n_text_head, -1, self._n_positions)
            window = self._window.reshape(heads).swapaxes(2, 3)
        return np.array(window)

    def close(self) -> None:
        """See Session."""
        self._models, self._packages, self._hypotheses = {}, {}, []
        self._window = None
