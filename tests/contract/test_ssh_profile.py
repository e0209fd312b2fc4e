"""`profile --host`: wheels are sent, an environment is made, the profiler runs, the record returns.

Everything is real but the board, which is a home folder on this machine with nothing in it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import metadata
from pathlib import Path

import pytest

asyncssh = pytest.importorskip("asyncssh", reason="boards over SSH need asyncssh")

from whisperq_edge.edge.profiling.record_file import read_record  # noqa: E402

from ..live_program import LiveProgram  # noqa: E402
from ..ssh_board import SshBoard  # noqa: E402
from ..ssh_user import User  # noqa: E402

QUICK = ("--threads", "1", "--repeats", "1", "--minutes", "0.1")
UNREACHABLE = "no wheels for"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture
def user(tmp_path, cache):
    return User(tmp_path / "user", cache)


@pytest.fixture(scope="module")
def used_board(tmp_path_factory):
    """A board that keeps what it was sent; its user's key comes later."""
    with SshBoard(
        tmp_path_factory.mktemp("board"), key=asyncssh.generate_private_key("ssh-ed25519")
    ) as board:
        yield board


def where(board):
    return f"pi@127.0.0.1:{board.port}"


def profile(cli, user, *arguments):
    done = cli("profile", *arguments, *QUICK, env=user.env)
    if done.status and UNREACHABLE in done.err and not os.environ.get("WHISPERQ_REQUIRE"):
        pytest.skip("pip cannot reach the packages")
    return done


def test_a_board_is_profiled_from_nothing(cli, user, artifact, used_board, tmp_path):
    """And a second time nothing is sent."""
    used_board.admit(user.key)
    user.knows(used_board)
    output = tmp_path / "first.json"
    done = profile(
        cli,
        user,
        artifact.folder,
        "--host",
        where(used_board),
        "--output",
        output,
        "--label",
        "a test",
    )
    assert done.status == 0, done.err
    record = read_record(output)
    assert record.labels == ("a test",)
    assert record.package == metadata.version("whisperq-edge")
    (outcome,) = record.outcomes
    assert outcome.status == "measured", outcome.reason
    assert outcome.configuration.threads == 1
    assert outcome.errors is not None
    # It ran there, in the environment that was made there, and not with what is installed here.
    (program,) = used_board.root.glob("runs/environment-*/venv/bin/whisperq-edge")
    assert str(used_board.root) in program.read_text()
    assert not list(used_board.root.glob("runs/task-*"))
    assert f"record: {output}" in done.out
    assert f"{where(used_board)}: send wheels" in done.err

    n_received = used_board.n_received
    again = profile(
        cli, user, artifact.folder, "--host", where(used_board), "--json",
        "--output", tmp_path / "second.json",
    )  # fmt: skip
    assert again.status == 0, again.err
    assert used_board.n_received == n_received
    assert json.loads(again.out)["record"] == str(tmp_path / "second.json")
    assert read_record(tmp_path / "second.json").created > record.created


def test_a_command_that_was_interrupted_comes_back_to_its_run(
    cli, user, artifact, used_board, tmp_path
):
    """Nothing is measured twice: the record is that of the run which was begun first."""
    used_board.admit(user.key)
    user.knows(used_board)
    program = str(Path(sys.executable).with_name("whisperq-edge"))
    output = tmp_path / "record.json"
    command = [program, "profile", str(artifact.folder), "--host", where(used_board), *QUICK]
    first = LiveProgram([*command, "--output", str(output)], {**os.environ, **user.env})
    first.wait_for("0%")
    (run,) = used_board.root.glob("runs/task-*")
    begun = json.loads((run / "record.journal").read_text().splitlines()[0])["created"]
    first.process.send_signal(signal.SIGINT)
    first.wait_for("the same command comes back to it; to end it: ssh -p")
    assert first.end() == 130
    second = profile(cli, user, artifact.folder, "--host", where(used_board), "--output", output)
    assert second.status == 0, second.err
    record = read_record(output)
    assert record.outcomes[0].status == "measured"
    assert record.created == begun


def test_several_boards_at_once_and_one_that_is_not_there(
    cli, user, artifact, used_board, tmp_path
):
    used_board.admit(user.key)
    with SshBoard(tmp_path / "gone", key=user.key) as gone:
        user.knows(used_board, gone)
        gone.stop()
        boards = tmp_path / "boards.txt"
        boards.write_text(f"{where(gone)}  # switched off\n{where(used_board)}\n")
        output = tmp_path / "record.json"
        done = profile(cli, user, artifact.folder, "--hosts", boards, "--output", output)
    assert done.status == 8
    assert f"error: {where(gone)} cannot be reached" in done.err
    (path,) = tmp_path.glob("record-*.json")
    assert path.name == f"record-pi-127.0.0.1-{used_board.port}.json"
    assert read_record(path).outcomes[0].status == "measured"


def test_an_output_that_is_there_is_refused_before_anything_is_asked(
    cli, user, artifact, used_board, tmp_path
):
    output = tmp_path / "record.json"
    output.write_text("{}")
    n_commands = len(used_board.commands)
    done = profile(cli, user, artifact.folder, "--host", where(used_board), "--output", output)
    assert (done.status, output.read_text()) == (2, "{}")
    assert len(used_board.commands) == n_commands
