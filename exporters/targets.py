"""The targets, and what each layout of theirs offers: data, and the checks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..edge.errors import ConfigError, UnknownNameError, UnsupportedPrecisionError
from ..edge.types import Precision, PrecisionName
from ..models.quantize import BLOCKS, Recipe

GENERAL: tuple[PrecisionName, ...] = ("fp32", "fp16", "int8", "int5", "int4")  # have an option each
BUCKETS_S = (5, 10, 15, 30)  # windows, where a target needs fixed shapes


@dataclass(frozen=True)
class Layout:
    """One way to lay out a target's files.

    Attributes:
        purpose: For whom, in a few words.
        precisions: What weights can be stored as, as the command line writes it: ``int8:32``.
        windows: "any" length up to the model's; "choice" of fixed ones, given at export; or
            "whole" windows only.
        alignment: What a session gives of the alignment heads: "heads", one by one, or their mean
            where the format has room for no more.
        encoder_only: Whether another program brings the decoder.
        means: What general names stand for here, where the format has its own ("int8" is "q8_0").
        is_uniform: Whether all matrices have one precision, the head included.
    """

    purpose: str
    precisions: tuple[str, ...]
    windows: Literal["any", "choice", "whole"]
    alignment: Literal["heads", "mean of heads"] = "heads"
    encoder_only: bool = False
    means: Mapping[PrecisionName, str] = field(default_factory=dict)
    is_uniform: bool = False

    def granted(self, recipe: Recipe) -> Recipe:
        """A recipe in general names or the layout's own, in the layout's own."""
        layers = {matrix: self._own(stored) for matrix, stored in recipe.layers.items()}
        meant = replace(
            recipe,
            encoder=self._own(recipe.encoder),
            decoder=self._own(recipe.decoder),
            head=self._own(recipe.head),
            layers=layers,
        )
        # ``int4`` alone asks for a finer head, which such a format has no room for.
        plain = recipe == Recipe.of(recipe.decoder.name, recipe.decoder.block)
        return replace(meant, head=meant.decoder) if self.is_uniform and plain else meant

    def _own(self, precision: Precision) -> Precision:
        meant = self.means.get(precision.name)
        return precision if meant is None else read(meant)

    def written_for(self, name: PrecisionName) -> str | None:
        """What ``--int5`` and its siblings write here; None where it is refused."""
        body = written(self.granted(Recipe.of(name)).decoder)
        return body if body in self.precisions else None

    @property
    def mixes_int4(self) -> bool:
        """Whether some matrices may be in 4 bits and others in 8."""
        kinds = {precision.partition(":")[0] for precision in self.precisions}
        return {"int4", "int8"} <= kinds and not self.is_uniform


@dataclass(frozen=True)
class Target:
    """A format that checkpoints are exported to.

    Attributes:
        exporter: Module and class of its Exporter.
        module: What must be installed to export.
        extra: Of this package, that brings it.
        layouts: By name; the first is the default.
    """

    exporter: str
    module: str
    extra: str
    layouts: Mapping[str, Layout]


def blocked(name: str) -> tuple[str, ...]:
    """A precision in blocks of every size."""
    return tuple(f"{name}:{block}" for block in BLOCKS)


TARGETS: dict[str, Target] = {
    "onnx": Target(
        "to_onnx:OnnxExporter",
        module="onnx",
        extra="onnx",
        layouts={
            "native": Layout(
                "ONNX Runtime, on any processor",
                ("fp32", "fp16", "int8", *blocked("int8"), *blocked("int4")),
                "any",
            ),
            "portable": Layout(
                "any engine that reads standard operators", ("fp32", "fp16", "int8"), "any"
            ),
            "tensorrt": Layout(
                "TensorRT, on NVIDIA's Jetson and GPUs", ("fp32", "fp16", "int8"), "any"
            ),
            "optimum": Layout("optimum and transformers.js", ("fp32", "fp16", "int8"), "any"),
            "sherpa": Layout("sherpa-onnx", ("fp32", "fp16", "int8"), "any"),
        },
    ),
    "openvino": Target(
        "to_openvino:OpenvinoExporter",
        module="openvino",
        extra="openvino",
        layouts={
            "native": Layout(
                "OpenVINO, on Intel's processors and GPUs",
                ("fp32", "fp16", "int8", *blocked("int8"), *blocked("int4")),
                "any",
            ),
            "genai": Layout(
                "OpenVINO GenAI's WhisperPipeline",
                ("fp32", "fp16", "int8", *blocked("int4")),
                "any",
            ),
        },
    ),
    "qualcomm": Target(
        "to_qualcomm:QualcommExporter",
        module="onnxruntime_qnn",
        extra="qualcomm",
        layouts={
            "native": Layout("Qualcomm's HTP, 16-bit activations (a16w8)", ("int8",), "choice"),
            "a8w8": Layout("Qualcomm's HTP, 8-bit activations, coarser", ("int8",), "choice"),
        },
    ),
    "tflite": Target(
        "to_tflite:TfliteExporter",
        module="ai_edge_litert",
        extra="tflite",
        layouts={
            "native": Layout(
                "LiteRT and TFLite, on phones and small boards",
                ("fp32", "fp16", "int8", *blocked("int4")),
                "any",
            ),
        },
    ),
    "coreml": Target(
        "to_coreml:CoremlExporter",
        module="coremltools",
        extra="coreml",
        layouts={
            "native": Layout(
                "Core ML, on Apple's processors",
                ("fp32", "fp16", "int8", "lut6", "int4:32"),
                "choice",
                means={"int5": "lut6"},
            ),
            "whisperkit": Layout(
                "WhisperKit", ("fp16", "int8"), "whole", alignment="mean of heads"
            ),
            "whispercpp": Layout(
                "whisper.cpp, beside its own decoder", ("fp16", "int8"), "whole", encoder_only=True
            ),
        },
    ),
    "ggml": Target(
        "to_ggml:GgmlExporter",
        module="_pywhispercpp",
        extra="ggml",
        layouts={
            "native": Layout(
                "whisper.cpp, on any processor",
                ("fp16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"),
                "any",
                means={"int8": "q8_0", "int5": "q5_0", "int4": "q4_0"},
                is_uniform=True,
            ),
        },
    ),
}


def target_named(name: str) -> Target:
    """The row of a target.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS)
    return TARGETS[name]


