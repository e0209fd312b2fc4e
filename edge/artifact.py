"""The artifact: a folder that an exporter writes and a runtime opens.

Its ``artifact.json`` is the contract between the two, so that neither knows the other. It is
written last and the folder is renamed into place whole: a folder that has one is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from .errors import ArtifactError, ExportError
from .parity import Calibration, Parity, PrecisionChoice, Speed, Tolerance, Verdict
from .types import (
    ActivationRule,
    AudioContexts,
    GenerationSettings,
    ModelDimensions,
    Precision,
    Rounding,
)

FORMAT_VERSION = 2
MANIFEST = "artifact.json"
TOKENIZER = "tokenizer.json"
PLAIN_DECODER = "decoder_plain"  # the decoder for CPUs without int8 dot products
LATER_DECODER = "decoder_with_past"  # of an adopted artifact whose decoder takes first steps only


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint that an artifact was made from; ``digest`` is the sha256 of its weights."""

    name: str
    digest: str
    licence: str
    revision: str | None = None


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input or output of a graph; a named dimension may have any length."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class GraphSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One graph of an artifact and what it takes and gives.

    Attributes:
        file: Its name in the folder.
        inputs: In the graph's order.
        outputs: Likewise.
        activations: How the kernels it asks for round what they multiply with, for each part of
            the model ("encoder", "decoder", "head") that has matrices in it, and for each matrix
            whose kernel differs from its part's.
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    activations: dict[str, ActivationRule]


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the artifact, as it was when the export finished."""

    sha256: str
    size: int


class Adoption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Graphs of another program, taken as they are.

    Attributes:
        folder: The name of the folder that they came in.
        checkpoint: What they were compared with, as ``load_checkpoint`` takes it; None where there
            was none, and only words could be judged.
    """

    folder: str
    checkpoint: str | None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``artifact.json``.

    Attributes:
        quantization: How the weights of "encoder", "decoder" and "head" are stored, and those of
            single matrices ("encoder.0.fc1") that differ from their part.
        graphs: By name. "encoder" and "decoder" are always there, but for encoders that another
            program decodes; a target may add others that do the work of the decoder on machines
            where its kernels are slow.
        tolerance: What ``verify`` holds the artifact to.
        parity: What it measured at export; None if it did not run.
        files: All but the manifest.
        tools: Versions of what wrote it.
        verdict: What the gate said; None if it did not run.
        speed: Beside an export in floats, or why that was not measured; None likewise, and where
            the weights are floats.
        choice: How the precisions were chosen, where measurement chose them.
        calibration: What int4 was rounded by, if not to the nearest.
        adopted: Where the graphs came from, if another program wrote them.
    """

    format_version: int
    created: str
    source: Source
    dimensions: ModelDimensions
    target: str
    layout: str
    quantization: dict[str, Precision]
    graphs: dict[str, GraphSpec]
    audio_contexts: AudioContexts
    generation: GenerationSettings
    tolerance: Tolerance
    parity: Parity | None
    files: dict[str, FileRecord]
    tools: dict[str, str]
    verdict: Verdict | None = None
    speed: Speed | str | None = None
    choice: PrecisionChoice | None = None
    calibration: Calibration | None = None
    adopted: Adoption | None = None

    @property
    def decoders(self) -> tuple[str, ...]:
        """The graphs that do the decoder's work, by name."""
        return tuple(name for name in self.graphs if name not in ("encoder", LATER_DECODER))

    @property
    def rounding(self) -> Rounding:
        """How the integers of int4 were chosen."""
        return self.calibration.rounding if self.calibration else "nearest"

    @property
    def refusal(self) -> str | None:
        """Why the gate refused it, in one line; None if it did not."""
        if self.verdict is None or self.verdict.passed:
            return None
        return "; ".join(self.verdict.reasons)


@dataclass(frozen=True)
class Artifact:
    """A complete artifact on disk."""

    folder: Path
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path, *, digests: bool = False) -> Artifact:
        """Read and check an artifact.

        Args:
            folder: The artifact's folder.
            digests: Also hash every file; otherwise presence and size are checked, which is
                what a start on a slow SD card can afford.

        Raises:
            ArtifactError: It is not an artifact, is incomplete, or changed since it was made.
        """
        manifest = _read_manifest(folder)
        for name, record in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise ArtifactError(f"{folder}: {name} is missing; export the artifact again")
            if path.stat().st_size != record.size or (digests and sha256(path) != record.sha256):
                raise ArtifactError(f"{folder}: {name} changed after the export; export it again")
        needed = {TOKENIZER, *(graph.file for graph in manifest.graphs.values())}
        if unlisted := needed - manifest.files.keys():
            raise ArtifactError(f"{folder}/{MANIFEST}: files lacks {', '.join(sorted(unlisted))}")
        return cls(folder, manifest)

    @property
    def size(self) -> int:
        """Bytes on disk, the manifest included."""
        files = sum(record.size for record in self.manifest.files.values())
        return files + (self.folder / MANIFEST).stat().st_size

    def path(self, part: str) -> Path:
        """Where the graph of ``part`` lies."""
        if part not in self.manifest.graphs:
            raise ArtifactError(f"{self.folder}: there is no {part} graph")
        return self.folder / self.manifest.graphs[part].file


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} is not an artifact (no {MANIFEST}); make one with: whisperq-edge export"
        ) from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    try:
        version = msgspec.json.decode(raw, type=dict[str, object]).get("format_version")
        if version != FORMAT_VERSION:
            raise ArtifactError(
                f"{path}: format version is {version!r}, this release reads {FORMAT_VERSION}; "
                "export the artifact again"
            )
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{path}: {error}") from error


def write_manifest(folder: Path, manifest: Manifest) -> Artifact:
    """Write ``artifact.json`` atomically: a reader sees the old one, the new one or none."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    temporary = folder / f".{MANIFEST}.tmp"
    with temporary.open("wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    return Artifact(folder, manifest)


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` that takes its place if the block succeeds and goes if it fails.

    A process that is killed leaves at most the staging folder, which holds no manifest under the
    target's name and is removed by the next export to the same place.

    Raises:
        ExportError: ``target`` is something else than an artifact, or the disk refuses.
    """
    if target.exists() and not (target / MANIFEST).is_file() and _is_occupied(target):
        raise ExportError(f"{target} exists and is not an artifact; choose another --output")
    prefix = f".{target.name}.partial-"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for stale in target.parent.glob(f"{prefix}*"):
            shutil.rmtree(stale, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        staging.chmod(0o755)
    except OSError as error:
        raise ExportError(f"cannot write to {target.parent}: {error.strerror}") from error
    try:
        yield staging
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_occupied(path: Path) -> bool:
    return not path.is_dir() or any(path.iterdir())


def record_files(folder: Path) -> Mapping[str, FileRecord]:
    """Hash every file below ``folder``, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        path.relative_to(folder).as_posix(): FileRecord(sha256(path), path.stat().st_size)
        for path in paths
    }


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
