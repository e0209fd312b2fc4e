"""Checkpoints in the layout of Hugging Face: ``config.json`` and weights in one or many files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from ..edge.errors import CheckpointError
from ..edge.types import ModelDimensions
from .checkpoint_parts import CheckpointParts
from .generation import PublishedGeneration
from .safetensors_file import read_safetensors
from .stored_tensor import StoredTensor, StoredWeights
from .tokenizer_file import read_tokenizer
from .torch_file import read_torch_file
from .vocabulary import official_tokenizer

CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
MODEL_CARD = "README.md"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json")
# In the order of preference; an index names the files that the weights are spread over.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_INDEX = ".index.json"
_HEAD = "proj_out.weight"

S = TypeVar("S", bound=msgspec.Struct)


class _Config(msgspec.Struct, frozen=True):
    model_type: str
    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    num_mel_bins: int
    vocab_size: int
    max_source_positions: int = 1500
    max_target_positions: int = 448
    activation_function: str = "gelu"
    scale_embedding: bool = False


class _ModelType(msgspec.Struct, frozen=True):
    model_type: str | None = None


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def read_folder(folder: Path) -> CheckpointParts:
    """Read a checkpoint in Hugging Face's layout.

    Raises:
        CheckpointError: A file is missing, corrupt, or of a model that is not a Whisper.
    """
    if (folder / "adapter_config.json").is_file() and not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder} is an adapter; merge it into its base model first")
    described = describe_folder(folder)
    return CheckpointParts(
        described.dimensions,
        _read_weights(folder),
        described.tokenizer,
        described.published,
        described.licence,
    )


class FolderDescription(NamedTuple):
    """All that a folder says of its model, but the weights; see ``CheckpointParts``."""

    dimensions: ModelDimensions
    tokenizer: bytes
    published: PublishedGeneration
    licence: str | None


def describe_folder(folder: Path) -> FolderDescription:
    """Read what lies beside the weights, whatever format those have.

    Raises:
        CheckpointError: A file is missing, corrupt, or of a model that is not a Whisper.
    """
    dimensions = _read_dimensions(folder / CONFIG)
    published = _read_json(folder / CONFIG, PublishedGeneration)
    if (folder / GENERATION_CONFIG).is_file():
        generation = _read_json(folder / GENERATION_CONFIG, PublishedGeneration)
        published = generation.or_else(published)
    return FolderDescription(
        dimensions,
        read_tokenizer(folder, dimensions.n_vocab) or official_tokenizer(dimensions.n_vocab),
        published,
        _read_licence(folder / MODEL_CARD),
    )


def shard_files(index: Path) -> tuple[str, ...]:
    """The names of the files that an index spreads the weights over, in order.

    Raises:
        CheckpointError: It is not an index, or names a file outside its folder.
    """
    names = tuple(sorted(set(_read_json(index, _Index).weight_map.values())))
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(f"{index} names a file outside its folder: {name}")
    return names


def _read_json(path: Path, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is not a checkpoint: it has no {path.name}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _read_dimensions(path: Path) -> ModelDimensions:
    if (kind := _read_json(path, _ModelType).model_type) != "whisper":
        raise CheckpointError(f"{path}: model_type is {kind!r}, not 'whisper'")
    config = _read_json(path, _Config)
    state = config.d_model
    wanted = {
        "encoder_ffn_dim": (config.encoder_ffn_dim, 4 * state),
        "decoder_ffn_dim": (config.decoder_ffn_dim, 4 * state),
        "activation_function": (config.activation_function, "gelu"),
        "scale_embedding": (config.scale_embedding, False),
    }
    for name, (found, right) in wanted.items():
        if found != right:
            raise CheckpointError(f"{path}: {name} is {found!r}; every Whisper has {right!r}")
    return ModelDimensions(
        n_mels=config.num_mel_bins,
        n_audio_ctx=config.max_source_positions,
        n_audio_state=state,
        n_audio_head=config.encoder_attention_heads,
        n_audio_layer=config.encoder_layers,
        n_vocab=config.vocab_size,
        n_text_ctx=config.max_target_positions,
        n_text_state=state,
        n_text_head=config.decoder_attention_heads,
        n_text_layer=config.decoder_layers,
    )


def _read_weights(folder: Path) -> StoredWeights:
    main = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if main is None:
        raise CheckpointError(f"{folder} has no weights: none of {', '.join(WEIGHT_FILES)}")
    is_index = main.name.endswith(_INDEX)
    files = tuple(folder / name for name in shard_files(main)) if is_index else (main,)
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        for name, tensor in _read_file(path).items():
            tensors[name.removeprefix("model.")] = tensor
    _check_head(main, tensors)
    return StoredWeights(files, tensors)


def _read_file(path: Path) -> Mapping[str, StoredTensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content = read_torch_file(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no table of tensors")
    return {str(k): tensor for k, tensor in content.items() if isinstance(tensor, StoredTensor)}


def _check_head(path: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Refuse an output head of its own: Whisper has the token embedding's, and so have we."""
    head, embedding = tensors.get(_HEAD), tensors.get("decoder.embed_tokens.weight")
    if head is None or embedding is None or head == embedding:
        return
    if head.shape != embedding.shape or (head.read() != embedding.read()).any():
        raise CheckpointError(f"{path}: {_HEAD} is not tied to decoder.embed_tokens.weight")


def _read_licence(card: Path) -> str | None:
    try:
        text = card.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    header = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    found = header and re.search(r"^license:\s*['\"]?([\w.+-]+)", header[1], re.MULTILINE)
    return found[1] if found else None
