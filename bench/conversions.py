"""A checkpoint in each engine's own form."""

from __future__ import annotations

from pathlib import Path

import msgspec
from contenders import Contender
from environments import HERE, environment, requirements, run
from openai_file import write_openai

from whisperq_edge.edge.artifact import sha256
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import PrecisionName
from whisperq_edge.exporters.exporter import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import Recipe

ROOT = HERE.parent
EXPORT_SOURCES = ("models", "exporters")  # when any of it changes, ours are exported again


def convert(contender: Contender, source: Path, folder: Path) -> None:
    """Make a contender's files as its own users would.

    Args:
        contender: Names the engine and the precision.
        source: A checkpoint in Hugging Face's layout.
        folder: Not there yet.
    """
    if not contender.is_peer:
        _export(contender.target, contender, source, folder)
        return
    python = environment(contender.environment)
    match contender.module:
        case "faster_whisper_peer" | "whisper_streaming_peer":  # both run CTranslate2
            run(
                environment("faster-whisper").with_name("ct2-transformers-converter"),
                *("--model", source, "--output_dir", folder),
                *("--quantization", contender.precision),
                *("--copy_files", "tokenizer.json", "preprocessor_config.json"),
            )
        case "openvino_genai_peer":
            run(
                *(python.with_name("optimum-cli"), "export", "openvino", "--model", source),
                *("--task", "automatic-speech-recognition-with-past"),
                *("--weight-format", contender.precision, folder),
            )
        case "onnxruntime_genai_peer":
            run(
                *(python, "-m", "onnxruntime_genai.models.builder", "--execution_provider", "cpu"),
                *("--input", source, "--output", folder, "--precision", contender.precision),
                *("--cache_dir", folder.parent / ".builder"),
                # Rounded activations and small blocks: the fastest on a CPU.
                *("--extra_options", "accuracy_level=4", "block_size=32"),
            )
        case "whisper_cpp_peer":
            _export("ggml", contender, source, folder)  # its quantizer is in no package
        case "openai_whisper_peer" | "whisper_timestamped_peer":
            folder.mkdir()
            write_openai(load_checkpoint(source), folder)
        case unknown:
            raise SystemExit(f"conversions.py does not know {unknown}")


def made_from(contender: Contender) -> str:
    """What a contender's files depend on, besides the checkpoint."""
    if contender.is_peer and contender.module != "whisper_cpp_peer":
        return requirements(contender.environment)
    paths = (path for name in EXPORT_SOURCES for path in (ROOT / name).rglob("*.py"))
    return "\n".join(f"{path.relative_to(ROOT)} {sha256(path)}" for path in sorted(paths))


def _export(target: str, contender: Contender, source: Path, folder: Path) -> None:
    """What ``whisperq-edge export`` does, without its entry in the user's list of exports."""
    recipe = Recipe.of(msgspec.convert(contender.precision, PrecisionName))
    request = ExportRequest(load_checkpoint(source), recipe)
    export(target, request, folder, verify=False)
