"""Folders of other programs: which of their files are one model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..artifact import LATER_DECODER, MANIFEST, TOKENIZER
from ..errors import ConfigError

MOST_BYTES_DESCRIBING = 2**22  # of a file that describes a model, and is not one
OPTIMUM_FOLDERS = ("", "onnx/")  # where optimum and transformers.js keep graphs
PLAIN = "plain"  # the variant whose files have no suffix
_OPTIMUM_ENCODER = "encoder_model"
# What a decoder may be, in the order of preference, by the names of an artifact's graphs.
_OPTIMUM_DECODERS = (
    {"decoder": "decoder_model_merged"},
    {"decoder": "decoder_model", LATER_DECODER: "decoder_with_past_model"},
)
_SHERPA = re.compile(r"(?:(.*)-)?encoder(?:\.(\w+))?\.onnx")
_OPENVINO = {"encoder": "openvino_encoder_model.xml", "decoder": "openvino_decoder_model.xml"}


@dataclass(frozen=True)
class ForeignFolder:
    """One model in a folder that another program wrote.

    Attributes:
        folder: Where it lies.
        target: Of ours, that its graphs belong to.
        layout: Likewise.
        variant: What its files are called after, "int8"; empty for plain names.
        graphs: Files by the names of an artifact's graphs.
        described: Files that describe it, and stay beside the graphs.
    """

    folder: Path
    target: str
    layout: str
    variant: str
    graphs: Mapping[str, str]
    described: tuple[str, ...]


def recognize(folder: Path, variant: str | None = None) -> ForeignFolder:
    """Find the model in a folder.

    Args:
        folder: Of optimum or onnx-community, of OpenVINO's hub, or of sherpa-onnx.
        variant: Which one, where it holds the model several times: "int8", "quantized".

    Raises:
        ConfigError: It holds no model of these programs, not that variant, or several.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder")
    if (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder} is an artifact already")
    names = [path.name for path in folder.iterdir()]
    for target, layout, found in (
        ("openvino", "genai", _openvino(names)),
        ("onnx", "optimum", _optimum(folder)),
        ("onnx", "sherpa", _sherpa(names)),
    ):
        if models := dict(found):
            chosen = _choose(folder, models, variant)
            described = tuple(sorted(_describing(folder)))
            return ForeignFolder(folder, target, layout, chosen, models[chosen], described)
    raise ConfigError(
        f"{folder} holds no model to adopt: neither encoder_model.onnx and its decoder, nor "
        "openvino_encoder_model.xml and its decoder, nor NAME-encoder.onnx and NAME-decoder.onnx"
    )


def _openvino(names: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    if set(_OPENVINO.values()) <= set(names):
        yield "", dict(_OPENVINO)


def _optimum(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every model by its suffix; the files of one have the same, unless there are no others."""
    for place in OPTIMUM_FOLDERS:
        names = {path.name for path in folder.joinpath(place).glob("*.onnx")}
        encoders = _suffixes(names, _OPTIMUM_ENCODER)
        for decoder in _OPTIMUM_DECODERS:
            suffixes = set.intersection(*(_suffixes(names, stem) for stem in decoder.values()))
            pairs = {(suffix, suffix) for suffix in encoders & suffixes}
            if not pairs and len(encoders) == len(suffixes) == 1:
                pairs = {(next(iter(encoders)), next(iter(suffixes)))}
            for encoder, suffix in sorted(pairs):
                graphs = {"encoder": f"{place}{_OPTIMUM_ENCODER}{encoder}.onnx"}
                graphs |= {name: f"{place}{stem}{suffix}.onnx" for name, stem in decoder.items()}
                yield suffix.removeprefix("_"), graphs
            if pairs:
                return


def _suffixes(names: Collection[str], stem: str) -> set[str]:
    """What follows a stem: "" and "_int8"; the stem of another graph is not a suffix."""
    found = (re.fullmatch(rf"{stem}(_\w+)?\.onnx", name) for name in names)
    suffixes = {match[1] or "" for match in found if match}
    return {suffix for suffix in suffixes if not suffix.startswith("_merged")}


def _sherpa(names: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    found = [match for name in names if (match := _SHERPA.fullmatch(name))]
    if len(models := {match[1] or "" for match in found}) > 1:
        which = ", ".join(sorted(models))
        raise ConfigError(f"several models in one folder: {which}; give each a folder of its own")
    for match in found:
        decoder = match[0].replace("encoder", "decoder")
        if decoder in names:
            yield match[2] or "", {"encoder": match[0], "decoder": decoder}


def _choose(folder: Path, models: Mapping[str, object], variant: str | None) -> str:
    """The variant that was asked for, else the plain one, else the only one.

    Raises:
        ConfigError: There is none such, or no way to choose.
    """
    names = ", ".join(sorted(name or PLAIN for name in models))
    if variant is not None:
        wanted = "" if variant == PLAIN else variant
        if wanted not in models:
            raise ConfigError(f"{folder} has no variant {variant}; it has: {names}")
        return wanted
    if "" in models:
        return ""
    if len(models) > 1:
        raise ConfigError(f"{folder} holds several models, choose one with --variant: {names}")
    return next(iter(models))


def _describing(folder: Path) -> Iterator[str]:
    """Configurations and lists of tokens; the tokenizer is written anew, complete."""
    for path in folder.iterdir():
        is_text = path.suffix in (".json", ".txt") and path.name not in (MANIFEST, TOKENIZER)
        if is_text and path.is_file() and path.stat().st_size <= MOST_BYTES_DESCRIBING:
            yield path.name
