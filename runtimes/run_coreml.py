"""Core ML, on macOS."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from platformdirs import user_cache_path

from ..edge.artifact import Artifact, sha256
from ..edge.errors import ArtifactError, InferenceError, MissingDependencyError
from ..edge.types import Session, SessionFacts
from .coreml_session import CoremlSession, Model
from .runtime import Runtime, SessionOptions

try:
    import coremltools as ct
except ModuleNotFoundError as error:
    raise MissingDependencyError("coremltools", "coreml", "running Core ML artifacts") from error

# What Apple calls the processors that a model may use. Which of them it does use, operation by
# operation, Core ML decides and does not report.
UNITS = ("CPU_AND_NE", "CPU_AND_GPU", "CPU_ONLY", "ALL")
CACHE_VARIABLE = "WHISPERQ_EDGE_CACHE"


class CoremlRuntime(Runtime):
    """See Runtime; the Neural Engine and the CPU are the default."""

    target = "coreml"
    chooses_device = True

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        if sys.platform != "darwin":
            raise InferenceError("Core ML exists on macOS only; there this artifact runs as it is")
        unit = options.device or UNITS[0]
        if unit not in UNITS:
            raise InferenceError(f"Core ML has no device {unit}; use one of {', '.join(UNITS)}")
        graphs = artifact.manifest.graphs.values()
        rules = {part: rule for graph in graphs for part, rule in graph.activations.items()}
        device = "cpu" if unit == "CPU_ONLY" else unit
        facts = SessionFacts("coremltools", ct.__version__, device, 0, "decoder", rules)
        return CoremlSession(artifact, facts, _Opener(unit))


class _Opener:
    """Opens functions of packages for one choice of processors."""

    def __init__(self, unit: str) -> None:
        self._unit = ct.ComputeUnit[unit]

    def __call__(self, package: Path, function: str | None) -> Model:
        """See ``coreml_session.OpenModel``.

        A package that Xcode's tools compiled, beside it under the same name, is taken as it is.
        """
        with translated(package):
            compiled = package.with_suffix(".mlmodelc")
            if not compiled.is_dir():
                compiled = compiled_model(package)
            return _Translating(
                ct.models.CompiledMLModel(str(compiled), self._unit, function), package
            )


class _Translating:
    """A loaded model whose exceptions are ours."""

    def __init__(self, model: Any, package: Path) -> None:  # noqa: ANN401 - coremltools is untyped
        self._model, self._package = model, package

    def predict(self, data: dict[str, Any], /) -> Mapping[str, Any]:
        """See ``coreml_session.Model``."""
        try:
            outputs: Mapping[str, Any] = self._model.predict(data)
        except Exception as error:
            raise InferenceError(f"Core ML: {self._package.name}: {_line(error)}") from error
        return outputs


def compiled_model(package: Path) -> Path:
    """The package as this system's compiler leaves it, compiled once and kept.

    Core ML compiles a package at every load, and specializes it for the processor at the first;
    both are kept only for a compiled model that stays where it is.
    """
    folder = cache_folder()
    model = package / "Data" / "com.apple.CoreML"
    digests = [sha256(model / name) for name in ("model.mlmodel", "weights/weight.bin")]
    kept = folder / f"{digests[0][:16]}-{digests[1][:16]}.mlmodelc"
    if not kept.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(prefix=".compiling-", dir=folder))
        try:
            made = fresh / "model.mlmodelc"
            ct.utils.compile_model(str(package), str(made))
            made.rename(kept)
        except FileExistsError:
            pass  # another process was faster
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return kept


def cache_folder() -> Path:
    """Where compiled models are kept; ``WHISPERQ_EDGE_CACHE`` moves it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else user_cache_path("whisperq-edge")) / "coreml"


@contextmanager
def translated(package: Path) -> Iterator[None]:
    """Turn what opening a model raises into an ArtifactError."""
    try:
        yield
    except Exception as error:
        raise ArtifactError(f"Core ML refuses {package.name}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
