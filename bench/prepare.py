"""Everything that is measured, made once and kept under ``bench/.work``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import msgspec
from checkpoints import SCRIPT, write_checkpoint
from clips import CLIPS_S, write_clip
from contenders import Contender

from whisperq_edge.edge.artifact import sha256
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import PrecisionName
from whisperq_edge.exporters.exporter import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import Recipe

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
REQUIREMENTS = HERE / "requirements.txt"
EXPORT_SOURCES = ("models", "exporters")  # when any of it changes, ours are exported again


def peer_python() -> Path:
    """The interpreter of the peers' environment, installed on first use."""
    folder = WORK / "venv-peers"
    installed = folder / REQUIREMENTS.name
    wanted = REQUIREMENTS.read_text()
    if not installed.exists() or installed.read_text() != wanted:
        _say("installing the peers into bench/.work/venv-peers (1.5 GB)")
        venv.create(folder, with_pip=True, clear=True)
        _run(folder / "bin/python", "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS)
        installed.write_text(wanted)
    return folder / "bin" / "python"


def python_of(contender: Contender) -> Path:
    """The interpreter that the contender runs in."""
    return peer_python() if contender.is_peer else Path(sys.executable)


def clip(clip_s: int) -> Path:
    """One of the clips, as a NumPy file."""
    assert clip_s in CLIPS_S
    path = WORK / "clips" / f"{clip_s}s.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, clip_s)
    return path


def checkpoint(size: str, n_tokens: int) -> Path:
    """A scripted checkpoint."""
    folder = WORK / "checkpoints" / f"{size}-{n_tokens}"
    if not (folder / SCRIPT).exists():
        _say(f"writing the checkpoint {folder.name}")
        write_checkpoint(folder, size, n_tokens)
    return folder


def script(size: str, n_tokens: int) -> str:
    """The words that every engine must say."""
    text: str = json.loads((checkpoint(size, n_tokens) / SCRIPT).read_text())["text"]
    return text


def artifact(contender: Contender, size: str, n_tokens: int) -> Path:
    """The contender's own form of a scripted checkpoint."""
    source = checkpoint(size, n_tokens)
    name = f"{contender.module}-{contender.precision}"
    folder = WORK / "artifacts" / source.name / name
    made_from = REQUIREMENTS.read_text() if contender.is_peer else _digest_of_our_sources()
    stamp = folder.parent / f"{name}.made-from"
    if not stamp.exists() or stamp.read_text() != made_from:
        _say(f"converting {source.name} for {contender.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        (_convert if contender.is_peer else _export)(source, folder, contender.precision)
        stamp.write_text(made_from)
    return folder


def disk_mib(folder: Path) -> float:
    """What an artifact takes on disk, tokenizer included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def _export(source: Path, folder: Path, precision: str) -> None:
    """What ``whisperq-edge export`` does, without its entry in the user's list of exports."""
    recipe = Recipe.of(msgspec.convert(precision, PrecisionName))
    request = ExportRequest(load_checkpoint(source), recipe, "native")
    export("onnx", request, folder, verify=False)


def _convert(source: Path, folder: Path, precision: str) -> None:
    _run(
        peer_python().parent / "ct2-transformers-converter",
        *("--model", source, "--output_dir", folder, "--quantization", precision),
        *("--copy_files", "tokenizer.json", "preprocessor_config.json"),
    )


def _digest_of_our_sources() -> str:
    paths = (path for name in EXPORT_SOURCES for path in (HERE.parent / name).rglob("*.py"))
    return "\n".join(f"{path.relative_to(HERE.parent)} {sha256(path)}" for path in sorted(paths))


def _run(*command: object) -> None:
    with (WORK / "prepare.log").open("a") as log:
        arguments = [str(part) for part in command]
        if subprocess.run(arguments, stdout=log, stderr=log, check=False).returncode:
            raise SystemExit(f"failed, see {log.name}: {' '.join(arguments)}")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
