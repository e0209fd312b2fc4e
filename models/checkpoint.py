"""One Whisper checkpoint, wherever it comes from.

A source is the name of an official model, a Hugging Face id, a folder in Hugging Face's layout or
an OpenAI ``.pt`` file. All of them become the same ``Checkpoint``, whose tensors have Hugging
Face's names and are read from the file when they are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np

from ..edge.errors import CheckpointError, UnknownNameError
from ..edge.types import (
    FloatArray,
    GenerationSettings,
    ModelDimensions,
    Progress,
    no_progress,
)
from . import hub
from .checkpoint_parts import CheckpointParts
from .generation import generation_settings
from .hugging_face_folder import read_folder
from .openai_file import read_openai_file
from .registry import entry_of_hub_id, find_entry, registry
from .stored_tensor import StoredWeights
from .tensors import check_tensors

DEMO = "demo"
UNKNOWN_LICENCE = "unknown"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True)
class Checkpoint:
    """A complete, checked checkpoint.

    Attributes:
        name: Its Hub id, the name of its folder or file, or "demo".
        dimensions: The model's shape.
        generation: What it says about decoding, completed where it says nothing.
        licence: Identifier from the registry or the model card; "unknown" where neither has one.
        revision: The commit on the Hub; None for local files.
        tokenizer: A complete, compact ``tokenizer.json``.
    """

    name: str
    dimensions: ModelDimensions
    generation: GenerationSettings
    licence: str
    revision: str | None
    tokenizer: bytes = field(repr=False)
    weights: StoredWeights = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """Sha256 of the weight files, in order, in hexadecimal; computed when first asked for."""
        return self.weights.digest()

    def tensor(self, name: str) -> FloatArray:
        """Read one tensor.

        Args:
            name: Hugging Face's, without the leading ``model.``
                ("encoder.layers.0.self_attn.q_proj.weight").

        Returns:
            The values as float32: read-only and memory-mapped where the file holds float32.

        Raises:
            CheckpointError: There is no such tensor, or it holds a NaN or an infinity.
        """
        if name not in self.weights.tensors:
            raise CheckpointError(f"{self.name} has no tensor {name}")
        values = self.weights.tensors[name].read()
        if not np.isfinite(values).all():
            raise CheckpointError(
                f"{self.name}: {name} holds NaN or infinity; the checkpoint is damaged"
            )
        return values


def load_checkpoint(
    source: str | Path,
    *,
    revision: str | None = None,
    offline: bool = False,
    progress: Progress = no_progress,
) -> Checkpoint:
    """Find, fetch if need be, and check a checkpoint.

    Args:
        source: A short name ("tiny", "large-v3-turbo", "demo"), a Hub id ("openai/whisper-tiny"),
            or the path of a folder or of a ``.pt`` file. A short name means the official model
            even where a folder of that name exists; write ``./tiny`` for the folder.
        revision: Branch, tag or commit on the Hub.
        offline: Use what is in the Hub's cache and never the network.
        progress: Told how far a download is.

    Raises:
        UnknownNameError: It is neither a path nor a name that is known.
        CheckpointError: It cannot be fetched, is corrupt, or is not a Whisper.
    """
    if source == DEMO:
        folder = Path(str(files(__package__) / DEMO))
        return _assemble(DEMO, read_folder(folder), find_entry(DEMO).licence)
    official = registry().get(str(source)) if isinstance(source, str) else None
    path = Path(source).expanduser()
    if official is None and path.is_dir():
        return _assemble(path.resolve().name, read_folder(path))
    if official is None and path.is_file():
        return _assemble(path.name, _read_file(path))
    hub_id = official.hub if official and official.hub else _check_hub_id(source)
    snapshot = hub.download(hub_id, revision=revision, offline=offline, progress=progress)
    entry = entry_of_hub_id(hub_id)
    licence = entry.licence if entry else None
    return _assemble(hub_id, read_folder(snapshot.folder), licence, snapshot.revision)


def _check_hub_id(source: str | Path) -> str:
    if isinstance(source, str) and _HUB_ID.fullmatch(source):
        return source
    if isinstance(source, str) and re.fullmatch(r"[\w.-]+", source):
        raise UnknownNameError("checkpoint", source, registry())
    raise CheckpointError(f"{source} does not exist")


def _read_file(path: Path) -> CheckpointParts:
    if path.suffix == ".safetensors" or path.name == "config.json":
        raise CheckpointError(f"{path} is a part of a checkpoint; give its folder: {path.parent}")
    return read_openai_file(path)


def _assemble(
    name: str, parts: CheckpointParts, licence: str | None = None, revision: str | None = None
) -> Checkpoint:
    _check_dimensions(name, parts.dimensions)
    check_tensors(name, parts.weights.tensors, parts.dimensions)
    return Checkpoint(
        name=name,
        dimensions=parts.dimensions,
        generation=generation_settings(parts.dimensions, parts.tokenizer, parts.published),
        licence=licence or parts.licence or UNKNOWN_LICENCE,
        revision=revision,
        tokenizer=parts.tokenizer,
        weights=parts.weights,
    )


def _check_dimensions(name: str, dimensions: ModelDimensions) -> None:
    sizes = msgspec.structs.asdict(dimensions)
    for size, value in sizes.items():
        if value < 1:
            raise CheckpointError(f"{name}: {size} is {value}")
    for side in ("audio", "text"):
        state, heads = sizes[f"n_{side}_state"], sizes[f"n_{side}_head"]
        if state % heads:
            raise CheckpointError(f"{name}: {heads} heads cannot share a width of {state}")
    if sizes["n_audio_state"] != sizes["n_text_state"]:
        raise CheckpointError(f"{name}: the encoder and the decoder have different widths")
