"""The export that a configuration of a record was measured with, and making it the default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ..errors import ArtifactError, ConfigError
from .export_index import data_folder, finished_exports
from .screen import Screen
from .settings_file import read_settings, write_settings

if TYPE_CHECKING:
    from ..profiling.record import Configuration


class ChosenArtifact(NamedTuple):
    """A folder on this machine.

    Attributes:
        folder: Of the artifact.
        is_same: Whether it is the one that was measured; otherwise it was exported again, from the
            same model in the same way.
    """

    folder: Path
    is_same: bool


def find_artifact(configuration: Configuration) -> ChosenArtifact | None:
    """Look among the exports, and among those that ``profile`` made; None if there is none."""
    from ..artifact import MANIFEST, Artifact, sha256
    from ..profiling.configuration import candidate

    folders = list(_folders())
    for folder in folders:
        if sha256(folder / MANIFEST) == configuration.digest:
            return ChosenArtifact(folder, True)
    asked = _asked(configuration)
    for folder in folders:
        try:
            found = candidate(
                Artifact.read(folder),
                configuration.threads,
                device=configuration.device,
                provider=configuration.provider,
            )
        except ArtifactError:
            continue  # changed, or of another version
        if _asked(found.configuration) == asked:
            return ChosenArtifact(folder, False)
    return None


def _folders() -> Iterator[Path]:
    listed = list(finished_exports())
    yield from listed
    for manifest in sorted((data_folder() / "artifacts").glob("*/artifact.json")):
        if manifest.parent not in listed:
            yield manifest.parent


def _asked(configuration: Configuration) -> Configuration:
    return msgspec.structs.replace(configuration, digest="", size_bytes=0)


def export_command(configuration: Configuration) -> str:
    """What makes such an artifact; the model's folder or hub id may have to be written out."""
    precision, _, block = configuration.precision.partition(":")
    words = ["whisperq-edge export", f"--model {configuration.model}"]
    words.append(f"--target {configuration.target}")
    if configuration.layout != "native":
        words.append(f"--layout {configuration.layout}")
    # A mixture is what measurement chose.
    words.append(f"--precision {'auto' if precision == 'mixed' else precision}")
    return " ".join(words + ([f"--quant-block {block}"] if block else []))


def save_choice(screen: Screen, configuration: Configuration, found: ChosenArtifact | None) -> Path:
    """Make it the default of ``transcribe``, ``listen`` and ``stream``; says what is written.

    Raises:
        ConfigError: There is no such artifact here, or the settings are wrong already.
        WhisperqError: The disk refuses.
    """
    if found is None:
        raise ConfigError(
            f"no export of {configuration.name} is on this machine; "
            f"run: {export_command(configuration)}"
        )
    before = read_settings()
    values: dict[str, str | int] = {
        "artifact": str(found.folder.resolve()),
        "threads": configuration.threads,
    }
    path = write_settings(values)
    screen.note(f"wrote {path}: transcribe, listen and stream now use")
    for name, value in values.items():
        old = getattr(before, name)
        was = "" if old in (None, value) else f" (it was {old})"
        screen.note(f"  {name} = {value}{was}")
    if configuration.device or configuration.provider:
        given = " ".join(
            f"{option} {value}"
            for option, value in (
                ("--device", configuration.device),
                ("--ep", configuration.provider),
            )
            if value
        )
        screen.note(f"to be given each time, since there is no setting for it: {given}")
    return path
