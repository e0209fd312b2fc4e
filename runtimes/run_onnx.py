"""ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edge.artifact import PLAIN_DECODER, Artifact
from ..edge.errors import InferenceError, MissingDependencyError
from ..edge.types import FloatArray, IntArray, Session, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .cpu import has_int8_dot_product
from .runtime import Runtime, SessionOptions

try:
    import onnxruntime as ort

    from .onnx_cache import GrowingCache, InPlaceCache, KeyValueCache
    from .onnx_library import load, translated
    from .onnx_optimum import OptimumSession
    from .onnx_providers import device_of
    from .onnx_sherpa import SherpaSession
except ModuleNotFoundError as error:
    raise MissingDependencyError("onnxruntime", "onnx", "running ONNX artifacts") from error

INTERCHANGE = {"optimum": OptimumSession, "sherpa": SherpaSession}
_ALIGNMENT, _PRESENT = 1, 2  # where a step's outputs stand, after the logits


class OnnxRuntime(Runtime):
    """See Runtime."""

    target = "onnx"
    chooses_provider = True

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        provider = options.provider or "cpu"
        if artifact.manifest.layout in INTERCHANGE:
            return INTERCHANGE[artifact.manifest.layout](artifact, options.threads, provider)
        decoder = options.decoder
        if decoder is None:
            plain = PLAIN_DECODER in artifact.manifest.graphs and not has_int8_dot_product()
            decoder = PLAIN_DECODER if plain else "decoder"
        return OnnxSession(artifact, options.threads, decoder, provider)


class OnnxSession(CountedSession):
    """See Session.

    Everything is bound once to memory that stays; a step writes its tokens there and, in the
    portable layout, rebinds the cache that grew. The logits it returns are the graph's own output
    buffer.
    """

    def __init__(self, artifact: Artifact, threads: int, decoder: str, provider: str) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        self._encoder: Any = load(artifact.path("encoder"), threads, provider)
        self._decoder: Any = load(artifact.path(decoder), threads, provider)
        graphs = manifest.graphs
        rules = {**graphs["encoder"].activations, **graphs[decoder].activations}
        device = device_of((self._encoder, self._decoder), provider)
        self.facts = SessionFacts("onnxruntime", ort.__version__, device, threads, decoder, rules)
        d = self.dimensions
        shape = (d.n_text_head, d.n_text_ctx, d.n_text_state // d.n_text_head)
        self._in_place = manifest.layout == "native"
        kind = InPlaceCache if self._in_place else GrowingCache
        self._cache: KeyValueCache = kind(d.n_text_layer, shape)
        self._cross = [f"cross_{t}_{layer}" for layer in range(d.n_text_layer) for t in "kv"]
        self._binding = self._decoder.io_binding()
        # What a step reads and writes; bound until it has another shape.
        self._tokens: IntArray = np.empty((0, 0), np.int64)
        self._past: IntArray = np.zeros(1, np.int64)
        self._logits: FloatArray = np.empty((0, d.n_vocab), np.float32)
        self._window: list[Any] = []
        self._earlier: list[FloatArray] = []  # alignment of a step's tokens before the last run
        self._n_past = 0
        self._n_hypotheses = 0

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._encoder is None:
            raise InferenceError("the session is closed")
        with translated("encoder"):
            binding = self._encoder.io_binding()
            features = np.ascontiguousarray(mel[None], np.float32)
            binding.bind_cpu_input("mel", features)
            for name in self._cross:
                binding.bind_output(name, "cpu")
            self._encoder.run_with_iobinding(binding)
            self._window = binding.get_outputs()
            for name, value in zip(self._cross, self._window, strict=True):
                self._binding.bind_ortvalue_input(name, value)
        self._cache.clear()
        self._tokens = np.empty((0, 0), np.int64)
        self._n_past, self._n_hypotheses = 0, 1

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, self._n_hypotheses, self._n_past, self.dimensions)
        # GroupQueryAttention takes several tokens on top of a past for one hypothesis only.
        at_once = not self._in_place or self._n_hypotheses == 1 or self._n_past == 0
        pieces = [tokens] if at_once else np.split(tokens, tokens.shape[1], axis=1)
        self._earlier = []
        with translated("decoder"):
            for piece in pieces[:-1]:
                self._run(piece)
                self._earlier.append(self._last_alignment())
            self._run(pieces[-1])
        return self._logits

    def _run(self, tokens: IntArray) -> None:
        if self._tokens.shape != tokens.shape:
            self._bind(tokens.shape)
        elif not self._in_place:
            self._cache.bind(self._binding)
        self._tokens[:] = tokens
        self._past[0] = self._n_past
        self._decoder.run_with_iobinding(self._binding)
        if not self._in_place:
            self._cache.collect(self._binding.get_outputs()[_PRESENT:])
        self._n_past += tokens.shape[1]

    def _bind(self, shape: tuple[int, ...]) -> None:
        """Bind everything but the window, for steps of this many hypotheses and tokens."""
        self._tokens = np.empty(shape, np.int64)
        if len(self._logits) != shape[0]:
            self._logits = np.empty((shape[0], self.dimensions.n_vocab), np.float32)
        value, binding = ort.OrtValue.ortvalue_from_numpy, self._binding
        binding.bind_ortvalue_input("tokens", value(self._tokens))
        if self._in_place:
            binding.bind_ortvalue_input("past", value(self._past))
        # Outputs come back in the order in which their names were first bound. They are not cleared
        # before: in older releases that frees the cache of the portable layout.
        binding.bind_ortvalue_output("logits", value(self._logits))
        binding.bind_output("alignment", "cpu")
        self._cache.bind(binding)

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, self._n_hypotheses)
        if np.array_equal(sources, np.arange(self._n_hypotheses)):
            return
        self._cache.reorder(sources, self._n_past)
        self._n_hypotheses = len(sources)

    def _forget(self, n_tokens: int) -> None:
        self._cache.rewind(n_tokens)

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._tokens.size:
            raise InferenceError("there is no alignment before the first step of a window")
        return np.concatenate([*self._earlier, self._last_alignment()], axis=2)

    def _last_alignment(self) -> FloatArray:
        """(1, n_heads, n_hypotheses * n_tokens, n_positions), taken apart."""
        rows = self._binding.get_outputs()[_ALIGNMENT].numpy()[0]
        split: FloatArray = rows.reshape(len(rows), self._n_hypotheses, -1, rows.shape[-1])
        return split.swapaxes(0, 1).copy()  # the next step writes to the same memory

    def window(self) -> FloatArray:
        """See Session."""
        if not self._window:
            raise InferenceError("no window is encoded")
        return np.concatenate([value.numpy() for value in self._window])

    def close(self) -> None:
        """See Session."""
        self._encoder = self._decoder = self._binding = None
        self._window = []
        self._n_hypotheses = 0
