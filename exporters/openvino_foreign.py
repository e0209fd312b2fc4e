"""Read what an OpenVINO graph of another program takes, gives, and stores its weights as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.errors import ArtifactError
from ..edge.types import Precision
from .foreign import ForeignGraph

_FORMATS = {
    "f32": Precision("fp32"),
    "f16": Precision("fp16"),
    "bf16": Precision("fp16"),
    "i8": Precision("int8"),
    "u8": Precision("int8"),
    "i4": Precision("int4"),
    "u4": Precision("int4"),
}


def describe(folder: Path, file: str) -> ForeignGraph:
    """See ``foreign.describe``."""
    path = folder / file
    try:
        model = ov.Core().read_model(path)
    except Exception as error:  # openvino raises RuntimeError for nearly everything
        raise ArtifactError(f"{path} is not an OpenVINO graph: {error}") from error
    spec = GraphSpec(file, _specs(model.inputs), _specs(model.outputs), {})
    return ForeignGraph(spec, _precision(model), (path.with_suffix(".bin").name,), {})


def _specs(ports: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            port.get_any_name(),
            str(np.dtype(port.get_element_type().to_dtype())),
            tuple(
                dimension.get_length() if dimension.is_static else str(dimension)
                for dimension in port.get_partial_shape()
            ),
        )
        for port in ports
    )


def _precision(model: Any) -> Precision:  # noqa: ANN401 - an openvino.Model
    elements: Counter[Precision] = Counter()
    for node in model.get_ops():
        if node.get_type_name() == "Constant":
            precision = _FORMATS.get(node.get_element_type().get_type_name())
            if precision is not None:
                elements[precision] += int(np.prod(list(node.get_output_shape(0))))
    return elements.most_common(1)[0][0] if elements else Precision("fp32")
