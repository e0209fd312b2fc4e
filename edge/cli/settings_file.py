"""The user's settings file: defaults for options, so that they need not be typed each time."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from platformdirs import user_config_path

from ..errors import ConfigError

PATH_VARIABLE = "WHISPERQ_EDGE_CONFIG"

# The options that each setting is the default of: commands, and their parameter.
_TRANSCRIBING = ("transcribe", "listen", "stream")
_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "model": (("export",), "model"),
    "target": (("export",), "target"),
    "artifact": (_TRANSCRIBING, "artifact"),
    "language": (_TRANSCRIBING, "language"),
    "threads": (_TRANSCRIBING, "threads"),
    "format": (("transcribe",), "output_format"),
    "output_dir": (("transcribe",), "output_dir"),
    "beam_size": (("transcribe",), "beam_size"),
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file may say; what it leaves out keeps the command's own default.

    Attributes:
        model: Checkpoint to export: a registry name, a hub id, a folder or a ``.pt`` file.
        target: Format to export to.
        artifact: Folder of the artifact to transcribe with.
        language: Spoken language.
        threads: Threads of a runtime.
        format: Format of transcripts.
        output_dir: Folder for transcripts.
        beam_size: Hypotheses of a beam search.
    """

    model: str | None = None
    target: str | None = None
    artifact: str | None = None
    language: str | None = None
    threads: Annotated[int, msgspec.Meta(ge=1)] | None = None
    format: Literal["txt", "srt", "vtt", "json", "tsv", "all"] | None = None
    output_dir: str | None = None
    beam_size: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def defaults(self) -> dict[str, dict[str, Any]]:
        """The settings as defaults of options: command, then parameter, then value."""
        found: dict[str, dict[str, Any]] = {}
        for name, value in msgspec.structs.asdict(self).items():
            if value is not None:
                commands, parameter = _OPTIONS[name]
                for command in commands:
                    found.setdefault(command, {})[parameter] = value
        return found


def settings_path() -> Path:
    """Where the file is looked for; ``WHISPERQ_EDGE_CONFIG`` names another place."""
    if named := os.environ.get(PATH_VARIABLE):
        return Path(named)
    return user_config_path("whisperq-edge") / "settings.toml"


def read_settings() -> Settings:
    """Read the settings; all unset where there is no file.

    Raises:
        ConfigError: The file is not TOML, or has a key or a value that it may not have.
    """
    path = settings_path()
    return _parsed(_text(path), path)


def write_settings(values: Mapping[str, str | int]) -> Path:
    """Change settings; everything else in the file stays as it is, comments too.

    Args:
        values: By the names of ``Settings``.

    Returns:
        The file, which is there whole or as it was before. A link stays one.

    Raises:
        ConfigError: The file is wrong already, or a value may not be in it.
        WhisperqError: The disk refuses.
    """
    import tomlkit

    from ..profiling.whole_file import write_whole

    path = settings_path()
    text = _text(path)
    _parsed(text, path)
    document = tomlkit.parse(text)
    for name, value in values.items():
        document[name] = value
    changed = document.as_string()
    _parsed(changed, path)
    write_whole(changed.encode(), path.resolve())
    return path


def _text(path: Path) -> str:
    """The file; nothing where there is none."""
    try:
        # As bytes, so that line ends stay what they are.
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _parsed(text: str, path: Path) -> Settings:
    try:
        return msgspec.convert(tomllib.loads(text), Settings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
