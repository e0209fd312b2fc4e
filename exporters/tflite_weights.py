"""The weights of a TFLite artifact, by the names that they have in the file.

    NAME.weight      fp32 or fp16 (n_out, n_in)
    NAME.values      int8 (n_out, n_in); scales in NAME.scales, (n_out,)
    NAME.blocks      int4 (n_out, n_in), filled up to whole blocks; scales as below

XNNPACK, which multiplies the blocks, keeps a bfloat16 of each scale, which holds those of int4
exactly, and wants them above zero. So that the product is exact:

    NAME.scales      fp16 (n_out, n_blocks): the sizes of the scales
    NAME.negatives   the sizes of the scales below zero, elsewhere 0; where there are any
    NAME.n_in        how many inputs there really are, where the last block is filled up

In a block whose scale is below zero the integers are turned round, from -8..7 to 7..-8, by
``-1 - q``; what that adds to them is one for each input, so the sum of the block's inputs times
``negatives`` takes it out again. Vectors and tables keep their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError
from ..edge.types import Precision
from ..models.parameters import Parameters
from ..models.quantize import Matrix, QuantizedTensor, precision_of
from .tflite_schema import TYPES
from .tflite_tables import read_model

MODEL_FILE = "model.tflite"
FORMS = (".weight", ".values", ".blocks")
PARTS = ("scales", "negatives", "n_in")
_DTYPES = {number: np.dtype(name) for name, number in TYPES.items() if name != "int4"}


def pack_blocks(matrix: QuantizedTensor) -> dict[str, NDArray[Any]]:
    """The arrays of a matrix in blocks of int4, by what follows its name and a dot."""
    turned = (matrix.scales < 0).repeat(matrix.block, axis=1)
    n_in = matrix.values.shape[1]
    padded = np.pad(matrix.values, ((0, 0), (0, turned.shape[1] - n_in)))
    nibbles = np.where(turned, -1 - padded, padded).astype(np.uint8) & 15
    sizes = np.abs(matrix.scales)
    arrays = {"blocks": nibbles[:, ::2] | nibbles[:, 1::2] << 4, "scales": sizes}
    if turned.any():
        arrays["negatives"] = np.where(matrix.scales < 0, sizes, 0)
    halves = {part: arrays[part].astype(np.float16) for part in PARTS if part in arrays}
    n_padded = np.array([n_in] if n_in < padded.shape[1] else [], np.int32)
    return {"blocks": arrays["blocks"], **halves, **({"n_in": n_padded} if n_padded.size else {})}


def load(folder: Path, manifest: Manifest) -> Parameters:
    """Read every parameter back from the file that runs.

    Raises:
        ArtifactError: The file is missing, damaged, or not in the precision of the manifest.
    """
    path = folder / MODEL_FILE
    try:
        arrays = _arrays(np.memmap(path, np.uint8, "r"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
    matrices: dict[str, Matrix] = {}
    for key in [key for key in arrays if key.endswith(FORMS)]:
        name, form = key.rsplit(".", 1)
        parts = {form: arrays.pop(key)}
        for part in PARTS:
            if f"{name}.{part}" in arrays:
                parts[part] = arrays.pop(f"{name}.{part}")
        precision = precision_of(name, manifest.quantization)
        try:
            matrices[name] = _restored(parts, precision)
        except (KeyError, ValueError) as error:
            raise ArtifactError(f"{path}: {name} is not {precision}") from error
    return Parameters(matrices, arrays)


def _restored(parts: Mapping[str, NDArray[Any]], precision: Precision) -> Matrix:
    if "weight" in parts:
        return parts["weight"]
    if "values" in parts:
        return QuantizedTensor(parts["values"], parts["scales"].reshape(-1, 1), precision)
    nibbles = np.stack([parts["blocks"] & 15, parts["blocks"] >> 4], axis=-1)
    # The sign bit of four becomes that of eight.
    values = ((nibbles.reshape(len(nibbles), -1) ^ 8).astype(np.int8) - 8).astype(np.int8)
    scales = parts["scales"].astype(np.float32)
    negative = parts.get("negatives", np.zeros_like(scales)) > 0
    turned = negative.repeat(precision.block or values.shape[1], axis=1)
    n_in = int(parts["n_in"][0]) if "n_in" in parts else values.shape[1]
    values = np.where(turned, -1 - values, values)[:, :n_in]
    return QuantizedTensor(values, np.where(negative, -scales, scales), precision)


def _arrays(data: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Every array in the file that has one of our names, by it; int4 as pairs."""
    model = read_model(data.data)
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in (tensor for graph in model["subgraphs"] for tensor in graph["tensors"]):
        # Our names have a dot; those that the graph builder gives have none.
        if not tensor["buffer"] or "." not in tensor["name"] or tensor["name"] in arrays:
            continue
        if tensor["type"] == TYPES["int16"]:  # halves that are looked up, under another type
            continue
        place = model["buffers"][tensor["buffer"]]
        stored = data[place["offset"] : place["offset"] + place["size"]]
        shape = tuple(tensor["shape"])
        if tensor["type"] == TYPES["int4"]:
            arrays[tensor["name"]] = stored.reshape(shape[0], -1)
        else:
            arrays[tensor["name"]] = stored.view(_DTYPES[tensor["type"]]).reshape(shape)
    return arrays
