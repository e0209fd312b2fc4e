"""Read what an ONNX graph of another program takes, gives, and stores its weights as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.errors import ArtifactError
from ..edge.types import Precision
from .foreign import ForeignGraph

_FORMATS: dict[int, Precision] = {
    TensorProto.FLOAT: Precision("fp32"),
    TensorProto.FLOAT16: Precision("fp16"),
    TensorProto.BFLOAT16: Precision("fp16"),
    TensorProto.INT8: Precision("int8"),
    TensorProto.UINT8: Precision("int8"),
    TensorProto.INT4: Precision("int4"),
    TensorProto.UINT4: Precision("int4"),
}


def describe(folder: Path, file: str) -> ForeignGraph:
    """See ``foreign.describe``; weights outside the graph's folder are refused."""
    path = folder / file
    try:
        model = onnx.load(path, load_external_data=False)
        spec = GraphSpec(file, _specs(model.graph.input), _specs(model.graph.output), {})
    except Exception as error:  # protobuf's, onnx's and the system's have no common base
        raise ArtifactError(f"{path} is not an ONNX graph: {error}") from error
    tensors = [tensor for graph in _graphs(model.graph) for tensor in graph.initializer]
    beside = {
        entry.value
        for tensor in tensors
        for entry in tensor.external_data
        if entry.key == "location"
    }
    if outside := sorted(name for name in beside if Path(name).name != name):
        raise ArtifactError(f"{path} names weights outside its folder: {outside[0]}")
    properties = {entry.key: entry.value for entry in model.metadata_props}
    return ForeignGraph(spec, _precision(model.graph, tensors), tuple(sorted(beside)), properties)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _specs(values: Iterable[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            value.name,
            str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            tuple(
                dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param
                for dimension in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    )


def _precision(graph: onnx.GraphProto, tensors: Iterable[onnx.TensorProto]) -> Precision:
    # MatMulNBits keeps two weights of four bits in a byte.
    packed = {
        node.input[1]: {a.name: a.i for a in node.attribute if a.name in ("bits", "block_size")}
        for inner in _graphs(graph)
        for node in inner.node
        if node.op_type == "MatMulNBits"
    }
    elements: Counter[Precision] = Counter()
    for tensor in tensors:
        precision = _FORMATS.get(tensor.data_type)
        n = 1
        for size in tensor.dims:
            n *= size
        if kernel := packed.get(tensor.name):
            bits = kernel["bits"]
            precision = Precision("int4" if bits == 4 else "int8", kernel["block_size"])
            n = n * 8 // bits
        if precision is not None:
            elements[precision] += n
    return elements.most_common(1)[0][0] if elements else Precision("fp32")
