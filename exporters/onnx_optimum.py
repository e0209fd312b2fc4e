"""ONNX as optimum and transformers.js read it: an encoder, and a decoder that branches.

``use_cache_branch`` tells the decoder whether there is a past. In a window's first step there is
none: the cross-attention's keys and values are computed from the encoder's output and given out.
Later steps get them back as inputs, and give empty arrays in their place. optimum exports the whole
network twice for that, inside one ``If``; here only what differs branches, so that no weight is
prepared twice at load.

There is a third form, ``decoder_model`` and ``decoder_with_past_model``, which would store the
weights again. Both programs prefer the one written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto

from ..edge.artifact import GraphSpec
from ..edge.types import PrecisionName
from ..models.parameters import Parameters
from ..models.quantize import part_of
from ..models.whisper import decode, encode_audio, fill_cross_cache
from . import onnx_weights
from .exporter import ExportRequest
from .hugging_face_files import write_hugging_face_files
from .onnx_interchange import InterchangeOps
from .onnx_own_weights import OwnWeightsGraph

FOLDER = "onnx"  # where transformers.js looks; optimum finds it anywhere
ENCODER, DECODER = "encoder_model", "decoder_model_merged"
VERSIONS = (18, 8)  # opset and IR version
# transformers.js tells precisions by the file's name; the finest first.
SUFFIXES: dict[PrecisionName, str] = {"fp32": "", "fp16": "_fp16", "int8": "_int8"}
KINDS = ("key", "value")


class OptimumOps(InterchangeOps):
    """The encoder without the cross-attention's cache, and the decoder that makes it."""

    graph: OwnWeightsGraph

    def first_step(self) -> None:
        """Make the cross-attention's keys and values, in a window's first step alone."""
        d = self.dimensions
        names = [name for layer in range(d.n_text_layer) for name in present(layer, "encoder")]
        empty = np.zeros((0, d.n_text_head, 1, d.n_text_state // d.n_text_head), np.float32)
        nothing = self.graph.constant(empty, "nothing")

        def make() -> list[str]:
            fill_cross_cache(self, "encoder_hidden_states", d)
            return self._crossed

        self._either("cross_cache", lambda: [self._copy(nothing) for _ in names], make, names)

    def cross_cache(self, kv: str, n_heads: int, n_layers: int) -> None:
        """See Ops."""
        self._crossed = [self._batch_heads(part, n_heads) for part in self._split(kv, 2 * n_layers)]

    def cached_attention(self, qkv: str, n_heads: int, layer: int) -> str:
        """See Ops."""
        q, *new = (self._batch_heads(part, n_heads) for part in self._split(qkv, 3))

        def append() -> list[str]:
            pairs = zip(past(layer, "decoder"), new, strict=True)
            return [self._op("Concat", *pair, axis=2) for pair in pairs]

        keys, values = self._either(
            f"self_{layer}", append, lambda: [self._copy(x) for x in new], present(layer, "decoder")
        )
        scores = self._op("Add", self._scores(q, keys), self._once("mask", self._make_mask))
        return self._merged(scores, values)

    def cross_attention(self, q: str, n_heads: int, layer: int, aligned: tuple[int, ...]) -> str:
        """See Ops; the weights of every head are an output, as transformers.js asks for them.

        It branches around the products: choosing keys and values first would copy them each step.
        """
        y, _ = self._either(
            f"cross_{layer}",
            lambda: self._attend(q, *past(layer, "encoder")),
            lambda: self._attend(q, *present(layer, "encoder")),
            (f"cross_{layer}_output", attentions(layer)),
        )
        return y

    def _either(
        self,
        name: str,
        later: Callable[[], Sequence[str]],
        first: Callable[[], Sequence[str]],
        outputs: Sequence[str],
    ) -> list[str]:
        """The values of ``later`` where there is a past, else those of ``first``."""
        self._past()  # what only one side makes, nobody else sees
        before = dict(self._made)
        sides = {}
        for side, build in (("then_branch", later), ("else_branch", first)):
            sides[side] = self.graph.branch(f"{name}_{side}", build)
            self._made = dict(before)
        self.graph.op("If", ["use_cache_branch"], outputs=outputs, **sides)
        return list(outputs)

    def _past(self) -> str:
        return self._once("past", self._make_past)

    def _make_past(self) -> str:
        """The length of the past; a first step's is a dummy of any length."""
        length = self._op("Shape", past(0, "decoder")[0], start=2, end=3)
        there = self._op("Cast", "use_cache_branch", to=TensorProto.INT64)
        return self._op("Mul", length, there)

    def _copy(self, x: str) -> str:
        return self._op("Identity", x)


def past(layer: int, side: str) -> tuple[str, str]:
    """The inputs with the keys and values of a layer; ``side`` is whose: "encoder", "decoder"."""
    key, value = (f"past_key_values.{layer}.{side}.{kind}" for kind in KINDS)
    return key, value


def present(layer: int, side: str) -> tuple[str, str]:
    """The outputs that become them."""
    key, value = (f"present.{layer}.{side}.{kind}" for kind in KINDS)
    return key, value


def attentions(layer: int) -> str:
    """The output with a layer's cross-attention."""
    return f"cross_attentions.{layer}"


def write(request: ExportRequest, parameters: Parameters, folder: Path) -> dict[str, GraphSpec]:
    """Write both graphs and the files that describe the model to the two programs."""
    arrays = onnx_weights.pack(parameters, portable=True)
    graphs: dict[str, GraphSpec] = {}
    precisions: dict[str, PrecisionName] = {}
    for name, file, build in (
        ("encoder", ENCODER, _build_encoder),
        ("decoder", DECODER, _build_decoder),
    ):
        graph = OwnWeightsGraph(name, *VERSIONS)
        ops = OptimumOps(graph, parameters, arrays, request.checkpoint.dimensions)
        build(ops)
        precisions[file] = _precision(request, name)
        path = f"{FOLDER}/{file}{SUFFIXES[precisions[file]]}.onnx"
        graphs[name] = graph.save_whole(folder, path, arrays, ops.activations)
    write_hugging_face_files(
        folder,
        request.checkpoint,
        {"dtype": precisions, "use_external_data_format": _beside(folder)},
    )
    return graphs


def _precision(request: ExportRequest, part: str) -> PrecisionName:
    """What the file of a part is called after: the coarsest number format of its matrices."""
    recipe = request.recipe
    names = {
        precision.name
        for name, precision in recipe.quantization.items()
        if (name == "encoder" or part_of(name) == "encoder") == (part == "encoder")
    }
    return max(names, key=list(SUFFIXES).index)


def _beside(folder: Path) -> dict[str, bool]:
    """The graphs whose weights lie beside them."""
    return {
        path.name.removesuffix("_data"): True for path in sorted((folder / FOLDER).glob("*_data"))
    }


def _build_encoder(ops: OptimumOps) -> None:
    graph, d = ops.graph, ops.dimensions
    mel = graph.input("input_features", ("batch_size", d.n_mels, "frames"))
    x = encode_audio(ops, graph.op("Transpose", [mel], perm=[0, 2, 1]), d)
    shape = ("batch_size", "encoder_sequence_length", d.n_audio_state)
    graph.output("last_hidden_state", x, shape)


def _build_decoder(ops: OptimumOps) -> None:
    graph, d = ops.graph, ops.dimensions
    batch, new, old, heard = (
        "batch_size",
        "decoder_sequence_length",
        "past_decoder_sequence_length",
        "encoder_sequence_length",
    )
    graph.input("encoder_hidden_states", (batch, heard, d.n_audio_state))
    tokens = graph.input("input_ids", (batch, new), "int64")
    heads, head = d.n_text_head, d.n_text_state // d.n_text_head
    for name, length in _by_layer(d.n_text_layer, past, old, "encoder_sequence_length_out"):
        graph.input(name, (batch, heads, length, head))
    graph.input("use_cache_branch", (1,), "bool")
    graph.op("Identity", [tokens], outputs=["tokens"])
    ops.first_step()
    graph.output("logits", decode(ops, d, ()), (batch, new, d.n_vocab))
    for name, length in _by_layer(d.n_text_layer, present, f"{old} + {new}", f"{heard}_out"):
        graph.declare_output(name, (batch, heads, length, head))
    for layer in range(d.n_text_layer):
        graph.declare_output(attentions(layer), (batch, heads, new, heard))


def _by_layer(
    n_layers: int, names: Callable[[int, str], tuple[str, str]], decoder: str, encoder: str
) -> Iterator[tuple[str, str]]:
    """Every key and value in optimum's order, with the name of its length."""
    for layer in range(n_layers):
        for side, length in (("decoder", decoder), ("encoder", encoder)):
            for name in names(layer, side):
                yield name, length
