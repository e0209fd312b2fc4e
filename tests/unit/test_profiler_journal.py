"""The journal of a profile: nothing lost, nothing twice, nothing of another measurement."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError, WhisperqError
from whisperq_edge.edge.profiling.job import Failed, Finished, Timed
from whisperq_edge.edge.profiling.journal import Header, Journal, is_of
from whisperq_edge.edge.profiling.plan import Piece, make_protocol
from whisperq_edge.edge.profiling.record import SCHEMA, Duration, Pass

from ..records import BOARD, configuration

HEADER = Header(
    SCHEMA,
    "2026-11-28T08:00:00+00:00",
    "0.1.0",
    make_protocol(("2s",), repeats=4),
    BOARD,
    (),
    (configuration(threads=1), configuration(threads=2)),
)


def timed(number, phase="measured", visit=0):
    stages = {"total": Duration(0.1 + number, 0.1)}
    return Timed(visit, number, Pass("2s", phase, stages, 0, None, None, None), "yes")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "record.journal"


def written(path, *findings):
    with Journal(path, HEADER) as journal:
        for finding in findings:
            journal.append(0, finding)
    return path.read_bytes()


def test_it_goes_on_where_it_was(path):
    written(path, timed(0), timed(1))
    later = msgspec.structs.replace(HEADER, created="2026-11-28T09:00:00+00:00")
    with Journal(path, later) as journal:
        assert journal.is_resumed
        assert journal.header == HEADER  # it keeps the time at which it was begun
        assert journal.findings == ([timed(0), timed(1)], [])
        journal.append(1, timed(0))
    with Journal(path, HEADER) as journal:
        assert journal.findings == ([timed(0), timed(1)], [timed(0)])


def test_a_new_one_is_not_resumed(path):
    with Journal(path, HEADER) as journal:
        assert not journal.is_resumed
    assert is_of(path, HEADER)


def test_what_is_known_is_not_written_twice(path):
    once = written(path, timed(0), timed(0, "warm-up"), timed(0, "warm-up", visit=1))
    with Journal(path, HEADER) as journal:
        assert not journal.append(0, timed(0, visit=1))  # a pass that counts, done again
        assert not journal.append(0, timed(0, "warm-up"))
    assert path.read_bytes() == once
    assert once.count(b"\n") == 4


def test_pieces_are_done_or_failed(path):
    time_, examine = Piece(0, "time", 0), Piece(0, "examine", 0)
    with Journal(path, HEADER) as journal:
        journal.append(0, Finished("time", 0))
        assert journal.has(time_) and not journal.has(examine)
        assert not journal.has(time_._replace(configuration=1))
        assert not journal.has(time_._replace(visit=1))
        journal.append(0, Failed("it broke"))
        assert journal.has(examine)


def test_any_torn_end_is_cut_off(path):
    whole = written(path, timed(0), timed(1))
    lines = whole.splitlines(keepends=True)
    for n_bytes in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:n_bytes])
        with Journal(path, HEADER) as journal:
            n_whole = whole[:n_bytes].count(b"\n")
            assert len(journal.findings[0]) == max(0, n_whole - 1)
            journal.append(0, timed(7))
        kept = lines[: max(1, n_whole)]
        assert path.read_bytes().startswith(b"".join(kept))
        assert path.read_bytes().count(b"\n") == len(kept) + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protocol", make_protocol(("2s",), repeats=5)),
        ("board", msgspec.structs.replace(BOARD, usable_cores=2)),
        ("configurations", HEADER.configurations[:1]),
        ("package", "0.2.0"),
        ("labels", ("emulated",)),
    ],
)
def test_another_measurement_is_refused(path, field, value):
    written(path, timed(0))
    other = msgspec.structs.replace(HEADER, **{field: value})
    assert not is_of(path, other)
    with pytest.raises(ConfigError, match=f"another {field}"):
        Journal(path, other)
    assert is_of(path, HEADER)


@pytest.mark.parametrize("content", [b"Dear diary,\n", b'{"a": 1}\n', b"\xff\xfe\n", b"notes"])
def test_other_files_are_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="name another --output"):
        Journal(path, HEADER)
    assert path.read_bytes() == content
    assert not is_of(path, HEADER)


def test_a_damaged_line_is_no_finding(path):
    whole = written(path, timed(0), timed(1))
    path.write_bytes(whole.replace(b'"n_tokens":0', b'"n_tokens":"none"', 1))
    with pytest.raises(ConfigError, match="n_tokens"):
        Journal(path, HEADER)


def test_only_one_program_writes(path):
    with Journal(path, HEADER), pytest.raises(ConfigError, match="another program"):
        Journal(path, HEADER)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WhisperqError, match=r"cannot write .*file"):
        Journal(tmp_path / "file" / "record.journal", HEADER)


@contextmanager
def files_end_at(n_bytes):
    """No file may grow beyond it: to a program it is a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_waited_for(path):
    with Journal(path, HEADER) as journal:
        full = path.stat().st_size + 30  # in the middle of the next line
        with files_end_at(full):
            for number in range(3):
                assert journal.append(0, timed(number))
            assert journal.is_behind
            with pytest.raises(WhisperqError, match="cannot write"):
                journal.flush()
        assert path.stat().st_size == full
        journal.append(0, timed(3))  # there is room again
        assert not journal.is_behind
    with Journal(path, HEADER) as journal:
        assert journal.findings[0] == [timed(number) for number in range(4)]


def test_it_goes_when_all_is_in_a_record(path):
    with Journal(path, HEADER) as journal:
        journal.remove()
    assert not path.exists()
