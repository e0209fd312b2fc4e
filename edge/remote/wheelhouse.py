"""The wheels that a board's Python needs, fetched here for a machine that is another.

pip can fetch wheels for another platform, but reads the conditions in requirements ("only for
Python below 3.12") by the interpreter that it runs under. So the requirements are followed here, by
the board's own values, and pip is asked for wheels without what they need.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import RemoteError
from .board_facts import BoardFacts
from .own_wheel import last_line

_ROUNDS = 30  # each follows requirements one step further; twelve were never needed


class Wheelhouse:
    """A folder of wheels for one kind of board.

    Args:
        folder: Where they are; made if it is not there.
        board: Whose.
    """

    def __init__(self, folder: Path, board: BoardFacts) -> None:
        self.folder, self._board = folder, board

    @property
    def wheels(self) -> list[Path]:
        """All of them."""
        return sorted(self.folder.glob("*.whl"))

    def fill(self, roots: Iterable[Requirement]) -> None:
        """Fetch what these requirements need, and what that needs, until nothing is missing.

        Raises:
            RemoteError: There is no such wheel for this board, or no network.
        """
        roots = list(roots)
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_ROUNDS):
            needed = self._closure(roots)
            unmet = [name for name, need in needed.items() if not self._has(name, need)]
            if not unmet:
                self._remove_all_but(needed)
                return
            self._download([f"{name}{needed[name].specifier}" for name in unmet])
        raise RemoteError(f"the requirements of {', '.join(map(str, roots))} do not come to an end")

    def _closure(self, roots: Iterable[Requirement]) -> dict[str, _Need]:
        """Every package that is needed, as far as the wheels that are here can tell."""
        needed: dict[str, _Need] = {}
        waiting = [(root, "") for root in roots]
        while waiting:
            requirement, extra = waiting.pop()
            values = {**self._board.markers, "extra": extra}
            if requirement.marker and not requirement.marker.evaluate(values):
                continue
            name = canonicalize_name(requirement.name)
            need = needed.setdefault(name, _Need())
            fresh = {"", *requirement.extras} - need.extras
            need.specifier &= requirement.specifier
            need.extras |= fresh
            if fresh and (wheel := self._wheel(name)):
                further = list(requirements_of(wheel))
                waiting += [(each, wanted) for wanted in fresh for each in further]
        return needed

    def _has(self, name: str, need: _Need) -> bool:
        """Whether a wheel is here; one that is, and will not do, is removed."""
        wheel = self._wheel(name)
        if wheel is None:
            return False
        if need.specifier.contains(_version(wheel), prereleases=True):
            return True
        wheel.unlink()
        return False

    def _wheel(self, name: str) -> Path | None:
        return next((wheel for wheel in self.wheels if _name(wheel) == name), None)

    def _remove_all_but(self, names: Iterable[str]) -> None:
        kept = set(names)
        for wheel in self.wheels:
            if _name(wheel) not in kept:
                wheel.unlink()

    def _download(self, requirements: Sequence[str]) -> None:
        board = self._board
        platforms = [word for tag in board.platforms for word in ("--platform", tag)]
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--implementation", "cp",
            "--python-version", board.markers["python_full_version"].rstrip("+"), *platforms,
            "--dest", str(self.folder), *requirements,
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            machine, python = (board.markers[key] for key in ("platform_machine", "python_version"))
            raise RemoteError(
                f"no wheels for {machine} and Python {python}: {last_line(done.stderr)}"
            )


class _Need:
    """What is asked of one package, by all that need it together."""

    def __init__(self) -> None:
        self.specifier = SpecifierSet()
        self.extras: set[str] = set()


def wheelhouse_for(own: Path, extras: Sequence[str], board: BoardFacts, cache: Path) -> list[Path]:
    """This package's wheel and all that it needs on a board; fetched once for boards alike.

    Args:
        own: This package's wheel.
        extras: Of it, that the board is to have.
        board: Which.
        cache: Folder of this machine that wheels are kept in.

    Raises:
        RemoteError: There is no wheel for this board, or no network.
    """
    wanted = "\n".join(
        [*board.platforms[:1], board.markers["python_version"], *sorted(extras),
         *sorted(map(str, requirements_of(own)))]
    )  # fmt: skip
    finished = cache / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if not finished.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            house = Wheelhouse(Path(scratch, "wheels"), board)
            house.folder.mkdir()
            shutil.copyfile(own, house.folder / own.name)
            house.fill([Requirement(f"{_name(own)}[{','.join(extras)}]")])
            (house.folder / own.name).unlink()
            try:
                house.folder.rename(finished)
            except OSError:  # another process was quicker
                if not finished.is_dir():
                    raise
    return [own, *Wheelhouse(finished, board).wheels]


def requirements_of(wheel: Path) -> Iterable[Requirement]:
    """What a wheel says that it needs, extras and conditions included."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = BytesHeaderParser().parsebytes(archive.read(name))
    return [Requirement(str(line)) for line in headers.get_all("Requires-Dist", [])]


def unpacked_bytes(wheels: Iterable[Path]) -> int:
    """What they take when they are installed."""
    total = 0
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            total += sum(entry.file_size for entry in archive.infolist())
    return total


def _name(wheel: Path) -> str:
    return str(parse_wheel_filename(wheel.name)[0])


def _version(wheel: Path) -> str:
    return str(parse_wheel_filename(wheel.name)[1])
