"""The artifacts that are to be judged, looked at before anything is transcribed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...runtimes import SessionOptions, load_runtime, open_session
from ..artifact import MANIFEST, Artifact, sha256
from ..decoding.languages import language_code
from ..errors import ConfigError, UnknownNameError
from .opened_artifact import check_settings
from .result import Settings


@dataclass(frozen=True)
class Subject:
    """One artifact.

    Attributes:
        name: Of its folder, with as much of the path before it as tells it from the others.
        artifact: As it was read.
        digest: sha256 of its manifest, which holds those of all its files.
    """

    name: str
    artifact: Artifact
    digest: str


def read_subjects(
    folders: Sequence[Path],
    settings: Settings,
    languages: Iterable[str],
    *,
    run_here: bool = True,
) -> list[Subject]:
    """Read artifacts and find what would end a run an hour later.

    Args:
        folders: Of the artifacts.
        settings: How they will be run.
        languages: That are spoken in the set.
        run_here: Whether the libraries have to be on this machine.

    Raises:
        ArtifactError: One is incomplete, changed or of another version.
        ConfigError: The settings do not go together, a model does not know a language, or one
            artifact is named twice.
        MissingDependencyError: The library that runs one is not installed.
        InferenceError: It has no such device or provider.
    """
    check_settings(settings)
    languages = sorted(set(languages))
    found: dict[str, Subject] = {}
    for name, folder in zip(_names(folders), folders, strict=True):
        artifact = Artifact.read(folder)
        _check_languages(artifact, languages)
        if run_here:
            _check_runtime(artifact, settings)
        digest = sha256(folder / MANIFEST)
        if digest in found:
            raise ConfigError(f"{folder} is the same artifact as {found[digest].artifact.folder}")
        found[digest] = Subject(name, artifact, digest)
    return list(found.values())


def _check_runtime(artifact: Artifact, settings: Settings) -> None:
    device, provider = settings.device, settings.provider
    options = SessionOptions(settings.threads, device=device, provider=provider)
    load_runtime(artifact.manifest.target).check(options)
    if device or provider:  # whether it is there, only the library knows, and only when it opens it
        open_session(artifact, settings.threads, device=device, provider=provider).close()


def _check_languages(artifact: Artifact, languages: Iterable[str]) -> None:
    for language in languages:
        try:
            language_code(language, artifact.manifest.generation.languages or ("en",))
        except UnknownNameError as error:
            raise ConfigError(f"{artifact.folder} does not suit the set: {error}") from error


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that differ."""
    paths = [folder.absolute().parts for folder in folders]
    for n_parts in range(1, max(map(len, paths), default=1) + 1):
        names = ["/".join(path[-n_parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return names
