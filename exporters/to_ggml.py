"""whisper.cpp: its own file, written straight from a checkpoint.

Nothing but NumPy takes part. In the file lie the checkpoint's own tensors, in one precision for all
matrices, because whisper.cpp makes room for one; its convolutions are halves, and biases, norms and
position tables are floats.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..edge.artifact import GraphSpec, Manifest, TensorSpec
from ..edge.audio.mel import mel_filters
from ..edge.errors import ArtifactError, ExportError, UnsupportedPrecisionError
from ..edge.types import ActivationRule, AudioContexts, PrecisionName, Progress
from ..models.checkpoint import Checkpoint
from ..models.ggml_blocks import BLOCK, FORMATS, GgmlTensor, pack
from ..models.ggml_file import (
    FILE_TYPES,
    HEADER,
    MAGIC,
    QUANTIZATION_VERSION,
    VERSION_FACTOR,
    GgmlFile,
    tensor_precision,
    write_tensor_header,
)
from ..models.ggml_tensors import KERNEL, tensor_names, tensor_shape
from ..models.parameters import Parameters
from ..models.quantize import CONVOLUTIONS
from ..models.vocabulary import END, text_tokens
from .exporter import ExportedGraphs, Exporter, ExportRequest

MODEL_FILE = "ggml-model.bin"
# whisper.cpp counts its special tokens from the end of text, whose place follows from the number of
# all tokens: the English-only vocabulary, 99 languages, 100 languages.
END_OF_TEXT = {51864: 50256, 51865: 50257, 51866: 50257}


class GgmlExporter(Exporter):
    """See Exporter."""

    target = "ggml"
    as_published = True

    def check(self, request: ExportRequest) -> None:
        """See Exporter."""
        super().check(request)
        dimensions = request.checkpoint.dimensions
        precision = request.recipe.decoder.name
        if precision in FORMATS and dimensions.n_audio_state % BLOCK:
            raise UnsupportedPrecisionError(
                f"{precision} needs rows of whole blocks of {BLOCK}, and this model's have "
                f"{dimensions.n_audio_state}; export it as fp16"
            )
        end = Tokenizer.from_buffer(request.checkpoint.tokenizer).token_to_id(END)
        if END_OF_TEXT.get(dimensions.n_vocab) != end:
            raise ExportError(
                f"whisper.cpp knows the special tokens of official vocabularies alone, and this "
                f"one has {dimensions.n_vocab} tokens with the end of text at {end}"
            )

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter."""
        progress("write", 0.0)
        try:
            with (folder / MODEL_FILE).open("wb") as file:
                _write(file, request.checkpoint, parameters, request.recipe.decoder.name, progress)
        except OSError as error:
            raise ExportError(f"cannot write {MODEL_FILE}: {error.strerror}") from error
        progress("write", 1.0)
        contexts = AudioContexts(request.checkpoint.dimensions.n_audio_ctx)
        return ExportedGraphs(_graphs(request.checkpoint), contexts, {})

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        file = GgmlFile.read(folder / MODEL_FILE)
        if file.precision != manifest.quantization["decoder"].name:
            raise ArtifactError(f"{file.path} is in {file.precision}, its manifest says otherwise")
        if file.dimensions != manifest.dimensions:
            raise ArtifactError(f"{file.path} is of {file.dimensions}, its manifest says otherwise")
        return file.parameters()


def _graphs(checkpoint: Checkpoint) -> dict[str, GraphSpec]:
    """Both of one file; whisper.cpp builds them itself, and shows logits alone."""
    d = checkpoint.dimensions
    rules: dict[str, ActivationRule] = dict.fromkeys(("encoder", "decoder", "head"), "ggml")
    mel = TensorSpec("mel", "float32", (d.n_mels, "frames"))
    tokens = TensorSpec("tokens", "int32", ("tokens",))
    logits = TensorSpec("logits", "float32", ("tokens", d.n_vocab))
    return {
        "encoder": GraphSpec(MODEL_FILE, (mel,), (), {"encoder": rules["encoder"]}),
        "decoder": GraphSpec(
            MODEL_FILE, (tokens,), (logits,), {part: rules[part] for part in ("decoder", "head")}
        ),
    }


def _write(
    file: BinaryIO,
    checkpoint: Checkpoint,
    parameters: Parameters,
    precision: PrecisionName,
    progress: Progress,
) -> None:
    d = checkpoint.dimensions
    version = QUANTIZATION_VERSION if precision in FORMATS else 0
    header = [getattr(d, name) for name in HEADER]
    file.write(struct.pack("<I", MAGIC))
    file.write(struct.pack(f"<{len(header)}i", *header))
    file.write(struct.pack("<i", version * VERSION_FACTOR + FILE_TYPES[precision]))
    filters = mel_filters(d.n_mels)
    file.write(struct.pack("<2i", *filters.shape) + filters.astype("<f4").tobytes())
    tokens = _tokens(checkpoint)
    file.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        file.write(struct.pack("<i", len(token)) + token)
    names = tensor_names(d)
    n_written, n_all = 0, len(names.matrices) + len(names.vectors)
    for ours, parts in (*names.vectors.items(), *names.matrices.items()):
        for name, values in zip(parts, _split(parameters, ours, len(parts)), strict=True):
            if name is None:  # a bias of zeros
                if isinstance(values, GgmlTensor) or values.any():
                    raise ExportError(f"whisper.cpp has no bias in keys, and {ours} has one")
                continue
            kind = tensor_precision(name, precision)
            file.write(write_tensor_header(name, tensor_shape(name, d), kind))
            file.write(_bytes(values, kind))
        n_written += 1
        progress("write", n_written / n_all)


def _tokens(checkpoint: Checkpoint) -> list[bytes]:
    """The text tokens in the order of their ids, each as the bytes that it stands for."""
    by_id = {token: spelt for spelt, token in text_tokens(checkpoint.tokenizer).items()}
    return [by_id.get(token, b"") for token in range(END_OF_TEXT[checkpoint.dimensions.n_vocab])]


def _split(parameters: Parameters, ours: str, n_parts: int) -> Iterator[GgmlTensor | NDArray[Any]]:
    """A parameter's parts, as the file lays them out."""
    is_vector = ours in parameters.vectors
    whole = parameters.vectors[ours] if is_vector else parameters.matrices[ours]
    if not isinstance(whole, (GgmlTensor, np.ndarray)):
        raise ExportError(f"{ours} is stored as {whole.precision}, which whisper.cpp has not")
    n_rows = len(whole.values if isinstance(whole, GgmlTensor) else whole) // n_parts
    for part in range(n_parts):
        rows = slice(part * n_rows, (part + 1) * n_rows)
        values = whole.rows(rows) if isinstance(whole, GgmlTensor) else whole[rows]
        if ours in CONVOLUTIONS and isinstance(values, np.ndarray):
            values = values.reshape(n_rows, KERNEL, -1).transpose(0, 2, 1)
        yield values


def _bytes(values: GgmlTensor | NDArray[Any], precision: PrecisionName) -> bytes:
    if isinstance(values, GgmlTensor):
        return pack(values).tobytes()
    return values.astype("<f2" if precision == "fp16" else "<f4").tobytes()
