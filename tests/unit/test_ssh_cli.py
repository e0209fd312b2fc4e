"""The options that name boards, and what is shown of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from whisperq_edge.edge.cli.host_screen import host_rows
from whisperq_edge.edge.cli.remote_profile import Boards, as_options, board_targets
from whisperq_edge.edge.cli.screen import Screen
from whisperq_edge.edge.errors import ConfigError


def test_without_a_host_this_machine_is_meant():
    assert Boards.named([], None, None) is None


def test_hosts_and_the_list_are_taken_together_and_each_once(tmp_path):
    path = tmp_path / "boards.txt"
    path.write_text("pi@two\npi@one\n")
    boards = Boards.named(["pi@one"], path, None)
    assert [str(host) for host in boards.hosts] == ["pi@one", "pi@two"]


def test_a_key_without_a_host_is_a_mistake(call, tmp_path):
    ended = call("profile", "--ssh-key", tmp_path / "key")
    assert (ended.status, ended.err) == (
        2,
        "error: --ssh-key is for boards; name one with --host\n",
    )


def test_a_wrong_host_is_told_before_anything_else(call, tmp_path):
    ended = call("profile", tmp_path / "no-artifact", "--host", "pi@")
    assert ended.status == 2
    assert "'pi@' is no host" in ended.err


def test_one_board_writes_the_output_and_several_have_their_names_in_it(tmp_path):
    output = tmp_path / "shelf.json"
    assert Boards.named(["pi@one"], None, None).outputs(output) == [output]
    assert Boards.named(["pi@one", "two:2222"], None, None).outputs(output) == [
        tmp_path / "shelf-pi-one.json",
        tmp_path / "shelf-two-2222.json",
    ]


def test_a_finished_record_is_not_overwritten(tmp_path):
    (tmp_path / "shelf-pi-two.json").touch()
    boards = Boards.named(["pi@one", "pi@two"], None, None)
    with pytest.raises(ConfigError, match=r"shelf-pi-two\.json is finished"):
        boards.outputs(tmp_path / "shelf.json")


def test_the_board_is_asked_what_we_were_asked():
    asked = {"threads": "1,2", "minutes": None, "repeats": 6}
    assert as_options(asked, labels=["a fan", "hot"]) == [
        "--threads", "1,2", "--repeats", "6", "--label", "a fan", "--label", "hot",
    ]  # fmt: skip


def test_all_targets_are_those_that_any_board_runs():
    assert set(board_targets("all").split(",")) <= {"onnx", "openvino", "tflite"}
    assert board_targets("coreml,onnx") == "coreml,onnx"


def test_lines_say_which_board_and_leave_out_what_is_no_progress(capsys):
    with host_rows(Screen(), ["one", "two"]) as (one, two):
        one.progress("send wheels", 0.1)
        one.progress("send wheels", 0.9)
        two.line("  5%  tiny int8 onnx, 1 thread: times, 1:20 left")
        two.line("record: record.json")
        one.note("connected again")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "one: send wheels",
        "two:   5%  tiny int8 onnx, 1 thread: times, 1:20 left",
        "one: connected again",
    ]


def test_without_asyncssh_the_extra_is_named(tmp_path):
    """In a process of its own, where the library cannot be imported."""
    code = (
        "import sys; sys.modules['asyncssh'] = None\n"
        "import asyncio\n"
        "from whisperq_edge.edge.remote.host import Host\n"
        "from whisperq_edge.edge.remote.link import Link\n"
        "async def go():\n"
        "    async with Link.to(Host('board'), None, print): pass\n"
        "asyncio.run(go())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'whisperq-edge[ssh]'" in done.stderr.splitlines()[-1]
