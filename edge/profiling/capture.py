"""A copy of the files that a board's facts were read from: for bug reports, and for tests."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import msgspec

from .control_group import MEMBERSHIPS, control_groups
from .energy import meter_of
from .read_board import board_of, condition_of, machine_of, system_of
from .system_tree import COMMANDS, SystemTree
from .whole_file import write_whole

FACTS = "board.json"  # what was made of them here, with what only this process knows
_SERIAL = re.compile(rb"^(serial[^:\n]*:)(.*)$", re.IGNORECASE | re.MULTILINE)


class WitnessedTree(SystemTree):
    """A system that remembers what was read of it.

    Attributes:
        contents: What was found, by path from "/".
    """

    def __init__(self, root: Path = Path("/")) -> None:
        super().__init__(root)
        self.contents: dict[str, bytes] = {}

    def content(self, path: str) -> bytes | None:
        """See ``SystemTree``."""
        content = super().content(path)
        if content is not None:
            self.contents[path] = content
        return content

    def output(self, *command: str) -> str | None:
        """See ``SystemTree``."""
        printed = super().output(*command)
        if printed is not None:
            self.contents[f"/{COMMANDS}/{' '.join(command)}"] = f"{printed}\n".encode()
        return printed


def capture(file: Path, root: Path = Path("/")) -> tuple[str, ...]:
    """Pack what the readers read into a .tar.gz, whole or not at all.

    Unpacked, its folder is a ``root`` for every reader. Serial numbers and the names of control
    groups, which tell users and hosts, are left out; nothing else that is read is anybody's.

    Args:
        file: Where to write it.
        root: See ``SystemTree``.

    Returns:
        The names in it.

    Raises:
        WhisperqError: It cannot be written.
    """
    contents = captured(root)
    packed = io.BytesIO()
    # Without a name and a time of its own: gzip's header has room for both.
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in sorted(contents.items()):
            entry = tarfile.TarInfo(name)  # owned by nobody in particular
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    write_whole(packed.getvalue(), file)
    return tuple(sorted(contents))


def captured(root: Path = Path("/")) -> dict[str, bytes]:
    """What ``capture`` packs: contents by name."""
    tree = WitnessedTree(root)
    facts = {"board": board_of(tree), "condition": condition_of(tree)}
    meter_of(tree)
    # The process knows both, here; whoever reads the copy has only the files.
    machine_of(tree)
    system_of(tree)
    contents = _without_group_names(tree)
    if (cpuinfo := contents.get("/proc/cpuinfo")) is not None:
        contents["/proc/cpuinfo"] = _without_serial(cpuinfo)
    named = {path.lstrip("/"): content for path, content in contents.items()}
    return {**named, FACTS: msgspec.json.format(msgspec.json.encode(facts)) + b"\n"}


def _without_serial(cpuinfo: bytes) -> bytes:
    return _SERIAL.sub(lambda line: line[1] + re.sub(rb"\S", b"0", line[2]), cpuinfo)


def _without_group_names(tree: WitnessedTree) -> dict[str, bytes]:
    """Control groups with numbers for names, and only those that can limit memory."""
    contents, lines = dict(tree.contents), []
    for group in control_groups(tree):
        nameless = group.without_names()
        lines.append(f"{nameless}\n")
        for file, renamed in zip(group.files, nameless.files, strict=True):
            if file in contents:
                contents[renamed] = contents.pop(file)
    if MEMBERSHIPS in contents:
        contents[MEMBERSHIPS] = "".join(lines).encode()
    return contents
