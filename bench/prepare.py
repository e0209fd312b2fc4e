"""Everything that is measured, made once and kept under ``bench/.work``."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

from checkpoints import SCRIPT, write_checkpoint
from clips import CLIPS_S, write_clip
from contenders import Contender
from conversions import convert, made_from
from environments import WORK, environment, say

from whisperq_edge.exporters import TARGETS


def absence(contender: Contender) -> str | None:
    """Why one of our targets cannot be measured here; None if it can."""
    if contender.is_peer:
        return None
    if contender.target not in TARGETS:
        return f"there is no target {contender.target}"
    module = TARGETS[contender.target].module
    return None if importlib.util.find_spec(module) else f"{module} is not installed"


def python_of(contender: Contender) -> Path:
    """The interpreter that the contender runs in."""
    return environment(contender.environment) if contender.is_peer else Path(sys.executable)


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
        say(f"writing the checkpoint {folder.name}")
        write_checkpoint(folder, size, n_tokens)
    return folder


def script(size: str, n_tokens: int) -> str:
    """The words that every engine must say."""
    text: str = json.loads((checkpoint(size, n_tokens) / SCRIPT).read_text())["text"]
    return text


def artifact(contender: Contender, size: str, n_tokens: int) -> Path:
    """The contender's own form of a scripted checkpoint."""
    return converted(contender, checkpoint(size, n_tokens))


def converted(contender: Contender, source: Path) -> Path:
    """The contender's own form of a checkpoint in Hugging Face's layout."""
    name = "-".join(filter(None, (contender.module, contender.target, contender.precision)))
    folder = WORK / "artifacts" / source.name / name
    basis = made_from(contender)
    stamp = folder.with_name(f"{name}.made-from")
    if not stamp.exists() or stamp.read_text() != basis:
        say(f"converting {source.name} for {contender.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        convert(contender, source, folder)
        stamp.write_text(basis)
    return folder


def disk_mib(folder: Path) -> float:
    """What an artifact takes on disk, tokenizer included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