def granted(name: str, layout: str, recipe: Recipe) -> Recipe:
    """The recipe in a layout's own formats.

    Args:
        name: Of the target.
        layout: Of the target's; a wrong one is for ``check_offer`` to refuse.
        recipe: In general names or the layout's own.
    """
    offer = target_named(name).layouts.get(layout)
    return recipe if offer is None else offer.granted(recipe)


def check_offer(name: str, layout: str, recipe: Recipe, windows: tuple[int, ...] = ()) -> None:
    """Refuse what a target does not offer, before any work is done.

    Args:
        name: Of the target.
        layout: Of the target's.
        recipe: Precisions.
        windows: Fixed lengths in positions; empty for the layout's default.

    Raises:
        UnknownNameError: There is no such target or layout.
        UnsupportedPrecisionError: The layout has no such precision.
        ConfigError: The layout has no such windows.
    """
    layouts = target_named(name).layouts
    if layout not in layouts:
        raise UnknownNameError("layout", layout, layouts)
    offer = layouts[layout]
    meant = granted(name, layout, recipe).quantization.values()
    if offer.is_uniform and len(set(meant)) > 1:
        several = " and ".join(dict.fromkeys(map(str, meant)))
        raise UnsupportedPrecisionError(
            f"{name} ({layout}) stores all matrices alike, not in {several}; give one precision"
        )
    for precision in meant:
        if written(precision) not in offer.precisions:
            raise UnsupportedPrecisionError(
                f"{name} ({layout}) has {_lack(offer, precision)}; "
                f"it offers {', '.join(offer.precisions)}"
            )
    if windows and offer.windows != "choice":
        takes = "any length" if offer.windows == "any" else "whole windows only"
        raise ConfigError(f"{name} ({layout}) takes {takes}; leave --windows out")


def _lack(offer: Layout, precision: Precision) -> str:
    """That a precision is not there, and for int5, which no format is named after, what is."""
    if precision.name != "int5":
        return f"no {precision}"
    mixture = ", or --precision auto, which mixes int4 and int8" if offer.mixes_int4 else ""
    return f"nothing between 4 and 8 bits; take int8{mixture}"


def offers(name: str, layout: str, recipe: Recipe) -> bool:
    """Whether a target's layout has this body of a recipe; its head may be finer.

    Args:
        name: Of the target.
        layout: Of the target's.
        recipe: In general names or the layout's own.
    """
    meant = granted(name, layout, recipe)
    offered = target_named(name).layouts[layout].precisions
    return {written(meant.encoder), written(meant.decoder)} <= set(offered)


def written(precision: Precision) -> str:
    """A precision as the command line writes it."""
    return precision.name if precision.block is None else f"{precision.name}:{precision.block}"


def read(text: str) -> Precision:
    """A precision from what ``written`` makes of it."""
    kind, _, block = text.partition(":")
    return Precision(kind, int(block) if block else None)  # type: ignore[arg-type]
