"""From an artifact on the disk to what the record calls it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..artifact import MANIFEST, Artifact, sha256
from ..types import Precision
from .record import Configuration


class Candidate(NamedTuple):
    """A configuration, and the artifact that it runs."""

    configuration: Configuration
    artifact: Artifact


def candidate(
    artifact: Artifact, threads: int, *, device: str | None = None, provider: str | None = None
) -> Candidate:
    """An artifact, run with so many threads.

    Args:
        artifact: As read.
        threads: Of the library.
        device: See ``Configuration``.
        provider: Likewise.
    """
    manifest = artifact.manifest
    configuration = Configuration(
        model=Path(manifest.source.name).name,
        target=manifest.target,
        layout=manifest.layout,
        precision=precision_name(manifest.quantization),
        threads=threads,
        device=device,
        provider=provider,
        digest=sha256(artifact.folder / MANIFEST),
        size_bytes=artifact.size,
    )
    return Candidate(configuration, artifact)


def precision_name(quantization: dict[str, Precision]) -> str:
    """As the command line writes it: "int8", "int4:32"; "mixed" where parts or layers differ.

    A finer head is not told: it is what "int4" means.
    """
    written = {
        precision.name if precision.block is None else f"{precision.name}:{precision.block}"
        for part, precision in quantization.items()
        if part != "head"
    }
    return written.pop() if len(written) == 1 else "mixed"
