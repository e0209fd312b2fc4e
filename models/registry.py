"""The checkpoints that have a short name; see ``registry.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from ..edge.errors import ConfigError, UnknownNameError
from ..edge.types import ModelDimensions
from .tensors import n_parameters

_ENGLISH_VOCABULARY = 51864  # tokens; multilingual models have one text token more
_FILE = "registry.toml"


class RegistryEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One official checkpoint.

    Attributes:
        licence: Identifier from the model card, in lower case.
        n_state: Width of the encoder and the decoder.
        n_head: Attention heads of every layer.
        hub: Its Hugging Face id; None for the bundled one.
        languages: What it was trained on, where that is less than its vocabulary has.
        alignment_heads: ``(layer, head)`` pairs; empty where nobody measured them.
        openai_sha256: Of OpenAI's own ``.pt`` file.
    """

    licence: str
    n_mels: int
    n_vocab: int
    n_state: int
    n_head: int
    n_audio_layer: int
    n_text_layer: int
    hub: str | None = None
    languages: tuple[str, ...] = ()
    alignment_heads: tuple[tuple[int, int], ...] = ()
    openai_sha256: str | None = None

    @property
    def dimensions(self) -> ModelDimensions:
        """The model's shape."""
        return ModelDimensions(
            n_mels=self.n_mels,
            n_audio_ctx=1500,
            n_audio_state=self.n_state,
            n_audio_head=self.n_head,
            n_audio_layer=self.n_audio_layer,
            n_vocab=self.n_vocab,
            n_text_ctx=448,
            n_text_state=self.n_state,
            n_text_head=self.n_head,
            n_text_layer=self.n_text_layer,
        )

    @property
    def n_languages(self) -> int:
        """Languages it was trained on."""
        extra = self.n_vocab - _ENGLISH_VOCABULARY
        return len(self.languages) or (98 + extra if extra else 1)

    @property
    def n_parameters(self) -> int:
        """Numbers in its tensors."""
        return n_parameters(self.dimensions)


@cache
def registry() -> Mapping[str, RegistryEntry]:
    """Every entry by its short name, in the order of the file.

    Raises:
        ConfigError: The file is wrong; names the file and the place in it.
    """
    return read_registry((files(__package__) / _FILE).read_bytes())


def read_registry(content: bytes) -> Mapping[str, RegistryEntry]:
    """Check and read the content of a registry file; see ``registry``."""
    name = ""
    try:
        entries: dict[str, RegistryEntry] = {}
        for name, values in msgspec.toml.decode(content, type=dict[str, object]).items():
            entries[name] = msgspec.convert(values, RegistryEntry)
    except msgspec.MsgspecError as error:
        place = f"[{name}]: " if name else ""
        raise ConfigError(f"models/{_FILE}: {place}{error}") from error
    return MappingProxyType(entries)


def find_entry(name: str) -> RegistryEntry:
    """The entry with this short name ("large-v3-turbo").

    Raises:
        UnknownNameError: There is none; says the nearest name.
    """
    if name not in registry():
        raise UnknownNameError("checkpoint", name, registry())
    return registry()[name]


def entry_of_hub_id(hub_id: str) -> RegistryEntry | None:
    """The entry of a Hugging Face id, if it is an official checkpoint."""
    return next((entry for entry in registry().values() if entry.hub == hub_id), None)


def entry_of_digest(sha256: str) -> RegistryEntry | None:
    """The entry whose OpenAI ``.pt`` file has this digest."""
    return next((entry for entry in registry().values() if entry.openai_sha256 == sha256), None)


def alignment_heads_like(dimensions: ModelDimensions) -> tuple[tuple[int, int], ...]:
    """The alignment heads of the official checkpoint of this shape, which a fine-tune inherits.

    Empty if there is none, or none were measured.
    """
    for entry in reversed(list(registry().values())):  # the later model is the likelier ancestor
        if entry.dimensions == dimensions and entry.alignment_heads:
            return entry.alignment_heads
    return ()
