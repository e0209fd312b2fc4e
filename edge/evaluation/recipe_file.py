"""A recipe in a file of its own: how each matrix is stored, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from ...exporters.targets import written
from ...models.precision_text import parse_precision
from ...models.quantize import PARTS, Recipe, part_of
from ..errors import ConfigError, WhisperqError
from ..types import Precision, Rounding

FORMAT = 1


class CheckpointMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a recipe was measured on: a checkpoint's name, and the sha256 of its weights."""

    name: str
    digest: str


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the checkpoint lost by the recipe, computed by the reference.

    Attributes:
        wer: Word error rate.
        wer_reference: Of the checkpoint in floats, on the same recordings.
        divergence: See ``Loss``.
        token_agreement: Likewise.
        n_bytes: Of all weights.
        limit: What it had to keep.
        recordings: How many.
        recordings_digest: sha256 over their samples and words.
        tool: Name and version of what measured it.
    """

    wer: float
    wer_reference: float
    divergence: float
    token_agreement: float
    n_bytes: int
    limit: str
    recordings: int
    recordings_digest: str
    tool: str


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of the file.

    Attributes:
        format: ``FORMAT``.
        rounding: How the integers of int4 are chosen.
        calibration_digest: sha256 over the recordings that a rounding listened to.
        checkpoint: What it was measured on; None of one that a person wrote.
        parts: The precision of "encoder", "decoder" and "head", as the command line writes it.
        layers: Of matrices that differ from their part.
        measured: Likewise.
    """

    format: int
    parts: dict[str, str]
    rounding: Rounding = "nearest"
    calibration_digest: str | None = None
    checkpoint: CheckpointMark | None = None
    layers: dict[str, str] = {}
    measured: Measured | None = None

    @property
    def recipe(self) -> Recipe:
        """What it asks for; valid, since it was read by ``read_recipe_file``."""
        parts = {part: parse_precision(self.parts[part]) for part in PARTS}
        layers = {name: parse_precision(text) for name, text in self.layers.items()}
        return Recipe(**parts, layers=layers, rounding=self.rounding)


def read_recipe_file(path: Path) -> RecipeFile:
    """Read and check a recipe.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong; the message says what.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    try:
        content = msgspec.toml.decode(raw, type=dict[str, Any])
        version = content.get("format")
        if version is not None and version != FORMAT:
            _refuse(path, f"format {version!r} is not {FORMAT}, which this release reads")
        file = msgspec.convert(content, RecipeFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse(path, str(error))
    if missing := [part for part in PARTS if part not in file.parts]:
        _refuse(path, f"[parts] lacks {', '.join(missing)}")
    if unknown := sorted(file.parts.keys() - set(PARTS)):
        _refuse(path, f"[parts] has no {', '.join(unknown)}; it has {', '.join(PARTS)}")
    for table, entries in (("parts", file.parts), ("layers", file.layers)):
        for name, text in entries.items():
            try:
                parse_precision(text)
            except WhisperqError as error:
                _refuse(path, f"[{table}] {name}: {error}")
    return file


def write_recipe_file(path: Path, file: RecipeFile) -> None:
    """Write a recipe whole, or not at all.

    Raises:
        WhisperqError: The system refuses.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(_toml(file), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise WhisperqError(f"cannot write {path}: {error.strerror}") from error


def by_parts(matrices: Mapping[str, Precision], rounding: Rounding = "nearest") -> Recipe:
    """The shortest recipe that stores matrices so: a part's commonest precision is the part's.

    Args:
        matrices: Every matrix of a checkpoint.
        rounding: Of the recipe.
    """
    of_part: dict[str, list[Precision]] = {part: [] for part in PARTS}
    for name, precision in matrices.items():
        of_part[part_of(name)].append(precision)
    parts = {part: max(stored, key=stored.count) for part, stored in of_part.items()}
    layers = {
        name: precision for name, precision in matrices.items() if precision != parts[part_of(name)]
    }
    return Recipe(**parts, layers=layers, rounding=rounding)


def texts_of(recipe: Recipe) -> tuple[dict[str, str], dict[str, str]]:
    """The tables ``parts`` and ``layers`` of a recipe."""
    parts = {part: written(recipe.quantization[part]) for part in PARTS}
    return parts, {name: written(stored) for name, stored in recipe.layers.items()}


def _toml(file: RecipeFile) -> str:
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("For: whisperq-edge export --recipe FILE"))
    # Plain values before tables, as TOML wants them.
    content = msgspec.to_builtins(file)
    for key in sorted(content, key=lambda key: isinstance(content[key], dict)):
        if content[key] not in (None, {}):
            document[key] = content[key]
    return tomlkit.dumps(document)


def _refuse(path: Path, why: str) -> NoReturn:
    raise ConfigError(f"{path} is not a recipe: {why}")
