"""The journal of a stream: nothing that was written is lost, and nothing half written is read."""

from __future__ import annotations

import errno
import os
from io import FileIO

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError, WhisperqError
from whisperq_edge.edge.streaming import journal as journals
from whisperq_edge.edge.streaming.events import Event
from whisperq_edge.edge.streaming.journal import Journal
from whisperq_edge.edge.streaming.resumption import Past
from whisperq_edge.edge.transcription.transcript import Word


def event(kind, text, end):
    words = (Word(text, end - 0.5, end, 0.9),)
    return Event(kind, text, words, end - 0.5, end, end + 1.0, end + 1.1)


EVENTS = [
    event("partial", " may", 0.5),
    event("committed", " may i", 1.0),
    event("committed", " have", 1.5),
    event("partial", " a coffee", 2.5),
    event("endpoint", " may i have", 1.5),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def content(path):
    with Journal(path) as journal:
        for one in EVENTS:
            journal.append(one)
    return path.read_bytes()


def test_each_event_is_a_line_at_once(path):
    with Journal(path) as journal:
        for number, one in enumerate(EVENTS, start=1):
            journal.append(one)
            lines = path.read_bytes().splitlines(keepends=True)
            assert len(lines) == number
            assert msgspec.json.decode(lines[-1], type=Event) == one


def test_what_is_committed_is_the_past(path, content):
    with Journal(path, resume=True) as journal:
        assert journal.past == Past(" may i have", 1.5, " may i have", 2.5, ())
        journal.append(EVENTS[0])
    assert path.read_bytes() == content + content.splitlines(keepends=True)[0]


def test_wherever_a_line_is_torn_those_before_it_are_the_past(path, content):
    lines = content.splitlines(keepends=True)
    ends = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    for n_bytes in range(len(content)):
        path.write_bytes(content[:n_bytes])
        n_whole = sum(end <= n_bytes for end in ends) - 1
        with Journal(path, resume=True) as journal:
            committed = [one for one in EVENTS[:n_whole] if one.kind == "committed"]
            assert journal.past.text == "".join(one.text for one in committed)
            assert journal.past.end_s == (committed[-1].end if committed else 0.0)
            has_ended = n_whole == len(EVENTS)
            assert journal.past.ended_text == (journal.past.text if has_ended else "")
            words = [word for one in committed for word in one.words]
            assert list(journal.past.words) == ([] if has_ended else words)
        assert path.read_bytes() == b"".join(lines[:n_whole])


def test_a_new_file_may_be_resumed(path):
    with Journal(path, resume=True) as journal:
        assert journal.past == Past()
        journal.append(EVENTS[0])
    assert path.stat().st_size


def test_a_file_with_content_is_refused_and_left(path, content):
    with pytest.raises(ConfigError, match=r"events\.jsonl exists; go on with it by --resume"):
        Journal(path)
    assert path.read_bytes() == content


def test_an_empty_file_has_nothing_to_lose(path):
    path.touch()
    with Journal(path) as journal:
        journal.append(EVENTS[0])
    assert path.stat().st_size


@pytest.mark.parametrize("line", [b"hello\n", b'{"kind": "report"}\n', b"\xff\n", b"\n"])
def test_what_is_no_journal_is_refused_and_left(path, content, line):
    path.write_bytes(content + line)
    with pytest.raises(ConfigError, match="line 6 is not an event"):
        Journal(path, resume=True)
    assert path.read_bytes() == content + line


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(WhisperqError, match=r"cannot write .*a/b\.jsonl: No such file"):
        Journal(tmp_path / "a" / "b.jsonl")
    with pytest.raises(WhisperqError, match=r"cannot write .*: Is a directory"):
        Journal(tmp_path, resume=True)


def test_a_line_that_is_written_in_parts_is_whole(path, monkeypatch):
    class SevenBytes(FileIO):
        def write(self, line):
            return super().write(line[:7])

    monkeypatch.setattr(journals, "FileIO", SevenBytes)
    with Journal(path) as journal:
        journal.append(EVENTS[1])
    assert msgspec.json.decode(path.read_bytes(), type=Event) == EVENTS[1]


def test_a_full_disk_is_told(path, monkeypatch):
    class Full(FileIO):
        def write(self, line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journals, "FileIO", Full)
    with (
        Journal(path) as journal,
        pytest.raises(WhisperqError, match=r"cannot write .*: No space left on device"),
    ):
        journal.append(EVENTS[0])
