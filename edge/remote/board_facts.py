"""What has to be known of a board before anything is sent to it."""

from __future__ import annotations

import msgspec

from ..errors import RemoteError
from .host import Host


class BoardFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``board_side.py`` says of its board.

    Attributes:
        root: The folder there that everything goes into.
        python: Its interpreter's path.
        bits: Of the interpreter; 32 also where only the kernel has 64.
        glibc: Version of the C library; None if it is another.
        macos: Version of the system; None if it is another.
        makes_environments: Whether its Python can make virtual environments.
        free_bytes: On the disk of ``root``.
        markers: What requirements of packages may ask for (PEP 508).
    """

    root: str
    python: str
    bits: int
    glibc: str | None
    macos: str | None
    makes_environments: bool
    free_bytes: int
    markers: dict[str, str]

    def check(self, host: Host) -> None:
        """Raise if no wheels can be installed there.

        Raises:
            RemoteError: With the command that helps, where there is one.
        """
        version = self.markers["python_version"]
        if not self.makes_environments:
            raise RemoteError(
                f"{host}: {self.python} cannot make virtual environments; run there: "
                f"sudo apt-get install python{version}-venv"
            )
        if self.markers["implementation_name"] != "cpython":
            raise RemoteError(
                f"{host}: there are wheels for CPython only, and this is {self.python}"
            )
        if self.bits != 64:
            raise RemoteError(
                f"{host} has a 32-bit system, for which there are no wheels of the inference "
                "libraries; install a 64-bit one (Raspberry Pi OS 64-bit)"
            )
        if not self.platforms:
            system = self.markers["platform_system"]
            library = " with another C library than glibc" if system == "Linux" else ""
            raise RemoteError(
                f"{host} runs {system}{library}, for which there are no wheels of the inference "
                "libraries"
            )

    @property
    def platforms(self) -> list[str]:
        """Tags of the wheels that can be installed there, newest first."""
        machine = self.markers["platform_machine"]
        if self.macos:
            from packaging.tags import mac_platforms

            major, minor = (*map(int, self.macos.split(".")), 0)[:2]
            return list(mac_platforms((major, minor), machine))
        if self.glibc is None:
            return []
        newest = int(self.glibc.split(".")[1])
        # PEP 600; x86_64 had the names of PEP 513 and 571 from glibc 2.5 on, the others 2014's.
        oldest, named = (5, ("2014", "2010", "1")) if machine == "x86_64" else (17, ("2014",))
        tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, oldest - 1, -1)]
        return [*tags, *(f"manylinux{year}_{machine}" for year in named)]
