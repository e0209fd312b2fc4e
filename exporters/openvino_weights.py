"""The weights of an OpenVINO artifact: named constants of its graphs.

    NAME.values   int8 (n_out, n_in), or int8 / int4 (n_out, n_blocks, block)
    NAME.scales   fp16 (n_out, 1), or (n_out, n_blocks, 1)
    NAME.weight   fp32 or fp16 (n_out, n_in)

A matrix whose rows lie apart has parts called NAME[0], NAME[1] and so on. Vectors and tables keep
their name. ``values * scales`` is an expression of the graph that the
plugins recognise: they keep the integers and multiply with them. Integers of blocks that are not
whole are filled with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError
from ..models.parameters import Parameters
from ..models.quantize import Matrix, QuantizedTensor, floats_of, precision_of
from .openvino_graph import OpenvinoGraph, Value, notes

T = TypeVar("T", Matrix, NDArray[Any])


def vector(graph: OpenvinoGraph, name: str, array: NDArray[Any]) -> Value:
    """A bias, norm or table; in float32 whatever it is stored as."""
    return graph.once(f"{name} as float", lambda: _widened(graph.array(name, array)))


def matrix(graph: OpenvinoGraph, name: str, matrix: Matrix) -> Value:
    """A matrix as the expression of its integers and scales, (n_out, n_in), filled to blocks."""
    return graph.once(f"{name} as float", lambda: _expression(graph, name, matrix))


def _expression(graph: OpenvinoGraph, name: str, matrix: Matrix) -> Value:
    if not isinstance(matrix, QuantizedTensor):
        return _widened(graph.array(f"{name}.weight", floats_of(matrix)))
    n_out, n_in = matrix.values.shape
    if matrix.precision.block is None:
        integers = graph.array(f"{name}.values", matrix.values)
        return op.multiply(op.convert(integers, "f32"), _scales(graph, name, matrix.scales))
    graph.note(f"n_in:{name}", n_in)
    blocks = np.pad(matrix.values, ((0, 0), (0, -n_in % matrix.block)))
    blocks = blocks.reshape(n_out, -1, matrix.block)
    if matrix.precision.name == "int4":
        integers = graph.packed(f"{name}.values", _pack(blocks), blocks.shape)
    else:
        integers = graph.array(f"{name}.values", blocks)
    scales = _scales(graph, name, matrix.scales[..., None])
    product = op.multiply(op.convert(integers, "f32"), scales)
    return op.reshape(product, graph.ints(n_out, blocks.shape[1] * matrix.block), False)


def _scales(graph: OpenvinoGraph, name: str, scales: NDArray[np.float32]) -> Value:
    return _widened(graph.array(f"{name}.scales", scales.astype(np.float16)))


def _widened(constant: Value) -> Value:
    return op.convert(constant, "f32") if constant.get_element_type() == ov.Type.f16 else constant


def _pack(blocks: NDArray[np.int8]) -> NDArray[np.uint8]:
    unsigned = blocks.reshape(-1, 2).view(np.uint8) & 15
    packed: NDArray[np.uint8] = np.bitwise_or(unsigned[:, 0], unsigned[:, 1] << 4)
    return packed


def load(folder: Path, manifest: Manifest) -> Parameters:
    """Read every parameter back from the constants of the graphs.

    Raises:
        ArtifactError: A file is missing, damaged, or not in the precision of the manifest.
    """
    arrays: dict[str, NDArray[Any]] = {}
    n_in: dict[str, int] = {}
    for graph in manifest.graphs.values():
        path = folder / graph.file
        try:
            model = ov.Core().read_model(path)
        except RuntimeError as error:
            raise ArtifactError(f"{path} cannot be read: {error}") from error
        arrays.update(_constants(model))
        n_in.update(notes(model))
    matrices: dict[str, Matrix] = {}
    for key in [key for key in arrays if key.endswith((".weight", ".values"))]:
        name, form = key.rsplit(".", 1)
        array, scales = arrays.pop(key), arrays.pop(f"{name}.scales", None)
        precision = precision_of(name.partition("[")[0], manifest.quantization)
        quantized = precision.name in ("int8", "int4")
        if quantized != (form == "values") or quantized != (scales is not None):
            raise ArtifactError(f"{folder}: {name} is not {precision}")
        if scales is None:
            matrices[name] = array
        else:
            values = array.reshape(len(array), -1)[:, : n_in.get(f"n_in:{name}")]
            scales = scales.reshape(len(scales), -1).astype(np.float32)
            matrices[name] = QuantizedTensor(values, scales, precision)
    return Parameters(_joined(matrices), _joined(arrays))


def part_name(name: str, i: int) -> str:
    """What part ``i`` of a matrix or vector is called."""
    return f"{name}[{i}]"


def split_rows(name: str, whole: T, n_parts: int) -> dict[str, T]:
    """Equal parts of a matrix or vector, by the name of each."""
    if isinstance(whole, QuantizedTensor):
        pairs = zip(np.split(whole.values, n_parts), np.split(whole.scales, n_parts), strict=True)
        parts: list[Any] = [replace(whole, values=v, scales=s) for v, s in pairs]
    else:
        parts = np.split(floats_of(whole), n_parts)
    return {part_name(name, i): part for i, part in enumerate(parts)}


def _joined(arrays: dict[str, T]) -> dict[str, T]:
    """Everything under its own name again, parts put together in order."""
    whole: dict[str, T] = {}
    parts: dict[str, dict[int, T]] = {}
    for name, array in arrays.items():
        start, bracket, rest = name.partition("[")
        if bracket:
            i, _, end = rest.partition("]")
            parts.setdefault(start + end, {})[int(i)] = array
        else:
            whole[name] = array
    for name, numbered in parts.items():
        whole[name] = _concatenated([numbered[i] for i in sorted(numbered)])
    return whole


def _concatenated(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - of the parts' type
    if isinstance(parts[0], QuantizedTensor):
        values = np.concatenate([part.values for part in parts])
        return replace(parts[0], values=values, scales=np.concatenate([p.scales for p in parts]))
    return np.concatenate(parts)


def _constants(model: Any) -> Iterator[tuple[str, NDArray[Any]]]:  # noqa: ANN401
    """Copies of the named constants; the model maps its file."""
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if node.get_type_name() != "Constant" or "." not in name:
            continue
        if node.get_element_type() == ov.Type.i4:
            yield name, _unpack(node.data.view(np.uint8)).reshape(node.get_output_shape(0))
        else:
            yield name, node.data.copy()


def _unpack(nibbles: NDArray[np.uint8]) -> NDArray[np.int8]:
    pairs = np.stack([nibbles & 15, nibbles >> 4], -1)
    # Two's complement: the fourth bit counts as -8.
    signed: NDArray[np.int8] = (pairs ^ 8).astype(np.int8) - 8
    return signed
