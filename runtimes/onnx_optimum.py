"""ONNX Runtime over graphs in optimum's layout, ours and those of other exporters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..edge.artifact import LATER_DECODER, Artifact
from ..edge.errors import ArtifactError, InferenceError
from ..edge.types import FloatArray, IntArray, SessionFacts
from .checks import check_mel, check_reorder, check_tokens
from .counted_session import CountedSession
from .onnx_library import load, numpy_type, translated
from .onnx_providers import device_of

KINDS = ("key", "value")
Array = NDArray[Any]


class OptimumSession(CountedSession):
    """See Session.

    The encoder's output becomes keys and values in a window's first step, which is why ``window``
    may have to run one.

    Other exporters traced their later steps with one token, and with as many sounds as texts.
    There tokens go in one by one, and what belongs to the window is repeated for each hypothesis.
    """

    def __init__(self, artifact: Artifact, threads: int, provider: str) -> None:
        manifest = artifact.manifest
        self.dimensions = manifest.dimensions
        self.contexts = manifest.audio_contexts
        graphs = manifest.graphs
        self._encoder: Any = load(artifact.path("encoder"), threads, provider)
        self._decoder: Any = load(artifact.path("decoder"), threads, provider)
        apart = LATER_DECODER in graphs
        self._later: Any = (
            load(artifact.path(LATER_DECODER), threads, provider) if apart else self._decoder
        )
        rules = {**graphs["encoder"].activations, **graphs["decoder"].activations}
        device = device_of((self._encoder, self._decoder), provider)
        self.facts = SessionFacts("onnxruntime", ort.__version__, device, threads, "decoder", rules)
        self._is_ours = manifest.adopted is None
        self._heads = sorted(manifest.generation.alignment_heads)
        layers = range(self.dimensions.n_text_layer)
        self._texts = [f"{layer}.decoder.{kind}" for layer in layers for kind in KINDS]
        self._sounds = [f"{layer}.encoder.{kind}" for layer in layers for kind in KINDS]
        self._hidden: Array | None = None
        self._past: dict[str, Array] = {}  # of the text, once there is one
        self._cross: dict[str, Array] = {}  # of the window, once a step made it
        self._runs: list[dict[str, Array]] = []  # what the last step gave
        self._n_past = 0
        self._n_hypotheses = 0
        self._check(artifact)

    def _check(self, artifact: Artifact) -> None:
        """Refuse graphs that want what nobody gives, before any sound is read."""
        known = self._inputs(np.zeros((1, 1), np.int64), np.zeros((1, 1, 1), np.float32), True)
        for name, graph in (("decoder", self._decoder), (LATER_DECODER, self._later)):
            if unknown := {each.name for each in graph.get_inputs()} - known.keys():
                path = artifact.path(name if name in artifact.manifest.graphs else "decoder")
                raise ArtifactError(f"{path}: nothing is known of input {min(unknown)}")

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        check_mel(mel, self.dimensions, self.contexts)
        if self._encoder is None:
            raise InferenceError("the session is closed")
        source = self._encoder.get_inputs()[0]
        features = np.ascontiguousarray(mel[None], numpy_type(source))
        with translated("encoder"):
            self._hidden = self._encoder.run(["last_hidden_state"], {source.name: features})[0]
        self._past, self._cross, self._runs = {}, {}, []
        self._n_past, self._n_hypotheses = 0, 1

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        check_tokens(tokens, self._n_hypotheses, self._n_past, self.dimensions)
        at_once = self._is_ours or self._n_past == 0
        pieces = [tokens] if at_once else np.split(tokens, tokens.shape[1], axis=1)
        self._runs = []
        for piece in pieces:
            self._runs.append(self._run(piece))
            self._n_past += piece.shape[1]
        return np.ascontiguousarray(self._runs[-1]["logits"][:, -1], np.float32)

    def _run(self, tokens: IntArray) -> dict[str, Array]:
        """One run of the decoder, whose keys and values become the past."""
        is_first = not self._cross or (self._n_past == 0 and not self._is_ours)
        graph = self._decoder if is_first else self._later
        assert self._hidden is not None
        with translated("decoder"):
            inputs = self._inputs(tokens, self._hidden, is_first)
            feeds = {
                each.name: np.ascontiguousarray(inputs[each.name], numpy_type(each))
                for each in graph.get_inputs()
            }
            names = [each.name for each in graph.get_outputs()]
            found: dict[str, Array] = dict(zip(names, graph.run(names, feeds), strict=True))
        if is_first:
            self._cross = {name: found[f"present.{name}"][:1] for name in self._sounds}
        self._past = {name: found[f"present.{name}"] for name in self._texts}
        return found

    def _inputs(self, tokens: IntArray, hidden: Array, is_first: bool) -> Mapping[str, Array]:
        """All that a decoder may ask for; each exporter's asks for some of it."""
        (n, n_tokens), past = tokens.shape, self._n_past
        d = self.dimensions
        nothing = np.zeros((n, d.n_text_head, 0, d.n_text_state // d.n_text_head), np.float32)
        positions = np.arange(past, past + n_tokens)
        text = np.ones((n, past + n_tokens), np.int64)
        return {
            "input_ids": tokens,
            "encoder_hidden_states": self._repeated(hidden, n),
            "use_cache_branch": np.array([not is_first]),
            "cache_position": positions,
            "position_ids": np.broadcast_to(positions, tokens.shape),
            "attention_mask": text,
            "decoder_attention_mask": text,
            "encoder_attention_mask": np.ones((n, hidden.shape[1]), np.int64),
            "num_logits_to_keep": np.array(0),
            **{f"past_key_values.{name}": self._past.get(name, nothing) for name in self._texts},
            **{
                f"past_key_values.{name}": nothing if is_first else self._repeated(values, n)
                for name, values in (self._cross or dict.fromkeys(self._sounds, nothing)).items()
            },
        }

    def _repeated(self, x: Array, n: int) -> Array:
        return x if self._is_ours or len(x) == n else x.repeat(n, axis=0)

    def reorder(self, sources: IntArray) -> None:
        """See Session."""
        check_reorder(sources, self._n_hypotheses)
        self._past = {name: values[sources] for name, values in self._past.items()}
        self._n_hypotheses = len(sources)

    def _forget(self, n_tokens: int) -> None:
        self._past = {name: values[:, :, :n_tokens] for name, values in self._past.items()}

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        if not self._runs:
            raise InferenceError("there is no alignment before the first step of a window")
        if "cross_attentions.0" not in self._runs[0]:
            raise InferenceError(
                "these graphs have no cross-attention among their outputs, which words are timed by"
            )
        weights = [
            np.stack([run[f"cross_attentions.{layer}"][:, head] for layer, head in self._heads], 1)
            for run in self._runs
        ]
        return np.concatenate(weights, axis=2, dtype=np.float32)

    def window(self) -> FloatArray:
        """See Session."""
        if self._hidden is None:
            raise InferenceError("no window is encoded")
        if not self._cross:
            past = self._past
            self._run(np.zeros((1, 1), np.int64))
            self._past = past
        return np.concatenate([self._cross[name] for name in self._sounds]).astype(np.float32)

    def close(self) -> None:
        """See Session."""
        self._encoder = self._decoder = self._later = self._hidden = None
        self._n_hypotheses = 0
