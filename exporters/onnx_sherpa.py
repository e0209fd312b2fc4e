"""ONNX as sherpa-onnx reads it: a cache of full length that goes in and out at every step.

Every layer lies in one array: the cross-attention's keys as (n_layers, 1, n_positions, d), those of
the text as (n_layers, n, n_text_ctx, d). What sherpa-onnx has to know beyond that is in the
encoder's metadata.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..edge.artifact import GraphSpec
from ..edge.errors import ExportError
from ..models.checkpoint import Checkpoint
from ..models.parameters import Parameters
from ..models.vocabulary import END, text_tokens
from ..models.whisper import decode, encode
from . import onnx_weights
from .exporter import ExportRequest
from .onnx_interchange import InterchangeOps
from .onnx_own_weights import OwnWeightsGraph

VERSIONS = (18, 8)  # opset and IR version
KINDS = "kv"


class SherpaOps(InterchangeOps):
    """Keys and values of all layers in one array, time before heads."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - see OnnxOps
        super().__init__(*arguments)
        self._new: dict[str, list[str]] = {kind: [] for kind in KINDS}

    def cross_cache(self, kv: str, n_heads: int, n_layers: int) -> None:
        """See Ops."""
        d = self.dimensions.n_text_state
        parts = [
            self._op("Unsqueeze", part, self.graph.ints(0))
            for part in self._split(kv, 2 * n_layers)
        ]
        for i, kind in enumerate(KINDS):
            layers = self._op("Concat", *parts[i::2], axis=0)
            self.graph.output(_cross(kind), layers, (n_layers, "n_audio", "positions", d))

    def cached_attention(self, qkv: str, n_heads: int, layer: int) -> str:
        """See Ops."""
        q, *new = self._split(qkv, 3)
        both = []
        for kind, part in zip(KINDS, new, strict=True):
            part = self._op("Unsqueeze", part, self.graph.ints(0))
            self._new[kind].append(part)
            start, end = self._layer_rows(layer)
            past = self._op("Slice", _cache(kind), start, end, self.graph.ints(0, 2))
            rows = self._op("Squeeze", self._op("Concat", past, part, axis=2), self.graph.ints(0))
            both.append(self._batch_heads(rows, n_heads))
        scores = self._scores(self._batch_heads(q, n_heads), both[0])
        return self._merged(self._op("Add", scores, self._once("mask", self._make_mask)), both[1])

    def _layer_rows(self, layer: int) -> tuple[str, str]:
        """Where the past of a layer starts and ends in the cache: (layer, position)."""
        ints = self.graph.ints
        return ints(layer, 0), self._op("Concat", ints(layer + 1), self._past(), axis=0)

    def cross_attention(self, q: str, n_heads: int, layer: int, aligned: tuple[int, ...]) -> str:
        """See Ops."""
        index = self.graph.constant(np.array(layer, np.int64), f"layer_{layer}")
        keys, values = (
            self._batch_heads(self._op("Gather", _cross(kind), index, axis=0), n_heads)
            for kind in KINDS
        )
        y, weights = self._attend(q, keys, values)
        if aligned:
            heads = self.graph.constant(np.array(aligned, np.int64), f"aligned_{layer}")
            self.alignment.append(self._op("Gather", weights, heads, axis=1))
        return y

    def present(self, kind: str) -> str:
        """The cache with this step's rows in their place."""
        ints = self.graph.ints
        new = self._op("Concat", *self._new[kind], axis=0)
        before = self._op("Slice", _cache(kind), ints(0), self._past(), ints(2))
        end = ints(self.dimensions.n_text_ctx)
        after = self._op("Slice", _cache(kind), self._total(), end, ints(2))
        return self._op("Concat", before, new, after, axis=2)

    def _past(self) -> str:
        return "offset"


def _cross(kind: str) -> str:
    return f"n_layer_cross_{kind}"


def _cache(kind: str, direction: str = "in") -> str:
    return f"{direction}_n_layer_self_{kind}_cache"


