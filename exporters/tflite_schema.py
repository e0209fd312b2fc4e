"""The part of TFLite's file format that a Whisper needs, as data; ``tflite_tables`` writes it.

Source:
    tensorflow/lite ``schema.fbs``, version 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IDENTIFIER = b"TFL3"
VERSION = 3
ALIGNMENT = 64  # of data in the file; the schema wants 16, and this is a cache line

# The numbers that stand for a tensor's type; int4 has no name in NumPy.
TYPES = {"float32": 0, "float16": 1, "int32": 2, "int16": 7, "int8": 9, "int4": 17}
PADDING_VALID = 1
BLOCKWISE_QUANTIZATION = 2  # a kind of quantization details


@dataclass(frozen=True)
class Field:
    """One field of a table.

    Attributes:
        slot: Its place.
        kind: "int32" and the like, "string", the name of a table, or "operator" for the options
            of an operator, whose table is named by the value; in brackets for a vector.
    """

    slot: int
    kind: str


def _table(**fields: tuple[int, str]) -> dict[str, Field]:
    return {name: Field(*field) for name, field in fields.items()}


SCHEMA: Mapping[str, Mapping[str, Field]] = {
    "Model": _table(
        version=(0, "uint32"), operator_codes=(1, "[OperatorCode]"), subgraphs=(2, "[SubGraph]"),
        description=(3, "string"), buffers=(4, "[Buffer]"), signature_defs=(7, "[SignatureDef]"),
    ),
    "OperatorCode": _table(deprecated_code=(0, "int8"), version=(2, "int32"), code=(3, "int32")),
    "SubGraph": _table(
        tensors=(0, "[Tensor]"), inputs=(1, "[int32]"), outputs=(2, "[int32]"),
        operators=(3, "[Operator]"), name=(4, "string"),
    ),
    "Tensor": _table(
        shape=(0, "[int32]"), type=(1, "int8"), buffer=(2, "uint32"), name=(3, "string"),
        quantization=(4, "Quantization"), shape_signature=(7, "[int32]"), has_rank=(8, "bool"),
    ),
    "Quantization": _table(
        scale=(2, "[float32]"), zero_point=(3, "[int64]"), details_type=(4, "uint8"),
        details=(5, "Blockwise"), axis=(6, "int32"),
    ),
    "Blockwise": _table(scales=(0, "int32"), zero_points=(1, "int32"), block_size=(2, "int32")),
    "Buffer": _table(offset=(1, "uint64"), size=(2, "uint64")),
    "Operator": _table(
        code_index=(0, "uint32"), inputs=(1, "[int32]"), outputs=(2, "[int32]"),
        options_type=(3, "uint8"), options=(4, "operator"),
    ),
    "SignatureDef": _table(
        inputs=(0, "[TensorMap]"), outputs=(1, "[TensorMap]"), key=(2, "string"),
        subgraph_index=(4, "uint32"),
    ),
    "TensorMap": _table(name=(0, "string"), tensor_index=(1, "uint32")),
}  # fmt: skip


@dataclass(frozen=True)
class Operator:
    """One of TFLite's operators.

    Attributes:
        code: Its number.
        options_type: The number of its table of options.
        options: That table.
    """

    code: int
    options_type: int = 0
    options: Mapping[str, Field] | None = None


OPERATORS: Mapping[str, Operator] = {
    "ADD": Operator(0, 11, {}),
    "CONCATENATION": Operator(2, 10, _table(axis=(0, "int32"))),
    "DEPTHWISE_CONV_2D": Operator(
        4,
        2,
        _table(
            padding=(0, "int8"), stride_w=(1, "int32"), stride_h=(2, "int32"),
            depth_multiplier=(3, "int32"), dilation_w=(5, "int32"), dilation_h=(6, "int32"),
        ),
    ),
    "DEQUANTIZE": Operator(6, 38, {}),
    "EMBEDDING_LOOKUP": Operator(7),
    "FULLY_CONNECTED": Operator(
        9, 8, _table(keep_num_dims=(2, "bool"), asymmetric_quantize_inputs=(3, "bool"))
    ),
    "MUL": Operator(18, 21, {}),
    "RESHAPE": Operator(22, 17, {}),  # the shape is an input
    "SOFTMAX": Operator(25, 9, _table(beta=(0, "float32"))),
    "PAD": Operator(34, 22, {}),
    "GATHER": Operator(36, 23, _table(axis=(0, "int32"))),
    "TRANSPOSE": Operator(39, 26, {}),
    "MEAN": Operator(40, 27, _table(keep_dims=(0, "bool"))),
    "SUB": Operator(41, 28, {}),
    "DIV": Operator(42, 29, {}),
    "EXP": Operator(47, 33, {}),
    "SPLIT": Operator(49, 35, _table(n_splits=(0, "int32"))),
    "CAST": Operator(53, 37, _table(from_type=(0, "int8"), to_type=(1, "int8"))),
    "MAXIMUM": Operator(55, 39, {}),
    "SUM": Operator(74, 27, _table(keep_dims=(0, "bool"))),
    "RSQRT": Operator(76),
    "REDUCE_MAX": Operator(82, 27, _table(keep_dims=(0, "bool"))),
    "SQUARED_DIFFERENCE": Operator(99, 76, {}),
    "BATCH_MATMUL": Operator(126, 101, _table(adjoint_x=(0, "bool"), adjoint_y=(1, "bool"))),
    "GELU": Operator(150, 116, _table(approximate=(0, "bool"))),
}  # fmt: skip
