"""Whether a graph keeps to the rules of TensorRT, which cannot be asked without its GPU.

Source:
    NVIDIA TensorRT documentation, "Working with Quantized Types", and the operators that
    onnx/onnx-tensorrt lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

NEWEST_OPSET = 20  # what TensorRT 10.0 reads; later ones read more
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
INTEGER_OPERATORS = {"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearMatMul"}


def lint_tensorrt(model: onnx.ModelProto) -> list[str]:
    """What TensorRT would refuse or run in another precision than it says.

    Args:
        model: Its weights may be external data that is not loaded.

    Returns:
        A line for each finding; none if all is well.
    """
    return list(_findings(model))


def _findings(model: onnx.ModelProto) -> Iterator[str]:
    for opset in model.opset_import:
        if opset.domain:
            yield f"operators of {opset.domain} are not standard"
        elif opset.version > NEWEST_OPSET:
            yield f"opset {opset.version} is newer than {NEWEST_OPSET}"
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    for node in model.graph.node:
        if node.op_type in INTEGER_OPERATORS or node.domain:
            yield f"{node.name} has no kernel in TensorRT"
        if node.op_type in (QUANTIZE, DEQUANTIZE):
            yield from _grid_findings(node, constants)
            yield from _neighbour_findings(
                node, readers[node.output[0]], node.input[0] in constants
            )


def _grid_findings(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Iterator[str]:
    """The scale has to be constant, the zero point int8 and 0."""
    if node.input[1] not in constants:
        yield f"{node.name}: the scale is not constant"
    zero = constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is None:
        yield f"{node.name}: the zero point is not given"
    elif zero.data_type != TensorProto.INT8:
        yield f"{node.name}: the zero point is not int8"
    elif np.any(numpy_helper.to_array(zero)):
        yield f"{node.name}: the zero point is not 0"


def _neighbour_findings(
    node: onnx.NodeProto, readers: list[onnx.NodeProto], is_constant: bool
) -> Iterator[str]:
    """Integers live between the two operators alone, and feed products or a table's lookup."""
    if node.op_type == QUANTIZE:
        allowed = {DEQUANTIZE}
    else:
        allowed = {"MatMul", "Conv", "Gemm"} | ({"Gather"} if is_constant else set())
    for reader in readers:
        if reader.op_type not in allowed:
            yield f"{node.name}: {reader.op_type} does not multiply what was quantized"
