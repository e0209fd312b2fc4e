"""TFLite: ai-edge-litert, or tflite-runtime where there is no wheel of that."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edge.artifact import Artifact
from ..edge.errors import ArtifactError, InferenceError, MissingDependencyError
from ..edge.types import FloatArray, IntArray, Session, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .runtime import Runtime, SessionOptions

try:
    from .tflite_decoder import TfliteDecoder
    from .tflite_library import LIBRARY, MULTIPLIES_BLOCKS, VERSION, load, translated
except ModuleNotFoundError as error:
    raise MissingDependencyError("ai-edge-litert", "tflite", "running TFLite artifacts") from error


class TfliteRuntime(Runtime):
    """See Runtime."""

    target = "tflite"

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        stored = {precision.name for precision in artifact.manifest.quantization.values()}
        if "int4" in stored and not MULTIPLIES_BLOCKS:
            raise ArtifactError(
                f"{artifact.folder}: {LIBRARY} {VERSION} does not multiply int4; "
                "export with --int8, or install ai-edge-litert 2.1 or later"
            )
        return TfliteSession(artifact, options.threads)


class TfliteSession(CountedSession):
    """See Session.

    One interpreter runs both graphs of the file. A step is one token of every hypothesis.
    """

    def __init__(self, artifact: Artifact, threads: int) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        encoder, decoder = (manifest.graphs[name] for name in ("encoder", "decoder"))
        rules = {**encoder.activations, **decoder.activations}
        self.facts = SessionFacts(LIBRARY, VERSION, "cpu", threads, "decoder", rules)
        self._interpreter: Any = load(artifact.path("decoder"), threads)
        self._decoder: Any = TfliteDecoder(self._interpreter, decoder, self.dimensions)
        self._alignment: list[FloatArray] = []
        self._n_past = 0
        self._n_hypotheses = 0

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        n_positions = check_mel(mel, self.dimensions, self.contexts)
        if self._interpreter is None:
            raise InferenceError("the session is closed")
        with translated("encoder"):
            # Not kept: while there is a runner, the interpreter refuses to resize its inputs.
            run = self._interpreter.get_signature_runner("encoder")
            features = np.ascontiguousarray(mel[None], np.float32)
            cross = run(mel=features, positions=np.arange(n_positions, dtype=np.int32))["cross"]
            del run
            d = self.dimensions
            self._decoder.begin(cross.reshape(2 * d.n_text_layer, d.n_text_head, n_positions, -1))
        self._alignment = []
        self._n_past, self._n_hypotheses = 0, 1

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, self._n_hypotheses, self._n_past, self.dimensions)
        self._alignment = []
        with translated("decoder"):
            for column in tokens.T:
                self._decoder.run(column, self._n_past)
                self._alignment.append(self._decoder.alignment())
                self._n_past += 1
            logits: FloatArray = self._decoder.logits()
        return logits

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, self._n_hypotheses)
        if np.array_equal(sources, np.arange(self._n_hypotheses)):
            return
        with translated("decoder"):
            self._decoder.reorder(sources, self._n_past)
        self._n_hypotheses = len(sources)

    def _forget(self, n_tokens: int) -> None:
        self._decoder.show(n_tokens)

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._alignment:
            raise InferenceError("there is no alignment before the first step of a window")
        return np.concatenate(self._alignment, axis=2)

    def window(self) -> FloatArray:
        """See Session."""
        if not self._n_hypotheses:
            raise InferenceError("no window is encoded")
        window: FloatArray = self._decoder.window()
        return window

    def close(self) -> None:
        """See Session."""
        self._interpreter = self._decoder = None
        self._n_past = self._n_hypotheses = 0
