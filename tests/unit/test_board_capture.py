"""The copy of a board's files: what is in it, what is not, and that it reads like the board."""

from __future__ import annotations

import errno
import json
import os
import platform
import tarfile

import pytest

from whisperq_edge.edge.errors import WhisperqError
from whisperq_edge.edge.profiling.capture import FACTS, WitnessedTree, capture, captured
from whisperq_edge.edge.profiling.energy import find_meter
from whisperq_edge.edge.profiling.read_board import read_board, read_condition

from ..boards import boards, build, write

SERIAL = "10000000deadbeef"
GROUPS = {
    "proc/self/cgroup": (
        "12:pids:/user.slice/user-1000.slice/alice-laptop\n"
        "4:memory:/docker/alice-laptop\n"
        "0::/user.slice/alice-laptop\n"
    ),
    "sys/fs/cgroup/user.slice/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/alice-laptop/memory.max": "400000000\n",
    "sys/fs/cgroup/memory/docker/alice-laptop/memory.limit_in_bytes": "300000000\n",
}


def unpack(file, folder):
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("name", sorted(boards()))
def test_an_unpacked_copy_reads_like_the_board(tmp_path, name):
    root = build(name, tmp_path / "board")
    capture(tmp_path / "copy.tar.gz", root)
    copy = unpack(tmp_path / "copy.tar.gz", tmp_path / "copy")
    assert read_board(copy) == read_board(root)
    assert read_condition(copy) == read_condition(root)
    meters = [find_meter(root), find_meter(copy)]
    assert len({meter and meter.name for meter in meters}) == 1


def test_this_machine_can_be_captured(tmp_path):
    capture(tmp_path / "copy.tar.gz")
    copy = unpack(tmp_path / "copy.tar.gz", tmp_path / "copy")
    here, there = read_board(), read_board(copy)
    for fact in ("model", "machine", "cores", "features", "memory_bytes", "memory_limit_bytes"):
        assert getattr(there, fact) == getattr(here, fact), fact
    assert there.system == f"{platform.system()}-{platform.release()}"
    # What only the process knows is in the facts that were written beside the files.
    facts = json.loads((copy / FACTS).read_text())
    assert facts["board"]["python"] == here.python
    assert facts["board"]["usable_cores"] == here.usable_cores


def test_exactly_what_was_read_is_packed(tmp_path):
    """Nothing else of the board, whatever lies beside it."""
    root = build("raspberry-pi-4", tmp_path / "board")
    write(
        root,
        {
            "etc/hostname": "alice-pi\n",
            "sys/class/net/eth0/address": "dc:a6:32:01:02:03\n",
            "sys/firmware/devicetree/base/serial-number": f"{SERIAL}\0",
            "sys/class/dmi/id/product_serial": "S123\n",
            "sys/class/dmi/id/product_uuid": "U123\n",
        },
    )
    names = set(capture(tmp_path / "copy.tar.gz", root))
    copy = unpack(tmp_path / "copy.tar.gz", tmp_path / "copy")
    assert names == {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    cpu = "sys/devices/system/cpu"
    assert names == {
        FACTS,
        "proc/cpuinfo",
        "proc/meminfo",
        *(f"proc/sys/kernel/{name}" for name in ("arch", "osrelease", "ostype")),
        *(f"sys/firmware/devicetree/base/{name}" for name in ("model", "compatible")),
        *(
            f"{cpu}/cpu{core}/cpufreq/{name}"
            for core in range(4)
            for name in ("cpuinfo_max_freq", "scaling_cur_freq", "scaling_governor")
        ),
        *(f"sys/class/thermal/thermal_zone0/{name}" for name in ("type", "temp")),
        "sys/devices/platform/soc/soc:firmware/get_throttled",
    }


def test_serial_numbers_are_blanked(tmp_path):
    root = build("raspberry-pi-5", tmp_path / "board")
    assert SERIAL in (root / "proc/cpuinfo").read_text()
    contents = captured(root)
    assert not [name for name, content in contents.items() if SERIAL.encode() in content]
    assert b"Serial\t\t: 0000000000000000\n" in contents["proc/cpuinfo"]
    ours, theirs = contents["proc/cpuinfo"].splitlines(), (root / "proc/cpuinfo").read_bytes()
    changed = [a for a, b in zip(ours, theirs.splitlines(), strict=True) if a != b]
    assert len(changed) == 1, "and nothing else"


@pytest.mark.parametrize("line", ["Serial : abc", "serial number\t: abc", "SERIAL:abc"])
def test_serial_lines_of_other_kernels_are_blanked_too(tmp_path, line):
    root = build("orange-pi-5", tmp_path / "board")
    write(root, {"proc/cpuinfo": (root / "proc/cpuinfo").read_text() + f"{line}\n"})
    assert b"abc" not in captured(root)["proc/cpuinfo"]


def test_control_groups_lose_their_names_and_keep_their_limits(tmp_path):
    root = build("raspberry-pi-5", tmp_path / "board")
    write(root, GROUPS)
    capture(tmp_path / "copy.tar.gz", root)
    copy = unpack(tmp_path / "copy.tar.gz", tmp_path / "copy")
    everything = "\n".join(
        f"{path.relative_to(copy)}\n{path.read_text()}"
        for path in copy.rglob("*")
        if path.is_file()
    )
    assert not [name for name in ("alice", "user-1000", "docker") if name in everything]
    assert read_board(copy).memory_limit_bytes == read_board(root).memory_limit_bytes == 300_000_000
    (copy / "sys/fs/cgroup/memory/1/2/memory.limit_in_bytes").unlink()
    assert read_board(copy).memory_limit_bytes == 400_000_000


def test_the_archive_names_nobody(tmp_path):
    root = build("raspberry-pi-4", tmp_path / "board")
    capture(tmp_path / "copy.tar.gz", root)
    with tarfile.open(tmp_path / "copy.tar.gz") as archive:
        owners = {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in archive}
    assert owners == {(0, 0, "", "")}
    packed = (tmp_path / "copy.tar.gz").read_bytes()
    assert packed[3] == 0, "no file name in gzip's header"
    capture(tmp_path / "again.tar.gz", root)
    assert packed == (tmp_path / "again.tar.gz").read_bytes()


def test_what_a_command_said_is_packed(tmp_path, monkeypatch):
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho throttled=0x50005\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tree = WitnessedTree()
    assert tree.output("vcgencmd", "get_throttled") == "throttled=0x50005"
    assert tree.contents == {"/commands/vcgencmd get_throttled": b"throttled=0x50005\n"}


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "copy.tar.gz"
    file.write_text("old")
    root = build("raspberry-pi-4", tmp_path / "board")

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WhisperqError, match=r"copy\.tar\.gz: No space left"):
        capture(file, root)
    assert file.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board", "copy.tar.gz"]
