"""Boards over SSH: the protocol, the server and the processes are real, the board is a folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
import time
from functools import partial

import pytest

asyncssh = pytest.importorskip("asyncssh", reason="boards over SSH need asyncssh")

from whisperq_edge.edge.errors import RemoteError  # noqa: E402
from whisperq_edge.edge.remote.connection import UnreachableError  # noqa: E402
from whisperq_edge.edge.remote.delivery import deliver  # noqa: E402
from whisperq_edge.edge.remote.host import Host  # noqa: E402
from whisperq_edge.edge.remote.link import Link  # noqa: E402
from whisperq_edge.edge.remote.remote_run import RemoteRun  # noqa: E402
from whisperq_edge.edge.remote.tree import Tree  # noqa: E402

from ..ssh_board import SshBoard  # noqa: E402

PATIENCE_S = 60
# Writes a line, waits for a file named after it to be made in its folder, and so on: the test says
# how far it gets, and no clock does. What it has done before it knows from its own journal.
STEPS = """
import sys, time
from pathlib import Path
done = Path("journal").read_text().split() if Path("journal").exists() else []
for step in sys.argv[1:]:
    if step in done:
        print("resumed", step, flush=True)
        continue
    print("at", step, flush=True)
    while not Path("go-" + step).exists():
        time.sleep(0.02)
    with open("journal", "a") as journal:
        journal.write(step + "\\n")
Path("result").write_text("done")
print("finished")
"""


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A user of this machine with a key and nothing else."""
    home = tmp_path / "user"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(home / ".ssh" / "id_ed25519")
    return key


@pytest.fixture
def known_hosts(key, tmp_path):
    path = tmp_path / "user" / ".ssh" / "known_hosts"
    path.touch()
    return path


@pytest.fixture
def board(tmp_path, key, known_hosts):
    with SshBoard(tmp_path / "board", key=key) as board:
        known_hosts.write_text(board.known_hosts_line)
        yield board


def host_of(board):
    return Host("127.0.0.1", "pi", board.port)


def over(board, action, *, notes=None, patience_s=PATIENCE_S, key=None):
    """Do something with a link to a board."""

    async def run():
        notify = (lambda text: None) if notes is None else notes.append
        async with Link.to(host_of(board), key, notify, patience_s) as link:
            return await action(link)

    return asyncio.run(run())


async def root_of(link):
    return (await link.do(lambda c: c.ask("facts")))["root"]


def ignore(*anything):
    pass


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Who is let in, and who answers


def test_a_known_board_is_asked_what_it_is(board):
    facts = over(board, lambda link: link.do(lambda c: c.ask("facts")))
    assert facts["root"] == str(board.root)
    assert facts["markers"]["python_version"] == "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_another_host_key_is_refused(board, known_hosts, kind):
    """Also one of another kind, which fails earlier in the protocol."""
    other = asyncssh.generate_private_key(kind).export_public_key().decode()
    known_hosts.write_text(f"[127.0.0.1]:{board.port} {other}")
    with pytest.raises(RemoteError) as refused:
        over(board, root_of)
    assert "is not the one in known_hosts" in str(refused.value)
    assert f"ssh-keygen -R '[127.0.0.1]:{board.port}'" in str(refused.value)
    assert board.host_key.get_fingerprint() in str(refused.value)
    assert not board.commands


def test_an_unknown_host_key_is_refused(board, known_hosts):
    known_hosts.write_text("")
    with pytest.raises(RemoteError) as refused:
        over(board, root_of)
    assert "is not in known_hosts" in str(refused.value)
    assert f"ssh -p {board.port} pi@127.0.0.1" in str(refused.value)
    assert board.host_key.get_fingerprint() in str(refused.value)
    assert not board.commands


def test_no_known_hosts_at_all_refuses_as_well(board, known_hosts):
    known_hosts.unlink()
    with pytest.raises(RemoteError, match="is not in known_hosts"):
        over(board, root_of)


