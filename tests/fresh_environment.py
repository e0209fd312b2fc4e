"""Environments of their own, for what the tests' own environment cannot hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def make_environment(folder: Path, packages: list[str]) -> Path:
    """The interpreter of a new environment with these packages.

    Skips the test where pip cannot reach them, unless nothing may be skipped.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *packages], capture_output=True, check=False)
    if done.returncode:
        unreachable = b"No matching distribution" in done.stderr or b"Connection" in done.stderr
        if unreachable and not os.environ.get("WHISPERQ_REQUIRE"):
            pytest.skip("pip cannot reach the packages")
        pytest.fail(done.stderr.decode())
    return python
