"""The packages of each layout, and whose they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.converters.mil.mil import Function

from ..edge.types import ActivationRule
from ..models.palette import LUT6
from ..models.parameters import Parameters
from .coreml_functions import Dtype, FunctionBuilder
from .coreml_package import MAIN
from .exporter import ExportRequest

CROSS_CACHE, EMBEDDINGS = "cross_cache", "encoder_output_embeds"

_RULES: Mapping[Dtype, ActivationRule] = {np.float16: "float16", np.float32: "float"}


@dataclass(frozen=True)
class Package:
    """One package to write.

    Attributes:
        file: Its name.
        functions: What builds each of its functions, by name.
        activations: How its products round what they take, by part.
        graph: What the manifest calls it; None where the artifact runs without it.
    """

    file: str
    functions: Mapping[str, Callable[[], Function]]
    activations: Mapping[str, ActivationRule]
    graph: str | None


def packages(
    request: ExportRequest, parameters: Parameters, windows: tuple[int, ...]
) -> list[Package]:
    """What a layout consists of.

    Args:
        request: What is exported.
        parameters: As ``CoremlExporter.fitted`` gave them.
        windows: Lengths in positions, ascending.
    """
    dimensions, generation = request.checkpoint.dimensions, request.checkpoint.generation
    build = FunctionBuilder(parameters, dimensions, generation, oldest_system(request))
    dtypes = program_dtypes(parameters)
    encoder, decoder = dtypes["encoder"], dtypes["decoder"]
    encoding: dict[str, ActivationRule] = {"encoder": _RULES[encoder]}
    decoding: dict[str, ActivationRule] = {"decoder": _RULES[decoder], "head": _RULES[decoder]}
    if request.layout == "whispercpp":
        file = f"ggml-{ggml_name(request.checkpoint.name)}-encoder.mlpackage"
        encode = partial(build.whispercpp_encoder, encoder)
        return [Package(file, {MAIN: encode}, encoding, "encoder")]
    whisperkit = request.layout == "whisperkit"
    files = ("AudioEncoder", "TextDecoder") if whisperkit else ("encoder", "decoder")
    window = EMBEDDINGS if whisperkit else CROSS_CACHE
    names = [MAIN] if len(windows) == 1 else [f"positions_{length}" for length in windows]
    by_window = list(zip(names, windows, strict=True))
    encoders = {name: partial(build.encoder, n, encoder, window) for name, n in by_window}
    decoders = {name: partial(build.decoder, n, decoder, window) for name, n in by_window}
    wanted = [
        Package(f"{files[0]}.mlpackage", encoders, encoding, "encoder"),
        Package(f"{files[1]}.mlpackage", decoders, decoding, "decoder"),
    ]
    if whisperkit:
        wanted.append(Package("MelSpectrogram.mlpackage", {MAIN: build.mel_spectrogram}, {}, None))
    return wanted


def ggml_name(checkpoint: str) -> str:
    """What whisper.cpp calls a checkpoint: ``openai/whisper-tiny.en`` is its ``tiny.en``."""
    return checkpoint.rsplit("/", 1)[-1].removeprefix("whisper-")


def oldest_system(request: ExportRequest) -> Any:  # noqa: ANN401 - coremltools is untyped
    """The first that read it: iOS 16, or 18 for what came with it.

    That is blocks, palettes of groups, and several functions.
    """
    stored = request.recipe.quantization.values()
    is_new = any(precision.block or precision == LUT6 for precision in stored)
    return ct.target.iOS18 if is_new or len(request.windows) > 1 else ct.target.iOS16


def program_of(parameter: str) -> str:
    """The program that computes with a parameter: "encoder" or "decoder"."""
    return "encoder" if parameter.startswith(("encoder.", "decoder.cross_kv")) else "decoder"


def program_dtypes(parameters: Parameters) -> dict[str, Dtype]:
    """What each program computes in: halves, unless a matrix of its own was asked for in fp32."""
    dtypes: dict[str, Dtype] = {"encoder": np.float16, "decoder": np.float16}
    for name, matrix in parameters.matrices.items():
        if isinstance(matrix, np.ndarray) and matrix.dtype == np.float32:
            dtypes[program_of(name)] = np.float32
    return dtypes
