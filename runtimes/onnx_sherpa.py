"""ONNX Runtime over graphs in sherpa-onnx's layout, ours and those of its own exporter."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..edge.artifact import Artifact
from ..edge.errors import ArtifactError, InferenceError
from ..edge.types import FloatArray, IntArray, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .onnx_library import load, translated
from .onnx_providers import device_of

KINDS = "kv"
ALIGNMENT = "cross_attention_weights"
Array = NDArray[Any]


class SherpaSession(CountedSession):
    """See Session.

    sherpa-onnx never steps through several tokens on top of a past, and its own graphs mask them
    wrongly; there they go in one by one, and the window is repeated for each hypothesis.
    """

    def __init__(self, artifact: Artifact, threads: int, provider: str) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        graphs = manifest.graphs
        self._encoder: Any = load(artifact.path("encoder"), threads, provider)
        self._decoder: Any = load(artifact.path("decoder"), threads, provider)
        rules = {**graphs["encoder"].activations, **graphs["decoder"].activations}
        device = device_of((self._encoder, self._decoder), provider)
        self.facts = SessionFacts("onnxruntime", ort.__version__, device, threads, "decoder", rules)
        self._is_ours = manifest.adopted is None
        self._outputs = [each.name for each in self._decoder.get_outputs()]
        self._check(artifact)
        self._cross: dict[str, Array] = {}
        self._past: dict[str, Array] = {}
        self._runs: list[Array] = []  # the last step's alignment, run by run
        self._n_past = 0
        self._n_hypotheses = 0

    def _check(self, artifact: Artifact) -> None:
        known = {"tokens", "offset", *map(_cross, KINDS), *map(_cache, KINDS)}
        if unknown := {each.name for each in self._decoder.get_inputs()} - known:
            path = artifact.path("decoder")
            raise ArtifactError(f"{path}: nothing is known of input {min(unknown)}")

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._encoder is None:
            raise InferenceError("the session is closed")
        features = np.ascontiguousarray(mel[None], np.float32)
        with translated("encoder"):
            found = self._encoder.run([_cross(kind) for kind in KINDS], {"mel": features})
        self._cross = dict(zip(KINDS, found, strict=True))
        d = self.dimensions
        cache = np.zeros((d.n_text_layer, 1, d.n_text_ctx, d.n_text_state), np.float32)
        self._past = dict.fromkeys(KINDS, cache)
        self._runs = []
        self._n_past, self._n_hypotheses = 0, 1

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, self._n_hypotheses, self._n_past, self.dimensions)
        at_once = self._is_ours or self._n_past == 0
        pieces = [tokens] if at_once else np.split(tokens, tokens.shape[1], axis=1)
        self._runs = []
        for piece in pieces:
            logits = self._run(piece)
        return np.ascontiguousarray(logits[:, -1], np.float32)

    def _run(self, tokens: IntArray) -> Array:
        n = len(tokens)
        feeds = {
            "tokens": np.ascontiguousarray(tokens),
            "offset": np.array([self._n_past], np.int64),
            **{_cache(kind): np.ascontiguousarray(self._past[kind]) for kind in KINDS},
            **{_cross(kind): self._repeated(self._cross[kind], n) for kind in KINDS},
        }
        with translated("decoder"):
            found = dict(zip(self._outputs, self._decoder.run(None, feeds), strict=True))
        self._past = {kind: found[_cache(kind, "out")] for kind in KINDS}
        self._n_past += tokens.shape[1]
        if ALIGNMENT in found:
            self._runs.append(found[ALIGNMENT])
        logits: Array = found["logits"]
        return logits

    def _repeated(self, x: Array, n: int) -> Array:
        return x if self._is_ours or n == 1 else x.repeat(n, axis=1)

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, self._n_hypotheses)
        self._past = {kind: values[:, sources] for kind, values in self._past.items()}
        self._n_hypotheses = len(sources)

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if ALIGNMENT not in self._outputs:
            raise InferenceError(
                "these graphs have no cross-attention among their outputs, which words are timed by"
            )
        if not self._runs:
            raise InferenceError("there is no alignment before the first step of a window")
        return np.concatenate(self._runs, axis=2, dtype=np.float32)

    def window(self) -> FloatArray:
        """See Session."""
        if not self._cross:
            raise InferenceError("no window is encoded")
        d = self.dimensions
        stacked = np.stack([self._cross[kind][:, 0] for kind in KINDS], axis=1)
        heads = stacked.reshape(
            2 * d.n_text_layer, -1, d.n_text_head, d.n_text_state // d.n_text_head
        )
        return heads.swapaxes(1, 2).astype(np.float32)

    def close(self) -> None:
        """See Session."""
        self._encoder = self._decoder = None
        self._cross = {}
        self._n_hypotheses = 0


def _cross(kind: str) -> str:
    return f"n_layer_cross_{kind}"


def _cache(kind: str, direction: str = "in") -> str:
    return f"{direction}_n_layer_self_{kind}_cache"
