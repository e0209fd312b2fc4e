"""Ask the installed libraries for weights of 2 to 8 bits: which open, and what are they worth?

python bench/between_bits.py

One product, 1280 inputs and 40,960 outputs in blocks of 32, one row, one thread: a matrix of which
reading it is all the work. See docs/precisions.md.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from openvino import opset13 as op

N_OUT, N_IN, BLOCK = 40_960, 1280, 32
N_RUNS = 40
Weights = tuple[NDArray[np.uint8], NDArray[np.float32]]


def weights(bits: int) -> Weights:
    """Integers from 0 on, (n_out, n_blocks, block), and their scales."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**bits, (N_OUT, N_IN // BLOCK, BLOCK)).astype(np.uint8)
    scales = rng.uniform(0.5, 1.5, values.shape[:2]).astype(np.float16).astype(np.float32)
    return values, scales


def packed(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Bits one after the other, the lowest first."""
    spread = (values[..., None] >> np.arange(bits)) & 1
    return np.packbits(spread.astype(np.uint8).reshape(*values.shape[:-1], -1), -1, "little")


def packed_for_openvino(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Of 3 and 6 bits the low ones lie together, and the high ones after them."""
    if bits not in (3, 6):
        return packed(values, bits)
    n_low = 2 if bits == 3 else 4
    groups = values.reshape(-1, 8 if bits == 3 else 4)
    parts = ((groups & (2**n_low - 1), n_low), (groups >> n_low, bits - n_low))
    bytes_ = []
    for part, width in parts:
        by_byte = part.reshape(len(groups), -1, 8 // width)
        shifts = np.arange(8 - width, -1, -width)  # the first value is the highest
        bytes_.append((by_byte << shifts).sum(-1).astype(np.uint8))
    return np.concatenate(bytes_, axis=1).reshape(-1)


def onnx_runtime(bits: int, folder: Path) -> tuple[Path, Callable[[], Callable[..., NDArray]]]:
    """MatMulNBits."""
    values, scales = weights(bits)
    blocks, path = packed(values, bits), folder / "weights.onnx"
    node = helper.make_node(
        "MatMulNBits", ["x", "blocks", "scales"], ["y"], domain="com.microsoft",
        K=N_IN, N=N_OUT, bits=bits, block_size=BLOCK, accuracy_level=4,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, N_IN])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, N_OUT])],
        [numpy_helper.from_array(blocks, "blocks"), numpy_helper.from_array(scales, "scales")],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)

    def opened() -> Callable[..., NDArray]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        return lambda x: session.run(None, {"x": x})[0]

    return path, opened


def open_vino(bits: int, folder: Path) -> tuple[Path, Callable[[], Callable[..., NDArray]]]:
    """A constant under Convert, Subtract and Multiply, which the CPU plugin fuses if it can."""
    values, scales = weights(bits)
    if not hasattr(openvino.Type, f"u{bits}"):
        raise ValueError(f"there is no element type of {bits} bits")
    kind = getattr(openvino.Type, f"u{bits}")
    stored = openvino.Tensor(packed_for_openvino(values, bits).reshape(-1), values.shape, kind)
    zero = op.convert(op.constant(np.full((1, 1, 1), 2 ** (bits - 1), np.uint8)), "f16")
    integers = op.subtract(op.convert(op.constant(stored), "f16"), zero)
    product = op.multiply(integers, op.constant(scales[..., None].astype(np.float16)))
    matrix = op.convert(op.reshape(product, np.array([N_OUT, N_IN]), False), "f32")
    x = op.parameter([-1, N_IN], openvino.Type.f32)
    model = openvino.Model([op.matmul(x, matrix, False, True)], [x])
    openvino.save_model(model, folder / "weights.xml", compress_to_fp16=False)

    def opened() -> Callable[..., NDArray]:
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(folder / "weights.xml"), "CPU", settings)
        request = compiled.create_infer_request()
        return lambda x: request.infer([x])[compiled.output(0)]

    return folder / "weights.bin", opened


LIBRARIES = {"onnxruntime": onnx_runtime, "openvino": open_vino}


def resident_mb() -> float:
    """Memory of this process, in 1e6 bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def probe(library: str, bits: int) -> str:
    """One line of findings."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            path, opened = LIBRARIES[library](bits, Path(scratch))
            before = resident_mb()
            run = opened()
            x = np.random.default_rng(1).normal(0, 1, (1, N_IN)).astype(np.float32)
            y = run(x)
        except Exception as error:  # whatever a library says is the finding
            return str(error).strip().splitlines()[0][-110:]  # what for comes last
        grown, times = resident_mb() - before, []
        for _ in range(N_RUNS):
            began = time.perf_counter()
            run(x)
            times.append(time.perf_counter() - began)
        values, scales = weights(bits)
        exact = (values - np.float32(2 ** (bits - 1))) * scales[..., None]
        wanted = x @ exact.reshape(N_OUT, N_IN).T
        error = np.linalg.norm(y - wanted) / np.linalg.norm(wanted)
        return (
            f"file {path.stat().st_size / 1e6:.1f} MB, memory {grown:.0f} MB, "
            f"{min(times) * 1e3:.2f} ms at best, relative error {error:.0e}"
        )


def main() -> None:
    """Print a line for each library and number of bits, each found in a process of its own."""
    print(f"onnxruntime {onnxruntime.__version__}, openvino {openvino.__version__.split('-')[0]}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for library in LIBRARIES:
            for bits in range(2, 9):
                print(f"{library:12} {bits} bits: {pool.apply(probe, (library, bits))}", flush=True)


if __name__ == "__main__":
    main()
