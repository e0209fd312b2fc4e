"""An ARM board that is emulated: real ARM programs and libraries, with a board's /proc and /sys.

qemu translates the instructions, one process at a time, for one kind of core: what a Cortex-A72
lacks ends in an illegal instruction here as well. The kernel is this computer's own. It is made to
start ARM programs by qemu inside a namespace alone, so that nothing changes outside, no privileges
are needed, and a program's own children run too; Linux does that since 6.7.

Never take a speed from it: it is about a hundred times slower than this computer, and not by the
same factor for any two kernels.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from .arm.emulated_root import CHECKOUT, cached_root
from .boards import boards, build
from .memory_group import MemoryGroup
from .system_programs import missing_programs

QEMU = "qemu-aarch64-static"
PROGRAMS = (QEMU, "bwrap", "unshare")
# Debian's description of ARM's programs and of what starts them, in the kernel's own form.
BINFMT = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
# qemu's name of the cores of each board; its "max" is no core that exists, and computes 8-bit
# products wrongly.
CORES = {
    "raspberry-pi-zero-2-w": "cortex-a53",
    "raspberry-pi-4": "cortex-a72",
    "raspberry-pi-5": "cortex-a76",
}
HOME = Path("/root")
PACKAGE = Path("/opt/whisperq_edge")
RECORDINGS = PACKAGE / "models" / "demo" / "recordings"
TIMEOUT_S = 900  # of what hangs

_TEACH_KERNEL = f"""\
set -e
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
cat {BINFMT} >/proc/sys/fs/binfmt_misc/register
exec "$@"
"""
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _TEACH_KERNEL, "sh")


class EmulatedBoard:
    """A board with a home, in which it can write; all else it can only read.

    ``whisperq-edge`` is there, and the package is this checkout. Nothing can be reached from it.

    Args:
        name: One of ``CORES``.
        folder: Empty or new; for the home and for the board's files.
        memory: What everything on it may take together, instead of what this computer has.
        with_package: False for a board on which the package is yet to be installed; what it
            depends on is there.

    Attributes:
        home: The folder here that is ``HOME`` there.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        memory: MemoryGroup | None = None,
        with_package: bool = True,
    ) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self._name = name
        self._files = _board_files(name, folder / "board")
        self._memory = memory
        self._with_package = with_package

    @property
    def prefix(self) -> list[str]:
        """What a command line begins with that is to run on the board.

        Input, output and exit status are the command's own, so it also does for an SSH server's
        ``ForceCommand``.
        """
        root = cached_root()
        if root is None:
            raise FileNotFoundError("the emulated board's file system has not been made")
        return [
            *(self._memory.prefix if self._memory else ()),
            *_NAMESPACE,
            *("bwrap", "--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-net"),
            *("--hostname", self._name, "--clearenv", "--chdir", str(HOME)),
            *("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
            *("--bind", str(self.home), str(HOME)),
            *self._mounts(),
            *(part for item in self._environment().items() for part in ("--setenv", *item)),
            "--",
        ]

    def run(
        self, *command: str | Path, stdin: bytes = b"", timeout: float = TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, its output kept."""
        done = subprocess.run(
            [*self.prefix, *map(str, command)],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def _mounts(self) -> list[str]:
        mounts = ["--ro-bind", str(self._files), "/board"]
        for path in ("sys", "proc/cpuinfo", "proc/meminfo"):
            mounts += ["--ro-bind", str(self._files / path), f"/{path}"]
        if self._with_package:
            mounts += ["--ro-bind", str(CHECKOUT), str(PACKAGE)]
        return mounts

    def _environment(self) -> dict[str, str]:
        environment = {
            "HOME": str(HOME),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HF_HUB_OFFLINE": "1",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "QEMU_CPU": CORES[self._name],
            # qemu looks here first for whatever is opened: a mounted /proc takes no new files.
            "QEMU_LD_PREFIX": "/board",
        }
        if self._with_package:
            environment["PYTHONPATH"] = str(PACKAGE.parent)
        return environment


def _board_files(name: str, folder: Path) -> Path:
    """What the board says of itself, and what the libraries ask besides."""
    build(name, folder)
    cores = sum(cluster.count for cluster in boards()[name].clusters)
    for file in ("online", "possible", "present"):
        (folder / "sys/devices/system/cpu" / file).write_text(f"0-{cores - 1}\n")
    (folder / "proc/device-tree").symlink_to("/sys/firmware/devicetree/base")
    return folder


def needs_emulation() -> None:
    """Skip the test where boards cannot be emulated, unless qemu is required."""
    if reason := _obstacle():
        required = QEMU in os.environ.get("WHISPERQ_REQUIRE_PROGRAMS", "").split()
        (pytest.fail if required else pytest.skip)(reason)


@cache
def _obstacle() -> str | None:
    """Why no board can be emulated here."""
    if missing := missing_programs(PROGRAMS):
        return f"an emulated board needs {', '.join(missing)}"
    if not BINFMT.is_file():
        return f"an emulated board needs {BINFMT}, of Debian's qemu-user-static"
    if cached_root() is None:
        return "the emulated board has no file system; run: python tests/arm/emulated_root.py"
    tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False)
    if tried.returncode:
        return f"this kernel starts no ARM programs in a namespace: {tried.stderr.decode().strip()}"
    return None
