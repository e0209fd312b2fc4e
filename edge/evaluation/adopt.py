"""Artifacts of graphs that other programs wrote, which stay as they are."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...exporters import ExportRequest
from ...exporters.foreign import ForeignGraph, describe
from ...models.checkpoint import UNKNOWN_LICENCE, Checkpoint
from ...models.quantize import Recipe
from ..artifact import (
    FORMAT_VERSION,
    TOKENIZER,
    Adoption,
    Artifact,
    Manifest,
    Source,
    record_files,
    staging_folder,
    write_manifest,
)
from ..errors import ConfigError, ExportError
from ..parity import Tolerance
from ..types import AudioContexts, PrecisionName, Progress, no_progress
from .export import listen
from .foreign_folder import ForeignFolder
from .foreign_model import ForeignModel, model_of
from .gate import COARSEST_FIRST, check, verdict
from .verify import verify
from .writing import versions

# Another program's rounding is not ours to imitate, so its graphs are held against the checkpoint.
# These limits tell the right network from a wrong or a broken one; what it lost, the words tell.
TOLERANCES: Mapping[PrecisionName, Tolerance] = {
    "fp32": Tolerance(
        relative_error=1e-3,
        token_disagreement=0.01,
        other_tokens=0.0,
        divergence=1e-3,
        wer_increase=0.01,
    ),
    "fp16": Tolerance(
        relative_error=0.02,
        token_disagreement=0.02,
        other_tokens=0.0,
        divergence=0.01,
        wer_increase=0.01,
    ),
    "int8": Tolerance(
        relative_error=0.5,
        token_disagreement=0.1,
        other_tokens=0.05,
        divergence=0.2,
        wer_increase=0.03,
    ),
    "int4": Tolerance(
        relative_error=0.7,
        token_disagreement=0.2,
        other_tokens=0.1,
        divergence=0.5,
        wer_increase=0.1,
    ),
}
UNKNOWN_DIGEST = "unknown"
FRAMES = -1  # the axis of the encoder's input that is time


@dataclass(frozen=True)
class Original:
    """The checkpoint that graphs are compared with.

    Attributes:
        checkpoint: Itself.
        where: What ``load_checkpoint`` finds it by again.
    """

    checkpoint: Checkpoint
    where: str


def adopt(
    found: ForeignFolder,
    output: Path,
    original: Original | None = None,
    *,
    progress: Progress = no_progress,
) -> Artifact:
    """Make an artifact of another program's graphs, and refuse it if they are not what they seem.

    Args:
        found: The model.
        output: The artifact's folder; an artifact that is there is replaced, at the very end.
        original: What the graphs came from. Without it only words can be judged.
        progress: Told the stages "judge the checkpoint" and "verify".

    Raises:
        ParityError: They differ from the checkpoint too much; nothing is left behind.
        ConfigError: The folder is not what it seems, or the checkpoint another model's.
        ArtifactError: The runtime refuses a graph.
        ExportError: The artifact cannot be written.
    """
    graphs = {
        name: describe(found.target, found.folder, file) for name, file in found.graphs.items()
    }
    model = model_of(found, graphs)
    _check_same(found, model, original)
    with staging_folder(output) as folder:
        _take(found, graphs, folder)
        (folder / TOKENIZER).write_bytes(model.tokenizer)
        manifest = _manifest(found, graphs, model, original, folder)
        heard = []
        if original:
            request = ExportRequest(original.checkpoint, Recipe.of("fp32"))
            heard = listen(request, manifest.audio_contexts, progress)
        parity = verify(Artifact(folder, manifest), heard=heard, progress=progress)
        check(parity, manifest.tolerance)
        manifest = msgspec.structs.replace(
            manifest, parity=parity, verdict=verdict(parity, manifest.tolerance)
        )
        write_manifest(folder, manifest)
    return Artifact(output, manifest)


def _check_same(found: ForeignFolder, model: ForeignModel, original: Original | None) -> None:
    if original is None or original.checkpoint.dimensions == model.dimensions:
        return
    raise ConfigError(
        f"{found.folder} is not made from {original.where}: its dimensions are "
        f"{model.dimensions}, those of the checkpoint {original.checkpoint.dimensions}"
    )


def _take(found: ForeignFolder, graphs: Mapping[str, ForeignGraph], folder: Path) -> None:
    """Link the files, or copy them where the disk has no links."""
    files = {*found.described}
    for graph in graphs.values():
        file = Path(graph.spec.file)
        files |= {str(file), *(str(file.parent / name) for name in graph.data_files)}
    for name in sorted(files):
        # The hub's cache holds links; what they lead to is what is wanted.
        source, target = (found.folder / name).resolve(), folder / name
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise ExportError(f"cannot copy {source}: {error.strerror}") from error


def _manifest(
    found: ForeignFolder,
    graphs: Mapping[str, ForeignGraph],
    model: ForeignModel,
    original: Original | None,
    folder: Path,
) -> Manifest:
    encoder, decoder = graphs["encoder"], graphs["decoder"]
    names = {graph.precision.name for graph in graphs.values()}
    licence = model.licence or UNKNOWN_LICENCE
    source = Source(found.folder.resolve().name, UNKNOWN_DIGEST, licence)
    if original:
        known = original.checkpoint
        source = Source(known.name, known.digest, known.licence, known.revision)
    return Manifest(
        format_version=FORMAT_VERSION,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=source,
        dimensions=model.dimensions,
        target=found.target,
        layout=found.layout,
        quantization={
            "encoder": encoder.precision,
            "decoder": decoder.precision,
            "head": decoder.precision,
        },
        graphs={name: graph.spec for name, graph in graphs.items()},
        audio_contexts=_contexts(found, encoder, model),
        generation=model.generation,
        tolerance=TOLERANCES[next(name for name in COARSEST_FIRST if name in names)],
        parity=None,
        files=dict(record_files(folder)),
        tools=dict(versions()),
        adopted=Adoption(found.folder.resolve().name, original.where if original else None),
    )


def _contexts(found: ForeignFolder, encoder: ForeignGraph, model: ForeignModel) -> AudioContexts:
    """Any length where sherpa-onnx's own graphs say so; others add a whole table of positions."""
    longest = model.dimensions.n_audio_ctx
    is_free = found.layout == "sherpa" and isinstance(encoder.spec.inputs[0].shape[FRAMES], str)
    return AudioContexts(longest, () if is_free else (longest,))
