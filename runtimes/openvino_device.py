"""Where OpenVINO runs a graph and with what settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError, InferenceError
from ..edge.types import ActivationRule

GROUPS: Mapping[int, ActivationRule] = {128: "int8-128", 64: "int8-64", 32: "int8-32"}
VERSION = ov.__version__.partition("-")[0]
# Devices that choose among others; what they may choose from follows a colon.
_CHOOSERS = ("AUTO", "HETERO", "MULTI")


class Device:
    """One device with the settings that give the numbers we promise.

    Args:
        name: In OpenVINO's words, such as "GPU.1" or "AUTO"; None for the CPU.
        threads: Of the CPU.
        group: Inputs that the CPU may round together, where it multiplies integers.

    Attributes:
        name: In capitals.
        static: Whether it takes graphs of fixed shape only, and no state.

    Raises:
        InferenceError: There is no such device.
    """

    def __init__(self, name: str | None, threads: int, group: int) -> None:
        self.name = (name or "CPU").upper()
        self.static = self.name.partition(".")[0] == "NPU"
        self._group = group
        self._core = ov.Core()
        _check(self.name, self._core.available_devices)
        cpu = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # two sessions would share the same cores
            # The defaults are bfloat16 where there are instructions for it, and a cache of bytes.
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        }
        self._settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if self.name == "CPU":
            self._settings |= cpu
        elif "CPU" in self._core.available_devices and self.name.startswith(_CHOOSERS):
            self._settings["DEVICE_PROPERTIES"] = {"CPU": cpu}
        self._kept: dict[str, str] = {}

    def keep(self, cache: Path | None) -> None:
        """Keep what is compiled from now on in a folder; None to keep nothing."""
        # Only what cannot be read from the graph's own files: half a megabyte instead of all.
        self._kept = {"CACHE_DIR": str(cache), "CACHE_MODE": "OPTIMIZE_SIZE"} if cache else {}

    def compile(self, graph: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> Any:  # noqa: ANN401 - an openvino.CompiledModel
        """Load a graph.

        Args:
            graph: Its file.
            shapes: Of the inputs that get a fixed one.

        Raises:
            ArtifactError: The CPU refuses it, which runs every graph that is whole.
            InferenceError: Another device does.
        """
        try:
            if self._kept:
                with suppress(Exception):  # some releases cannot keep every graph
                    return self._compiled(graph, shapes, self._settings | self._kept)
            return self._compiled(graph, shapes, self._settings)
        except Exception as error:  # openvino raises RuntimeError for nearly everything
            line = last_line(error)
            if self.name == "CPU":
                message = f"{graph}: openvino {VERSION} refuses it: {line}"
                raise ArtifactError(message) from error
            raise InferenceError(f"{self.name} cannot run {graph.name}: {line}") from error

    def _compiled(
        self, graph: Path, shapes: Mapping[str, Sequence[int]] | None, settings: dict[str, Any]
    ) -> Any:  # noqa: ANN401
        if not shapes:
            # By its path: what is kept is found by that, without reading the file.
            return self._core.compile_model(graph, self.name, settings)
        model = self._core.read_model(graph)
        model.reshape({name: list(shape) for name, shape in shapes.items()})
        return self._core.compile_model(model, self.name, settings)

    def rounding(self) -> ActivationRule:
        """How products with quantized weights round what they take here.

        Whether a processor multiplies integers depends on its instructions and on the release, so
        a product of one row is asked: beside a 1, a number too small for a byte's steps is there
        or not. Accelerators are not asked: nothing is judged on them.
        """
        if self.name != "CPU" and not self.name.startswith(_CHOOSERS):
            return "float"
        small = 2.0**-9
        x = op.parameter([1, 1, self._group], np.float32)
        integers = np.zeros((16, self._group), np.int8)
        integers[:, 1] = 1
        scales = op.constant(np.ones((16, 1), np.float32))
        weight = op.multiply(op.convert(op.constant(integers), "f32"), scales)
        model = ov.Model([op.result(op.matmul(x, weight, False, True))], [x], "probe")
        row = np.zeros((1, 1, self._group), np.float32)
        row[..., :2] = 1, small
        y = self._core.compile_model(model, self.name, self._settings)(row)[0]
        return GROUPS[self._group] if abs(float(y[0, 0, 0])) < small / 2 else "float"


def group_of(manifest: Manifest) -> int:
    """The longest group of inputs that lies within one block of every quantized matrix."""
    blocks = [precision.block or max(GROUPS) for precision in manifest.quantization.values()]
    limit = min([*blocks, manifest.dimensions.n_audio_state, manifest.dimensions.n_text_state])
    return next((group for group in GROUPS if group <= limit), min(GROUPS))


def is_quantized(manifest: Manifest) -> bool:
    """Whether any matrix is stored as integers."""
    return any(precision.name in ("int8", "int4") for precision in manifest.quantization.values())


def really_used(*compiled: Any) -> str:  # noqa: ANN401 - openvino.CompiledModels
    """The devices that OpenVINO says it runs on, "cpu" where it is that alone."""
    names = {
        name.strip("()")  # so AUTO marks a device that it still starts on
        for model in compiled
        for name in model.get_property("EXECUTION_DEVICES")
    }
    return "cpu" if names == {"CPU"} else ",".join(sorted(names))


def last_line(error: Exception) -> str:
    """What an exception of OpenVINO says in the end; before it stand lines of its source code."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


def _check(name: str, available: list[str]) -> None:
    chooser, _, choice = name.partition(":")
    wanted = list(filter(None, choice.split(","))) if chooser in _CHOOSERS else [name]
    there = {*available, *(device.partition(".")[0] for device in available)}
    for device in wanted:
        if device.lstrip("-") not in there:
            raise InferenceError(
                f"OpenVINO has no device {device} here; it has {', '.join([*available, 'AUTO'])}"
            )