def test_a_wrong_key_is_refused_with_what_to_do(board, tmp_path):
    path = tmp_path / "user" / ".ssh" / "id_ed25519"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
    with pytest.raises(RemoteError, match=r"does not let you in .*: ssh-copy-id -p \d+ pi@"):
        over(board, root_of)


def test_a_key_can_be_named(board, key, tmp_path):
    (tmp_path / "user" / ".ssh" / "id_ed25519").rename(tmp_path / "mine")
    assert over(board, root_of, key=tmp_path / "mine") == str(board.root)


@pytest.mark.parametrize("damage", ["absent", "no key", "passphrase"])
def test_a_key_that_cannot_be_used_is_named(board, key, tmp_path, damage):
    path = tmp_path / "mine"
    if damage == "no key":
        path.write_text("hello")
    if damage == "passphrase":
        key.write_private_key(path, "pkcs8-pem", passphrase="secret")
    with pytest.raises(RemoteError, match=str(path)):
        over(board, root_of, key=path)


def test_nobody_there_is_told_at_once(board):
    board.stop()
    with pytest.raises(UnreachableError, match=r"pi@127.0.0.1:\d+ cannot be reached"):
        over(board, root_of)


def test_a_board_without_python_is_told_what_to_install(tmp_path, key, known_hosts):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    with SshBoard(tmp_path / "bare", key=key, path=str(programs)) as bare:
        known_hosts.write_text(bare.known_hosts_line)
        with pytest.raises(
            RemoteError, match=r"no Python of 3\.11 or newer; run there: sudo apt-get"
        ):
            over(bare, root_of)


def test_a_newer_python_beside_an_old_one_is_found(tmp_path, key, known_hosts):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    old = programs / "python3"
    # It runs whatever it is given, but is too old where it is asked for that.
    old.write_text('#!/bin/sh\ncase "$2" in *version_info*) exit 1;; esac\n')
    old.chmod(0o755)
    (programs / "python3.11").symlink_to(sys.executable)
    with SshBoard(tmp_path / "both", key=key, path=str(programs)) as both:
        known_hosts.write_text(both.known_hosts_line)
        assert over(both, root_of) == str(both.root)


# What is sent


def make_artifact(folder, *contents):
    (folder / "deep").mkdir(parents=True)
    for number, content in enumerate(contents):
        (folder / "deep" / f"{number}.bin").write_bytes(content)
    return folder


async def send(link, folder, progress=ignore):
    return await deliver(link, await root_of(link), Tree.of_folder(folder), progress, "send")


def test_a_folder_arrives_as_it_is(board, tmp_path):
    folder = make_artifact(tmp_path / "demo", b"one", os.urandom(3 << 20), b"")
    shares = []
    there = over(board, partial(send, folder=folder, progress=lambda _, done: shares.append(done)))
    for path in folder.rglob("*.bin"):
        relative = path.relative_to(tmp_path)
        assert (board.home / there / relative).read_bytes() == path.read_bytes()
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_nothing_is_sent_twice(board, tmp_path):
    folder = make_artifact(tmp_path / "demo", b"a" * 1000, b"b" * 1000)
    over(board, partial(send, folder=folder))
    assert board.n_received == 2000
    over(board, partial(send, folder=folder))
    assert board.n_received == 2000
    # Under another name, with one file that is new.
    other = make_artifact(tmp_path / "other", b"a" * 1000, b"c" * 10)
    over(board, partial(send, folder=other))
    assert board.n_received == 2010


def test_a_lost_connection_goes_on_where_it_was(board, tmp_path):
    size = 8 << 20
    folder = make_artifact(tmp_path / "demo", os.urandom(size))
    board.cut_after = size // 2
    notes = []
    there = over(board, partial(send, folder=folder), notes=notes)
    content = (folder / "deep" / "0.bin").read_bytes()
    assert (board.home / there / "demo" / "deep" / "0.bin").read_bytes() == content
    assert len(notes) == 2
    assert "trying again" in notes[0]
    assert notes[1] == "connected again"
    # What the server had in hand when it was cut may come twice; the half before that may not.
    assert board.n_received < size * 1.4


