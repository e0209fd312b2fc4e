"""whisper.cpp, on any processor, through the library that pywhispercpp brings."""

from __future__ import annotations

import numpy as np

from ..edge.artifact import Artifact
from ..edge.errors import InferenceError
from ..edge.types import FloatArray, IntArray, Session, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .ggml_attention import GgmlAttention, check_file
from .ggml_library import WhisperCpp, version
from .runtime import Runtime, SessionOptions


class GgmlRuntime(Runtime):
    """See Runtime."""

    target = "ggml"

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        return GgmlSession(artifact, options.threads)


class GgmlSession(CountedSession):
    """See Session.

    whisper.cpp's cache holds one text. So the texts are kept here, and each is decoded from where
    it leaves what the cache holds: with one hypothesis nothing is ever read twice, with several
    what they do not share.

    Args:
        artifact: Of this target.
        threads: Compute threads.
    """

    def __init__(self, artifact: Artifact, threads: int) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        graphs = (manifest.graphs["encoder"], manifest.graphs["decoder"])
        rules = {part: rule for graph in graphs for part, rule in graph.activations.items()}
        path, d = artifact.path("decoder"), self.dimensions
        check_file(path, manifest)
        self._model: WhisperCpp | None = WhisperCpp(path, d.n_audio_ctx, d.n_vocab, threads)
        self.facts = SessionFacts(
            "whisper.cpp", version(), "cpu", threads, "decoder", rules, shows_window=False
        )
        self._path, self._manifest = path, manifest
        self._attention: GgmlAttention | None = None
        self._mel: FloatArray | None = None  # what the attention has not encoded yet
        self._rows = np.zeros((0, 0), np.int64)  # the texts
        self._cached: list[int] = []  # what whisper.cpp has read last
        self._n_last = 0  # tokens in the last step

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._model is None:
            raise InferenceError("the session is closed")
        self._model.encode(mel)
        self._mel = mel.copy()
        self._rows, self._cached = np.zeros((1, 0), np.int64), []
        self._n_past = self._n_last = 0

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, len(self._rows), self._n_past, self.dimensions)
        self._rows = np.concatenate([self._rows[:, : self._n_past], tokens], axis=1)
        self._n_past, self._n_last = self._rows.shape[1], tokens.shape[1]
        logits = np.empty((len(tokens), self.dimensions.n_vocab), np.float32)
        for text, last in zip(self._rows.tolist(), logits, strict=True):
            last[:] = self._after(text)
        return logits

    def _after(self, text: list[int]) -> FloatArray:
        assert self._model is not None  # closed, it has no hypotheses
        # The last token is always read again, because only its logits are there.
        limit = min(len(self._cached), len(text) - 1)
        shared = next((n for n in range(limit) if text[n] != self._cached[n]), limit)
        self._cached = []  # should it fail, nothing is sure
        logits = self._model.decode(text[shared:], shared)
        self._cached = text
        return logits

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, len(self._rows))
        self._rows = self._rows[sources]

    def _forget(self, n_tokens: int) -> None:
        self._rows = self._rows[:, :n_tokens]
        self._n_last = 0

    @property
    def alignment(self) -> FloatArray:
        """See Session; computed by NumPy, which takes its time."""
        if not self._n_last:
            raise InferenceError("there is no alignment before the first step of a window")
        if self._attention is None:
            self._attention = GgmlAttention(self._path, self._manifest)
        if self._mel is not None:
            self._attention.encode(self._mel)
            self._mel = None
        return self._attention.of(self._rows, self._n_last)

    def window(self) -> FloatArray:
        """See Session; whisper.cpp does not show it."""
        raise InferenceError("whisper.cpp does not show what it encodes")

    def close(self) -> None:
        """See Session."""
        if self._model is not None:
            self._model.close()
        self._model = self._attention = self._mel = None
        self._rows, self._cached = np.zeros((0, 0), np.int64), []
        self._n_past = self._n_last = 0
