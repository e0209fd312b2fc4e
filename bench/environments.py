"""The peers' environments: their pins conflict, so each engine has one of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
LOG = WORK / "prepare.log"

# Packages that another's pin drags in and that break it: optimum-intel brings a torchvision which
# does not fit a PyTorch built for the CPU, and transformers then cannot be imported.
UNWANTED = {"openvino-genai": ("torchvision",)}


def requirements(name: str) -> str:
    """What an environment is made of."""
    return (HERE / "requirements" / f"{name}.txt").read_text()


def environment(name: str) -> Path:
    """The interpreter of an environment, installed on first use.

    Args:
        name: Of a file in ``requirements/``.
    """
    folder = WORK / f"venv-{name}"
    python = folder / "bin" / "python"
    installed = folder / "requirements.txt"
    wanted = requirements(name)
    if not installed.exists() or installed.read_text() != wanted:
        say(f"installing {name} into bench/.work/{folder.name} (up to 1.6 GB)")
        venv.create(folder, with_pip=True, clear=True)
        run(python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements" / f"{name}.txt")
        if name in UNWANTED:
            run(python, "-m", "pip", "uninstall", "--quiet", "--yes", *UNWANTED[name])
        installed.write_text(wanted)
    return python


def run(*command: object) -> None:
    """Run one step of the preparation; what it prints goes to ``LOG``."""
    with LOG.open("a") as log:
        arguments = [str(part) for part in command]
        done = subprocess.run(arguments, stdout=log, stderr=log, cwd=HERE.parent, check=False)
    if done.returncode:
        raise SystemExit(f"failed, see {LOG}: {' '.join(arguments)}")


def say(message: str) -> None:
    """Tell what takes so long."""
    print(message, file=sys.stderr, flush=True)