def test_a_damaged_part_is_thrown_away(board, tmp_path):
    folder = make_artifact(tmp_path / "demo", b"right")
    tree = Tree.of_folder(folder)
    (board.root / "files").mkdir(parents=True)
    (board.root / "files" / f"{tree.files['demo/deep/0.bin'].digest}.part").write_bytes(b"wr")
    there = over(board, partial(send, folder=folder))
    assert (board.home / there / "demo" / "deep" / "0.bin").read_bytes() == b"right"


def test_a_file_that_lost_its_content_is_sent_anew(board, tmp_path):
    """A board that is switched off in the wrong moment has the name and not the bytes."""
    folder = make_artifact(tmp_path / "demo", b"right")
    digest = Tree.of_folder(folder).files["demo/deep/0.bin"].digest
    (board.root / "files").mkdir(parents=True)
    (board.root / "files" / digest).touch()
    there = over(board, partial(send, folder=folder))
    assert (board.home / there / "demo" / "deep" / "0.bin").read_bytes() == b"right"


def test_no_room_is_told_before_anything_is_sent(board, tmp_path, monkeypatch):
    folder = make_artifact(tmp_path / "demo", b"x" * 5000)

    async def squeeze(link):
        root = await root_of(link)
        tree = Tree.of_folder(folder)
        big = {
            name: type(file)(file.path, file.digest, 1 << 60) for name, file in tree.files.items()
        }
        return await deliver(link, root, Tree(big), ignore, "send")

    with pytest.raises(RemoteError, match="MiB are needed"):
        over(board, squeeze)
    assert board.n_received == 0


# What runs


async def finish(link, name, command, lines=None):
    run = RemoteRun(link, await root_of(link), name, command)
    return await run.finish(ignore if lines is None else lines.append)


def steps(*names):
    return [sys.executable, "-c", STEPS, *names]


def go(board, name, *names):
    for step in names:
        (board.root / "runs" / name / f"go-{step}").touch()


class InBackground:
    """Something that waits, in a thread."""

    def __init__(self, work):
        self._thread = threading.Thread(target=self._run, args=(work,))
        self.result = None
        self.error = None
        self._thread.start()

    def _run(self, work):
        try:
            self.result = work()
        except Exception as error:
            self.error = error

    def end(self):
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.result


def test_a_run_shows_its_lines_and_gives_its_status(board):
    lines = []
    command = ["sh", "-c", "echo one; echo two >&2; printf 'three\\rfour'; exit 7"]
    assert over(board, partial(finish, name="r", command=command, lines=lines)) == (7, "four")
    assert lines == ["one", "two", "three", "four"]


def test_a_program_that_is_not_there_is_an_error(board):
    status, last = over(board, partial(finish, name="r", command=["/nowhere/program"]))
    assert status == 127
    assert "/nowhere/program" in last


def test_a_run_outlasts_the_connection(board):
    """Cut twice, and off the network once: nothing is run twice, no line is lost or doubled."""
    lines, notes = [], []
    work = partial(finish, name="r", command=steps("a", "b", "c"), lines=lines)
    waiting = InBackground(lambda: over(board, work, notes=notes))
    wait_until(lambda: lines == ["at a"])
    (follower,) = board.processes("follow")
    board.cut()
    # It has nothing to write, and nobody to write to; it has to notice nonetheless.
    wait_until(lambda: follower not in board.processes("follow"))
    go(board, "r", "a")
    wait_until(lambda: lines == ["at a", "at b"])
    board.stop()
    go(board, "r", "b")
    wait_until(lambda: (board.root / "runs/r/output").read_text().endswith("at c\n"))
    board.restart()
    wait_until(lambda: lines == ["at a", "at b", "at c"])
    go(board, "r", "c")
    assert waiting.end() == (0, "finished")
    assert lines == ["at a", "at b", "at c", "finished"]
    assert notes.count("connected again") == 2


