"""Does this processor clamp 8-bit products? Run as a module: for ``doctor``, in its own process.

x86 without VNNI adds two neighbouring products in 16 bits, so that ``2 * 255 * 127`` becomes
``32767``. The artifacts of this package are made so that they never come near; those of other
tools may lose words on such a machine without a message.
"""

from __future__ import annotations

import sys

from ..privacy import keep_private

N_INPUTS = 64


def clamps() -> bool:
    """Multiply the largest bytes with ONNX Runtime's MatMulInteger and look at the sum."""
    keep_private()
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph(
        [node],
        "clamp",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, N_INPUTS])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [1, N_INPUTS])],
        # The kernel in question is the one for constant, packed weights.
        [helper.make_tensor("b", TensorProto.INT8, [N_INPUTS, N_INPUTS], [127] * N_INPUTS**2)],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (product,) = session.run(None, {"a": np.full((1, N_INPUTS), 255, np.uint8)})
    return bool((product != 255 * 127 * N_INPUTS).any())


if __name__ == "__main__":
    sys.stdout.write("clamps\n" if clamps() else "exact\n")
