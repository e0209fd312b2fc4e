"""Qualcomm artifacts: on the HTP, on its simulator, or on the CPU for a look."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.artifact import Artifact
from ..edge.errors import ArtifactError, InferenceError, MissingDependencyError
from ..edge.types import FloatArray, IntArray, Session, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .runtime import Runtime, SessionOptions

try:
    from .onnx_library import load, translated
    from .qualcomm_library import QualcommLibrary
except ModuleNotFoundError as error:
    raise MissingDependencyError("onnxruntime", "onnx", "running Qualcomm artifacts") from error

EMBEDDING_FILE = "embedding.onnx"
CROSS_GRID_FILE = "cross_cache.json"


class _CrossGrid(msgspec.Struct):
    """What the steps of the encoded window stand for."""

    scale: float
    zero: int


class QualcommRuntime(Runtime):
    """See Runtime."""

    target = "qualcomm"
    chooses_device = True
    chooses_provider = True

    def check(self, options: SessionOptions) -> None:
        """See Runtime."""
        if options.provider not in (None, "cpu", "qnn"):
            raise InferenceError(f"a Qualcomm artifact has no use for --ep {options.provider}")

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        return QualcommSession(artifact, QualcommLibrary(artifact, options), options)


class QualcommSession(CountedSession):
    """See Session.

    The decoder takes one token of one hypothesis: a step runs it for each. Keys and values are
    kept as the integers that the graphs give. The graphs of a window are loaded when the first
    sound of its length comes.
    """

    def __init__(
        self, artifact: Artifact, library: QualcommLibrary, options: SessionOptions
    ) -> None:
        manifest = artifact.manifest
        self.dimensions = d = manifest.dimensions
        self.contexts = manifest.audio_contexts
        graphs = manifest.graphs
        rules = {**graphs["encoder"].activations, **graphs["decoder"].activations}
        self.facts = SessionFacts(
            "onnxruntime",
            library.version,
            library.device,
            options.threads,
            "decoder",
            rules,
            stand_in=library.device != "htp",
        )
        self._library = library
        self._embedding: Any = load(artifact.folder / EMBEDDING_FILE, options.threads)
        self._graphs: dict[int, tuple[Any, Any]] = {}
        for length in self.contexts.fixed[-1:]:
            self._graphs[length] = self._load(length)
        self._cross_grid = _read_grid(artifact)
        self._heads = sorted(manifest.generation.alignment_heads)
        inputs = {spec.name: spec for spec in graphs["decoder"].inputs}
        self._cached, self._masked = (np.dtype(inputs[i].dtype) for i in ("self_k_0", "mask"))
        head = d.n_text_state // d.n_text_head
        self._names = [f"{t}_{layer}" for layer in range(d.n_text_layer) for t in "kv"]
        self._shape = (len(self._names), d.n_text_head, d.n_text_ctx - 1, head)
        self._cache: list[NDArray[Any]] = []  # one of ``_shape`` for each hypothesis
        self._window: list[NDArray[Any]] = []
        self._alignment: FloatArray | None = None
        self._n_past = 0
        self._closed = False

    def _load(self, n_positions: int) -> tuple[Any, Any]:
        if n_positions not in self._graphs:
            parts = ("encoder", "decoder")
            encoder, decoder = (self._library.load(f"{p}_{n_positions}.onnx") for p in parts)
            self._graphs[n_positions] = encoder, decoder
        return self._graphs[n_positions]

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        n_positions = check_mel(mel, self.dimensions, self.contexts)
        if self._closed:
            raise InferenceError("the session is closed")
        encoder, _ = self._load(n_positions)
        with translated("encoder"):
            features = np.ascontiguousarray(mel[None], np.float32)
            names = [f"cross_{name}" for name in self._names]
            self._window = encoder.run(names, {"mel": features})
        self._cache = [np.zeros(self._shape, self._cached)]
        self._alignment = None
        self._n_past = 0

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, len(self._cache), self._n_past, self.dimensions)
        with translated("decoder"):
            past = np.array([self._n_past], np.int64)
            (x,) = self._embedding.run(["x"], {"tokens": tokens, "past": past})
            columns = [self._token(x[:, i]) for i in range(tokens.shape[1])]
        self._alignment = np.stack([alignment for _, alignment in columns], axis=2)
        return columns[-1][0]

    def _token(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """One token of every hypothesis: logits, and alignment (n_hypotheses, n_heads, n)."""
        _, decoder = self._graphs[self._window[0].shape[1]]
        mask = np.zeros((1, 1, self.dimensions.n_text_ctx), self._masked)
        mask[..., : self._n_past] = mask[..., -1] = np.iinfo(self._masked).max
        shared = {f"cross_{n}": a for n, a in zip(self._names, self._window, strict=True)}
        layers = sorted({layer for layer, _ in self._heads})
        outputs = ["logits", *(f"weights_{layer}" for layer in layers)]
        outputs += [f"present_{name}" for name in self._names]
        logits, alignment = [], []
        for cache, row in zip(self._cache, x, strict=True):
            own = {f"self_{n}": a for n, a in zip(self._names, cache, strict=True)}
            results = decoder.run(outputs, {"x": row[None], "mask": mask, **own, **shared})
            logits.append(results[0])
            weights = dict(zip(layers, results[1:], strict=False))
            alignment.append(np.stack([weights[layer][head, 0] for layer, head in self._heads]))
            if self._n_past < self._shape[2]:
                cache[:, :, self._n_past] = np.stack(results[1 + len(layers) :])[:, :, 0]
        self._n_past += 1
        return np.concatenate(logits), _normalized(np.stack(alignment))

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, len(self._cache))
        self._cache = [self._cache[source].copy() for source in sources]

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if self._alignment is None:
            raise InferenceError("there is no alignment before the first step of a window")
        return self._alignment

    def window(self) -> FloatArray:
        """See Session."""
        if not self._window:
            raise InferenceError("no window is encoded")
        steps = np.stack(self._window).astype(np.float32)
        grid = self._cross_grid
        return np.asarray((steps - np.float32(grid.zero)) * np.float32(grid.scale), np.float32)

    def close(self) -> None:
        """See Session."""
        self._graphs = {}
        self._embedding = None
        self._cache, self._window = [], []
        self._closed = True


def _normalized(weights: FloatArray) -> FloatArray:
    """Rows that sum to one again, which rounding took from them."""
    total = weights.sum(-1, keepdims=True)
    even = np.float32(1 / weights.shape[-1])  # where everything was rounded to nothing
    return np.where(total > 0, weights / np.where(total > 0, total, 1), even).astype(np.float32)


def _read_grid(artifact: Artifact) -> _CrossGrid:
    path = artifact.folder / CROSS_GRID_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=_CrossGrid)
    except (OSError, msgspec.MsgspecError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