def write(request: ExportRequest, parameters: Parameters, folder: Path) -> dict[str, GraphSpec]:
    """Write both graphs and the list of tokens."""
    checkpoint = request.checkpoint
    arrays = onnx_weights.pack(parameters, portable=True)
    name = re.sub(r"[^A-Za-z0-9.]+", "-", Path(checkpoint.name).name)
    quantized = {precision.name for precision in request.recipe.quantization.values()}
    suffix = next((f".{kind}" for kind in ("int8", "fp16") if kind in quantized), "")
    graphs: dict[str, GraphSpec] = {}
    for part, build in (("encoder", _build_encoder), ("decoder", _build_decoder)):
        graph = OwnWeightsGraph(part, *VERSIONS)
        ops = SherpaOps(graph, parameters, arrays, checkpoint.dimensions)
        build(ops, checkpoint)
        properties = metadata(checkpoint, name) if part == "encoder" else {}
        file = f"{name}-{part}{suffix}.onnx"
        graphs[part] = graph.save_whole(folder, file, arrays, ops.activations, properties)
    (folder / f"{name}-tokens.txt").write_text(token_list(checkpoint.tokenizer))
    return graphs


def metadata(checkpoint: Checkpoint, name: str) -> dict[str, str]:
    """What sherpa-onnx reads in the encoder: numbers and ids as text, lists separated by commas.

    Args:
        checkpoint: What is exported.
        name: The model's, for people.

    Raises:
        ExportError: The tokenizer lacks a token.
    """
    settings, d = checkpoint.generation, checkpoint.dimensions
    tokens = Tokenizer.from_str(checkpoint.tokenizer.decode())

    def token(role: str) -> int:
        if (found := tokens.token_to_id(f"<|{role}|>")) is None:
            raise ExportError(f"the tokenizer has no <|{role}|>, which sherpa-onnx needs")
        return found

    languages = [token(code) for code in settings.languages]
    start = [token("startoftranscript")]
    if settings.is_multilingual:
        # sherpa-onnx replaces the language; without English the first one holds its place.
        start += [token("en" if "en" in settings.languages else settings.languages[0])]
        start += [token("transcribe")]
    values: dict[str, object] = {
        "model_type": f"whisper-{name}",
        "version": 2,  # since there is an output with the cross-attention
        "maintainer": "whisperq-edge",
        **{field: getattr(d, field) for field in d.__struct_fields__},
        "sot_sequence": start,
        "all_language_tokens": languages,
        "all_language_codes": settings.languages,
        "sot": start[0],
        "sot_index": 0,
        "eot": tokens.token_to_id(END),
        "blank_id": tokens.encode(" ", add_special_tokens=False).ids[0],
        "is_multilingual": int(settings.is_multilingual),
        "no_speech": token("nospeech"),
        "non_speech_tokens": settings.suppress_tokens,
        "transcribe": token("transcribe"),
        "translate": token("translate"),
        "sot_prev": token("startofprev"),
        "sot_lm": token("startoflm"),
        "no_timestamps": token("notimestamps"),
        "n_alignment_heads": len(settings.alignment_heads),
        "alignment_heads": [f"{layer}:{head}" for layer, head in settings.alignment_heads],
    }
    return {
        key: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for key, value in values.items()
    }


def token_list(tokenizer: bytes) -> str:
    """Each text token's bytes in base64 and its id, a line each, in the order of the ids.

    As in OpenAI's lists, "=" is the token without bytes.
    """
    tokens = sorted(text_tokens(tokenizer).items(), key=lambda item: item[1])
    return "".join(
        f"{base64.b64encode(token).decode() or '='} {index}\n" for token, index in tokens
    )


def _build_encoder(ops: SherpaOps, checkpoint: Checkpoint) -> None:
    graph, d = ops.graph, ops.dimensions
    mel = graph.input("mel", ("n_audio", d.n_mels, "frames"))
    encode(ops, graph.op("Transpose", [mel], perm=[0, 2, 1]), d)


def _build_decoder(ops: SherpaOps, checkpoint: Checkpoint) -> None:
    graph, d = ops.graph, ops.dimensions
    graph.input("tokens", ("n_audio", "n_tokens"), "int64")
    cache = (d.n_text_layer, "n_audio", d.n_text_ctx, d.n_text_state)
    for kind in KINDS:
        graph.input(_cache(kind), cache)
    for kind in KINDS:
        # Whatever the number of hypotheses, they hear one sound: the sizes broadcast.
        graph.input(_cross(kind), (d.n_text_layer, "n_sounds", "positions", d.n_text_state))
    graph.input("offset", (1,), "int64")
    heads = checkpoint.generation.alignment_heads
    graph.output("logits", decode(ops, d, heads), ("n_audio", "n_tokens", d.n_vocab))
    for kind in KINDS:
        graph.output(_cache(kind, "out"), ops.present(kind), cache)
    weights = graph.op("Concat", ops.alignment, axis=1)
    shape = ("n_audio", len(heads), "n_tokens", "positions")
    graph.output("cross_attention_weights", weights, shape)