def test_a_board_that_stays_away_is_given_up_and_its_run_goes_on(board):
    lines = []
    work = partial(finish, name="r", command=steps("a"), lines=lines)
    waiting = InBackground(lambda: over(board, work, patience_s=0.5))
    wait_until(lambda: lines)
    board.stop()
    with pytest.raises(UnreachableError):
        waiting.end()
    go(board, "r", "a")
    wait_until(lambda: (board.root / "runs/r/status").exists())
    board.restart()
    again = []
    work = partial(finish, name="r", command=steps("a"), lines=again)
    assert over(board, work) == (0, "finished")
    assert again == ["at a", "finished"]  # it was not run again


def test_a_board_that_was_switched_off_goes_on_from_what_it_left(board):
    lines = []
    work = partial(finish, name="r", command=steps("a", "b"), lines=lines)
    waiting = InBackground(lambda: over(board, work))
    wait_until(lambda: lines)
    go(board, "r", "a")
    wait_until(lambda: "at b" in lines)
    board.stop()
    board.kill_runs()
    go(board, "r", "b")
    board.restart()
    assert waiting.end() == (0, "finished")
    assert lines[2:] == [
        "the run is gone, so the board was restarted; it goes on from what it left",
        "resumed a",
        "at b",
        "finished",
    ]


def test_a_failed_run_is_started_again_in_its_folder(board):
    command = ["sh", "-c", "test -e tried && echo again && exit; touch tried; exit 3"]
    assert over(board, partial(finish, name="r", command=command)) == (3, "")
    assert over(board, partial(finish, name="r", command=command)) == (0, "again")


def test_a_killed_program_gives_the_signal(board):
    lines = []
    work = partial(finish, name="r", command=steps("a"), lines=lines)
    waiting = InBackground(lambda: over(board, work))
    wait_until(lambda: lines)
    os.killpg(int((board.root / "runs/r/group").read_text()), 9)
    assert waiting.end() == (-9, "at a")


def test_two_runs_at_a_time_would_measure_each_other(board):
    lines = []
    work = partial(finish, name="first", command=steps("a"), lines=lines)
    waiting = InBackground(lambda: over(board, work))
    wait_until(lambda: lines)
    with pytest.raises(RemoteError, match=r"at another run; .* kill -- -\d+"):
        over(board, partial(finish, name="second", command=steps("a")))
    go(board, "first", "a")
    assert waiting.end() == (0, "finished")


def test_a_result_is_fetched_whole_and_the_run_forgotten(board, tmp_path):
    async def all_of_it(link):
        root = await root_of(link)
        run = RemoteRun(link, root, "r", ["sh", "-c", "head -c 300000 /dev/zero > result"])
        await run.finish(ignore)
        await link.do(lambda c: c.fetch(str(run.folder / "result"), tmp_path / "here"))
        await run.forget()

    over(board, all_of_it)
    assert (tmp_path / "here").read_bytes() == bytes(300_000)
    assert not (board.root / "runs" / "r").exists()
    assert not list(tmp_path.glob(".here*"))


def test_a_result_that_is_not_there_is_told(board, tmp_path):
    with pytest.raises(RemoteError, match="No such file"):
        over(board, lambda link: link.do(lambda c: c.fetch("/nowhere", tmp_path / "here")))
    assert not (tmp_path / "here").exists()


def test_names_with_spaces_and_quotes_do_no_harm(board, tmp_path):
    folder = make_artifact(tmp_path / 'it\'s $(touch broken) "so"', b"x")
    there = over(board, partial(send, folder=folder))
    assert (board.home / there / folder.name / "deep" / "0.bin").read_bytes() == b"x"
    command = ["sh", "-c", 'echo "$1"', "sh", "it's $HOME"]
    assert over(board, partial(finish, name="r", command=command)) == (0, "it's $HOME")
    assert not list(board.home.rglob("broken"))
    shutil.rmtree(board.home)
