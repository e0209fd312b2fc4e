"""``whisperq-edge board``: the facts as a table and as JSON, and the capture."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from whisperq_edge.edge.profiling import read_board as reader
from whisperq_edge.edge.profiling.board import Board, Condition
from whisperq_edge.edge.profiling.read_board import read_board, read_condition

from ..boards import build, write


@pytest.fixture
def on(tmp_path, monkeypatch):
    """Run the rest of the test on one of the boards."""

    def move(name, changes=None):
        root = build(name, tmp_path / name)
        write(root, changes or {})
        board, condition = read_board(root), read_condition(root)
        monkeypatch.setattr(reader, "read_board", lambda: board)
        monkeypatch.setattr(reader, "read_condition", lambda: condition)
        return board, condition

    return move


def rows(text):
    """A table in a pipe: what stands under each name."""
    found = {}
    for line in text.splitlines()[1:]:
        name, _, value = line.partition("  ")
        found.setdefault(name, []).append(value.strip())
    return found


def test_facts_in_a_table(call, on):
    on(
        "raspberry-pi-zero-2-w",
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "209715200"},
    )
    ended = call("board")
    assert ended.status == 0
    assert rows(ended.out) == {
        "model": ["Raspberry Pi Zero 2 W Rev 1.0"],
        "devices": ["raspberry-pi-zero-2-w"],
        "system": ["Linux-6.12.47+rpt-rpi-v8 aarch64"],
        "cores": ["4 x Cortex-A53, up to 1000 MHz"],
        "usable cores": ["4"],
        "int8 instructions": ["none known"],
        "governor": ["ondemand"],
        "memory": ["426.0 MiB, of which this process may take 200.0 MiB"],
        "available memory": ["319.5 MiB"],
        "clocks": ["500 500 500 500 MHz"],
        "temperature cpu-thermal": ["61.2 °C"],
        "held back": ["under-voltage, throttled"],
        "held back since boot": ["under-voltage, throttled"],
    }


def test_kinds_of_cores_rails_and_a_healthy_supply(call, on):
    on("orange-pi-5")
    shown = rows(call("board").out)
    assert shown["cores"] == ["4 x Cortex-A55, up to 1800 MHz", "4 x Cortex-A76, up to 2400 MHz"]
    assert shown["held back"] == ["unknown"]
    on("jetson-orin-nano")
    assert rows(call("board").out)["power VDD_IN"] == ["5.11 W"]
    on("raspberry-pi-5")
    assert rows(call("board").out)["held back"] == ["no"]


def test_what_is_unknown_is_said(call, on):
    on("amd-zen4", {"sys/class/dmi/id/sys_vendor": None, "sys/class/dmi/id/product_name": None})
    shown = rows(call("board").out)
    assert (shown["model"], shown["clocks"], shown["governor"]) == (["unknown"], ["-"], ["-"])


def test_facts_as_json(cli):
    """Of the machine that runs the tests, through the program."""
    import msgspec

    ended = cli("board", "--json")
    found = json.loads(ended.out)
    assert ended.status == 0
    assert msgspec.convert(found["board"], Board) == read_board()
    assert msgspec.convert(found["condition"], Condition).throttled == read_condition().throttled


def test_a_capture_is_written_and_named(cli, tmp_path):
    ended = cli("--verbose", "board", "capture", "--output", tmp_path / "new" / "pi.tar.gz")
    assert (ended.status, ended.out) == (0, "")
    with tarfile.open(tmp_path / "new" / "pi.tar.gz") as archive:
        names = archive.getnames()
    *listed, last = ended.err.splitlines()
    assert listed == names
    assert last == f"{len(names)} files in {tmp_path / 'new' / 'pi.tar.gz'}"


def test_a_capture_goes_into_the_folder_that_one_is_in(cli, tmp_path):
    assert cli("board", "capture", cwd=tmp_path).status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["board.tar.gz"]


def test_a_capture_that_cannot_be_written_is_one_line(call, tmp_path):
    (tmp_path / "file").write_text("")
    ended = call("board", "capture", "-o", tmp_path / "file" / "pi.tar.gz")
    assert ended.status == 1
    assert ended.err.startswith(f"error: cannot write {tmp_path / 'file' / 'pi.tar.gz'}: ")
    assert ended.err.count("\n") == 1


def test_the_capture_explains_itself(call):
    ended = call("board", "capture", "--help")
    assert (ended.status, "Example: whisperq-edge board capture" in ended.out) == (0, True)
    assert Path("board.tar.gz").name in ended.out
