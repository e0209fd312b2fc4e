"""Core ML programs executed in NumPy, for machines that are not Apple's.

This is no Core ML: it shows that a package holds the right program, and neither what Apple's
compiler makes of it nor how fast or how exact an Apple processor is. It runs the bytes of the
package and nothing else, rounds every result to the type that the program declares for it, and
refuses what it does not know.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.errors import ArtifactError, InferenceError
from .coreml_kernels import FORMS, KERNELS, MOVES
from .coreml_storage import Constant, Operation, StoredFunction, TensorType, read_functions

Array = NDArray[Any]

_DEQUANTIZE = ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale")
_LOOK_UP = "constexpr_lut_to_dense"


class ProgramPackage:
    """An ``.mlpackage``, its weights decoded once for all of its functions.

    Raises:
        ArtifactError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._functions, self._default = read_functions(path)
        # By place among the weights: halves are widened, integers dequantized.
        self._decoded: dict[tuple[int | None, ...], Array] = {}

    def program(self, function: str | None = None) -> Program:
        """One of its functions, ready to run; the default one unless named.

        Raises:
            ArtifactError: There is none of that name, or it holds something unknown.
        """
        name = function or self._default
        if name not in self._functions:
            raise ArtifactError(f"{self.path} has no function {name}")
        try:
            return Program(self._functions[name], self._decoded)
        except (LookupError, TypeError, ValueError) as error:
            raise ArtifactError(f"{self.path}: {error}") from error


@dataclass
class _Step:
    """One operation to run: where it reads, and what it has to give."""

    kernel: Callable[..., Any]
    reads: dict[str, int | list[int]]
    writes: tuple[tuple[int, TensorType], ...]
    rounds: bool


