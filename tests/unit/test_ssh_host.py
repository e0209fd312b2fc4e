"""Boards as people name them, and lists of them."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.remote.host import Host, distinct, read_hosts


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("pi@board", Host("board", "pi")),
        ("board", Host("board")),
        ("pi@board.local:2222", Host("board.local", "pi", 2222)),
        ("192.168.1.7:22", Host("192.168.1.7", port=22)),
        ("pi@[fe80::1%eth0]:2222", Host("fe80::1%eth0", "pi", 2222)),
        ("[::1]", Host("::1")),
    ],
)
def test_hosts_are_read_and_written_alike(text, host):
    assert Host.parse(text) == host
    assert Host.parse(str(host)) == host


@pytest.mark.parametrize(
    "text", ["", "@board", "pi@", "pi@board:", "board:0", "board:65536", "a b", "::1", "a@b@c"]
)
def test_others_are_refused(text):
    with pytest.raises(ConfigError, match="write user@board"):
        Host.parse(text)


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "pi@-x", "-pi@board"])
def test_no_host_is_an_option_of_ssh(text):
    """We tell people to run ssh with it."""
    with pytest.raises(ConfigError):
        Host.parse(text)


def test_what_ssh_is_given():
    assert Host.parse("pi@board:2222").ssh_arguments == "-p 2222 pi@board"
    assert Host.parse("board").ssh_arguments == "board"
    assert Host.parse("pi@[::1]:2222").ssh_arguments == "-p 2222 pi@::1"


def test_names_of_files_hold_no_separators():
    assert Host.parse("pi@board:2222").file_name == "pi-board-2222"
    assert Host.parse("[::1]:22").file_name == "1-22"


def test_a_list_has_one_host_a_line(tmp_path):
    path = tmp_path / "boards.txt"
    path.write_text("# the shelf\npi@one\n\n  pi@two:2222  # has a fan\npi@one\n")
    hosts = read_hosts(path)
    assert [str(host) for host in distinct(hosts)] == ["pi@one", "pi@two:2222"]


def test_a_wrong_line_is_named(tmp_path):
    path = tmp_path / "boards.txt"
    path.write_text("pi@one\npi two\n")
    with pytest.raises(ConfigError, match=r"boards\.txt, line 2: 'pi two' is no host"):
        read_hosts(path)


@pytest.mark.parametrize("content", ["", "# nobody\n"])
def test_an_empty_list_is_refused(tmp_path, content):
    path = tmp_path / "boards.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match="names no host"):
        read_hosts(path)


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"boards\.txt cannot be read"):
        read_hosts(tmp_path / "boards.txt")
