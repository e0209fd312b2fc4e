"""What another program's files say of a model, beyond its graphs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...exporters.foreign import ForeignGraph
from ...models.generation import PublishedGeneration, generation_settings
from ...models.hugging_face_folder import CONFIG, describe_folder
from ...models.vocabulary import official_tokenizer, text_tokens
from ..errors import ConfigError
from ..types import GenerationSettings, ModelDimensions
from .foreign_folder import ForeignFolder


@dataclass(frozen=True)
class ForeignModel:
    """All that an artifact has to know of a model.

    Attributes:
        dimensions: Its shape.
        generation: What it says about decoding, completed.
        tokenizer: A complete ``tokenizer.json``.
        licence: Of its card; None without one.
    """

    dimensions: ModelDimensions
    generation: GenerationSettings
    tokenizer: bytes
    licence: str | None = None


class _Origin(msgspec.Struct, frozen=True):
    """The field of ``config.json`` that names a checkpoint."""

    name: str | None = msgspec.field(default=None, name="_name_or_path")


def model_of(found: ForeignFolder, graphs: Mapping[str, ForeignGraph]) -> ForeignModel:
    """Read what describes a model.

    Raises:
        ConfigError: Something is missing, or no Whisper's.
    """
    if found.layout == "sherpa":
        return _in_metadata(found, graphs["encoder"].properties)
    described = describe_folder(found.folder)
    settings = generation_settings(described.dimensions, described.tokenizer, described.published)
    return ForeignModel(described.dimensions, settings, described.tokenizer, described.licence)


def named_checkpoint(folder: Path) -> str | None:
    """The checkpoint that a folder's ``config.json`` names; None where it names none."""
    try:
        return msgspec.json.decode((folder / CONFIG).read_bytes(), type=_Origin).name
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # if it is damaged, whoever needs it says so


def _in_metadata(found: ForeignFolder, properties: Mapping[str, str]) -> ForeignModel:
    encoder = found.folder / found.graphs["encoder"]
    try:
        dimensions = ModelDimensions(
            **{field: int(properties[field]) for field in ModelDimensions.__struct_fields__}
        )
        heads = [
            pair.split(":") for pair in properties.get("alignment_heads", "").split(",") if pair
        ]
        published = PublishedGeneration(
            is_multilingual=bool(int(properties["is_multilingual"])),
            alignment_heads=tuple((int(layer), int(head)) for layer, head in heads) or None,
        )
    except KeyError as error:
        raise ConfigError(f"{encoder}: its metadata lacks {error.args[0]}") from None
    except ValueError as error:
        raise ConfigError(f"{encoder}: its metadata is damaged: {error}") from None
    tokenizer = official_tokenizer(dimensions.n_vocab)
    _check_tokens(found, encoder, tokenizer)
    return ForeignModel(
        dimensions, generation_settings(dimensions, tokenizer, published), tokenizer
    )


def _check_tokens(found: ForeignFolder, encoder: Path, tokenizer: bytes) -> None:
    """Refuse a vocabulary that is not OpenAI's: sherpa-onnx's list is not a whole tokenizer."""
    stem = encoder.name.split("encoder")[0]
    path = found.folder / f"{stem}tokens.txt"
    try:
        rows = [line.split() for line in path.read_text("ascii").splitlines() if line.strip()]
        listed = {base64.b64decode(token): int(index) for token, index in rows}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not a list of tokens: {error}") from error
    if listed != text_tokens(tokenizer):
        raise ConfigError(f"{path} is not one of OpenAI's vocabularies, which is all that is known")
