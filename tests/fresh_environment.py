"""Environments of their own, for what the tests' own environment cannot hold."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest


def fresh_environment(
    tmp_path_factory: pytest.TempPathFactory, name: str, packages: list[str]
) -> Path:
    """The interpreter of an environment with these packages, made once for all test processes.

    One at a time: pip builds the checkout in the checkout. Skips the test where pip cannot reach
    the packages, unless nothing may be skipped.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    python = shared / name / "bin" / "python"
    with (shared / "environments.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (made := shared / name / "made").exists():
            return python
        subprocess.run([sys.executable, "-m", "venv", "--clear", shared / name], check=True)
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        done = subprocess.run([*pip, *packages], capture_output=True, check=False)
        if done.returncode:
            unreachable = b"No matching distribution" in done.stderr or b"Connection" in done.stderr
            if unreachable and not os.environ.get("WHISPERQ_REQUIRE"):
                pytest.skip("pip cannot reach the packages")
            pytest.fail(done.stderr.decode())
        made.touch()
    return python