class Program:
    """One function. Values live in numbered slots; constants are there from the start.

    Floats of any width are float32 here; those of a half's width hold only values that a half has.

    Args:
        function: As stored.
        decoded: Constants that other functions of the package decoded already.
    """

    def __init__(
        self, function: StoredFunction, decoded: dict[tuple[int | None, ...], Array]
    ) -> None:
        self.inputs = function.inputs
        self._decoded = decoded
        self._slots: list[Any] = []
        self._places: dict[str, int] = {}
        for name, kind in function.inputs.items():
            self._place(name, kind, None)
        self._steps: list[_Step] = []
        for operation in function.operations:
            self._add(operation)
        self.outputs = {name: self._places[name] for name in function.outputs}
        self._unread = self._last_reads()

    def predict(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the function.

        Args:
            feeds: One array for each input, of its shape; floats of any width for floats.

        Raises:
            InferenceError: The inputs are not those of the function, or a result is no number
                or exceeds its type.
        """
        slots = self._slots.copy()
        if feeds.keys() != self.inputs.keys():
            raise InferenceError(f"the program takes {', '.join(self.inputs)}")
        try:
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                for name, kind in self.inputs.items():
                    slots[self._places[name]] = _fed(name, feeds[name], kind)
                for step, unread in zip(self._steps, self._unread, strict=True):
                    _run(step, slots)
                    for place in unread:
                        slots[place] = None
        except FloatingPointError as error:
            raise InferenceError(
                f"a value exceeds its type in the Core ML program: {error}"
            ) from error
        return {name: slots[place] for name, place in self.outputs.items()}

    def _add(self, operation: Operation) -> None:
        kind = operation.kind
        if kind == "const":
            [(name, declared)] = operation.outputs
            self._place(name, declared, self._value(operation.attributes["val"]))
            return
        if kind in _DEQUANTIZE:
            [(name, declared)] = operation.outputs
            self._place(name, declared, self._dequantized(operation, declared))
            return
        if kind == _LOOK_UP:
            [(name, declared)] = operation.outputs
            self._place(name, declared, self._looked_up(operation, declared))
            return
        if kind not in KERNELS:
            raise ValueError(f"the operation {kind} is not one that the exporter writes")
        kernel, forms = KERNELS[kind], FORMS.get(kind, {})
        taken = inspect.signature(kernel).parameters
        reads: dict[str, int | list[int]] = {}
        for parameter, bindings in operation.inputs.items():
            places = [self._bound(binding) for binding in bindings]
            if parameter in forms:
                value = self._slots[places[0]].tolist()
                if value not in forms[parameter]:
                    raise ValueError(
                        f"{kind} has {parameter} {value}, which the exporter never writes"
                    )
            elif parameter not in taken:
                raise ValueError(f"{kind} has a parameter {parameter}")
            if parameter in taken:
                reads[parameter] = places if parameter == "values" else places[0]
        needed = {name for name, known in taken.items() if known.default is known.empty}
        if missing := needed - reads.keys():
            raise ValueError(f"{kind} lacks {', '.join(sorted(missing))}")
        writes = tuple(
            (self._place(name, declared, None), declared) for name, declared in operation.outputs
        )
        self._steps.append(_Step(kernel, reads, writes, kind not in MOVES))

    def _last_reads(self) -> list[list[int]]:
        """The results that nothing reads after each step: all at once would be gigabytes."""
        last: dict[int, int] = {}
        for number, step in enumerate(self._steps):
            last |= dict.fromkeys((place for place, _ in step.writes), number)
            for places in step.reads.values():
                read = places if isinstance(places, list) else [places]
                last |= {place: number for place in read if place in last}
        unread: list[list[int]] = [[] for _ in self._steps]
        for place in last.keys() - self.outputs.values():
            unread[last[place]].append(place)
        return unread

    def _place(self, name: str, kind: TensorType, value: Array | None) -> int:
        if value is not None and value.shape != kind.shape:
            raise ValueError(f"{name} has shape {value.shape}, declared is {kind.shape}")
        self._slots.append(value)
        self._places[name] = len(self._slots) - 1
        return self._places[name]

    def _bound(self, binding: str | Constant) -> int:
        if isinstance(binding, str):
            return self._places[binding]
        kind = TensorType(binding.dtype, binding.array.shape)
        return self._place(f"constant {len(self._slots)}", kind, self._value(binding))

    def _value(self, constant: Constant) -> Array:
        """A constant, halves widened; those among the weights once only."""
        if constant.dtype != "float16":
            return constant.array
        if constant.offset is None:
            return constant.array.astype(np.float32)
        return self._once((constant.offset,), lambda: constant.array.astype(np.float32))

    def _dequantized(self, operation: Operation, declared: TensorType) -> Array:
        """A matrix of integers, times its scales."""
        given: dict[str, str | Constant] = {**operation.attributes}
        given |= {name: bindings[0] for name, bindings in operation.inputs.items()}
        data, scale = given.get("data", given.get("quantized_data")), given["scale"]
        unknown = set(given) - {"name", "data", "quantized_data", "scale", "axis", "zero_point"}
        if not isinstance(data, Constant) or not isinstance(scale, Constant) or unknown:
            raise ValueError(f"{operation.kind} is not as the exporter writes it")
        zero, axis = given.get("zero_point"), given.get("axis")
        if isinstance(zero, Constant) and zero.array != 0:
            raise ValueError(f"{operation.outputs[0][0]} has a zero point")
        along = int(axis.array) if isinstance(axis, Constant) else None
        key = (data.offset, scale.offset)
        return self._once(key, lambda: _scaled(data.array, scale.array, along, declared))

    def _looked_up(self, operation: Operation, declared: TensorType) -> Array:
        """A matrix of indices, by its palettes."""
        given = {name: bindings[0] for name, bindings in operation.inputs.items()}
        indices, lut = given.get("indices"), given.get("lut")
        if len(given) != 2 or not isinstance(indices, Constant) or not isinstance(lut, Constant):
            raise ValueError(f"{operation.kind} is not as the exporter writes it")
        key = (indices.offset, lut.offset)
        return self._once(key, lambda: _found(indices.array, lut.array, declared))

    def _once(self, key: tuple[int | None, ...], make: Callable[[], Array]) -> Array:
        if key not in self._decoded:
            self._decoded[key] = make()
        return self._decoded[key]


def _scaled(values: Array, scale: Array, axis: int | None, declared: TensorType) -> Array:
    """Integers times their scales: of an axis, or of blocks of it."""
    spread = scale.astype(np.float32)
    if axis is not None:
        shape = [1] * values.ndim
        shape[axis] = -1
        spread = spread.reshape(shape)
    else:
        for dimension, (n, n_blocks) in enumerate(zip(values.shape, scale.shape, strict=True)):
            spread = spread.repeat(n // n_blocks, dimension)
    return _stored(values * spread, declared)


def _found(indices: Array, lut: Array, declared: TensorType) -> Array:
    """Each index's value in the palette of its group, which is some of the first axis."""
    n_groups, n_values = lut.shape[0], lut.shape[-2]
    if lut.size != n_groups * n_values or len(indices) % n_groups:
        raise ValueError(f"palettes of shape {lut.shape} are not as the exporter writes them")
    palettes = lut.reshape(n_groups, n_values).astype(np.float32)
    grouped = indices.reshape(n_groups, -1)
    values = np.stack([palette[chosen] for palette, chosen in zip(palettes, grouped, strict=True)])
    return _stored(values.reshape(indices.shape), declared)


def _stored(x: Array, kind: TensorType) -> Array:
    """A result in its declared type; a half is the float32 of the same value."""
    if kind.dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    return x.astype(np.float32, copy=False) if kind.dtype == "float32" else x


def _fed(name: str, given: Array, kind: TensorType) -> Array:
    if given.shape != kind.shape:
        raise InferenceError(f"{name} has shape {given.shape}, the program takes {kind.shape}")
    if kind.dtype == "int32":
        if given.dtype.kind != "i":
            raise InferenceError(f"{name} has type {given.dtype}, the program takes integers")
        return given
    if given.dtype.kind != "f":
        raise InferenceError(f"{name} has type {given.dtype}, the program takes floats")
    return _stored(given, kind)


def _run(step: _Step, slots: list[Any]) -> None:
    arguments = {
        name: [slots[place] for place in places] if isinstance(places, list) else slots[places]
        for name, places in step.reads.items()
    }
    result = step.kernel(**arguments)
    results = result if isinstance(result, list) else [result]
    for (place, kind), array in zip(step.writes, results, strict=True):
        if array.shape != kind.shape:
            raise InferenceError(f"a result has shape {array.shape}, declared is {kind.shape}")
        slots[place] = _stored(array, kind) if step.rounds else array
