"""Functions saved as an ``.mlpackage`` whose bytes depend on nothing but them."""

from __future__ import annotations

import contextlib
import filecmp
import io
import json
import tempfile
import uuid
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
from coremltools.converters.mil.mil import Function, Program
from coremltools.proto.Model_pb2 import FunctionDescription, Model

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.errors import ExportError
from ..edge.types import ActivationRule
from .coreml_weights import MODEL_FILE, WEIGHTS_FILE

PACKAGE_MANIFEST = "Manifest.json"
MAIN = "main"  # the name of a package's only function
_DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT32": "int32"}


def save(
    package: Path,
    functions: Mapping[str, Callable[[], Function]],
    target: Any,  # noqa: ANN401 - coremltools is untyped
    activations: Mapping[str, ActivationRule],
) -> GraphSpec:
    """Write functions that hold the same parameters as one package.

    Args:
        package: The folder to make.
        functions: What builds each, by its name; one is in memory at a time. The last is the one
            that runs unless another is asked for.
        target: The oldest system that reads it; several functions need iOS 18.
        activations: How the products round what they take, for the description.

    Raises:
        ExportError: It could not be written.
    """
    try:
        for file in (MODEL_FILE, WEIGHTS_FILE):
            (package / file).parent.mkdir(parents=True, exist_ok=True)
        specs = {name: _convert(build(), target, package) for name, build in functions.items()}
        spec = _merged(specs) if len(specs) > 1 else next(iter(specs.values()))
        (package / MODEL_FILE).write_bytes(spec.SerializeToString(deterministic=True))
        (package / PACKAGE_MANIFEST).write_text(_contents())
    except OSError as error:
        raise ExportError(f"cannot write {package.name}: {error.strerror}") from error
    inputs, outputs = _features(next(iter(specs.values())).description)
    contents = f"{package.name}/{PACKAGE_MANIFEST}"
    return GraphSpec(contents, inputs, outputs, dict(activations))


def _convert(function: Function, target: Any, package: Path) -> Model:  # noqa: ANN401
    """Serialize one function; the package gets its weights, or is found to have the same."""
    program, weights = Program(), package / WEIGHTS_FILE
    program.add_function(MAIN, function)
    with tempfile.TemporaryDirectory(dir=package) as scratch:
        made = Path(scratch) / "function.mlpackage"
        # It draws bars to where this program tells its own progress, and leaves a temporary folder
        # to the garbage collector, which warns.
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            # No passes: what is written is what was said, and equal on every run.
            ct.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=target,
                compute_precision=ct.precision.FLOAT32,  # keeps the types that the program has
                pass_pipeline=ct.PassPipeline.EMPTY,
                skip_model_load=True,
                package_dir=str(made),
            )
        spec = Model.FromString((made / MODEL_FILE).read_bytes())
        if not weights.exists():
            (made / WEIGHTS_FILE).rename(weights)
            weights.chmod(0o644)
        elif not filecmp.cmp(made / WEIGHTS_FILE, weights, shallow=False):
            raise ExportError(f"{package.name}: its functions hold different parameters")
    about = spec.description.metadata
    about.Clear()  # of the day and the like
    about.shortDescription = "Whisper speech recognition, exported by whisperq-edge"
    return spec


def _merged(specs: Mapping[str, Model]) -> Model:
    """One model of several functions, all over the same weights file."""
    first = next(iter(specs.values()))
    merged = Model(specificationVersion=first.specificationVersion)
    merged.description.metadata.CopyFrom(first.description.metadata)
    merged.description.defaultFunctionName = list(specs)[-1]
    merged.mlProgram.version = first.mlProgram.version
    for name, spec in specs.items():
        description = FunctionDescription(
            name=name, input=spec.description.input, output=spec.description.output
        )
        merged.description.functions.append(description)
        merged.mlProgram.functions[name].CopyFrom(spec.mlProgram.functions[MAIN])
    return merged


def _contents() -> str:
    """The package's own table of contents, with identifiers that stay the same.

    In the very form that Apple's library gives it: it writes the file anew when it opens a package.
    """
    entries = {
        str(uuid.uuid5(uuid.NAMESPACE_URL, name)): {
            "author": "com.apple.CoreML",
            "description": description,
            "name": name,
            "path": f"com.apple.CoreML/{name}",
        }
        for name, description in (
            ("model.mlmodel", "CoreML Model Specification"),
            ("weights", "CoreML Model Weights"),
        )
    }
    contents = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": next(iter(entries)),
    }
    return json.dumps(contents, indent=4, sort_keys=True) + "\n"


def _features(description: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:  # noqa: ANN401
    """What a function takes and gives."""
    inputs, outputs = (
        tuple(_tensor(feature) for feature in features)
        for features in (description.input, description.output)
    )
    return inputs, outputs


def _tensor(feature: Any) -> TensorSpec:  # noqa: ANN401
    array = feature.type.multiArrayType
    kind = array.ArrayDataType.Name(array.dataType)
    return TensorSpec(feature.name, _DTYPES[kind], tuple(array.shape))
