"""`profile --host` on an emulated Raspberry Pi Zero 2 W: ARM's wheels, 426 MB, nothing installed.

Its times mean nothing; that it gets there is what is tested.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

asyncssh = pytest.importorskip("asyncssh", reason="boards over SSH need asyncssh")

from whisperq_edge.edge.profiling.record_file import read_record  # noqa: E402

from ..emulated_board import needs_emulation  # noqa: E402
from ..emulated_ssh_board import EmulatedSshBoard  # noqa: E402
from ..memory_group import MemoryGroup  # noqa: E402
from ..ssh_user import User  # noqa: E402

pytestmark = pytest.mark.qemu

MEMORY = 426 << 20  # what Linux leaves of 512 MB to programs
PATIENCE_S = 1500


def test_a_raspberry_pi_is_profiled_from_nothing(artifact, tmp_path):
    needs_emulation()
    user = User(tmp_path / "user", tmp_path / "cache")
    output = tmp_path / "record.json"
    with (
        MemoryGroup(MEMORY) as memory,
        EmulatedSshBoard(
            "raspberry-pi-zero-2-w", tmp_path / "board", key=user.key, memory=memory
        ) as board,
    ):
        user.knows(board)
        done = subprocess.run(
            [
                Path(sys.executable).with_name("whisperq-edge"), "profile", artifact.folder,
                "--host", f"pi@127.0.0.1:{board.port}", "--output", output,
                "--threads", "1", "--repeats", "1", "--minutes", "2",
                "--label", "emulated: times mean nothing",
            ],
            env={**os.environ, **user.env},
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        kills = memory.kills
    if (
        done.returncode
        and "no wheels for" in done.stderr
        and not os.environ.get("WHISPERQ_REQUIRE")
    ):
        pytest.skip("pip cannot reach the packages")
    assert done.returncode == 0, done.stderr
    record = read_record(output)
    assert record.board.model == "Raspberry Pi Zero 2 W Rev 1.0"
    assert record.board.machine == "aarch64"
    assert record.labels == ("emulated: times mean nothing",)
    assert record.outcomes[0].configuration.target == "onnx"
    assert record.outcomes[0].status == "measured", record.outcomes[0].reason
    assert kills == 0
