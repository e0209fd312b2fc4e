"""What was said, read from a file: as ``transcribe`` writes it, or refused in one line."""

import re
import sys
from pathlib import Path

import pytest

from whisperq_edge.edge.errors import ConfigError, MissingDependencyError
from whisperq_edge.edge.streaming.reference import read_reference
from whisperq_edge.edge.transcription.transcript import Segment, Transcript
from whisperq_edge.edge.transcription.writers import write


def test_what_transcribe_writes(tmp_path):
    segments = [
        Segment(0, 0, 0.0, 1.5, " Can I.", (), 0.0, 0.0, 1.0, 0.0),
        Segment(1, 0, 1.5, 2.0, " ...", (), 0.0, 0.0, 1.0, 0.0),
        Segment(2, 0, 2.25, 3.0, " Yes.", (), 0.0, 0.0, 1.0, 0.0),
    ]
    transcript = Transcript(" Can I. ... Yes.", tuple(segments), "en", 3.0)
    for form in ("json", "tsv"):
        found = read_reference(write(transcript, "said", tmp_path, form))
        assert found.text == "Can I. Yes."
        first, second = found.segments
        assert (first.start, first.end, first.text.strip()) == (0.0, 1.5, "Can I.")
        assert (second.start, second.end, second.text.strip()) == (2.25, 3.0, "Yes.")
    assert read_reference(write(transcript, "said", tmp_path, "txt")).segments == ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.srt", b"1", "a .txt, .tsv, .json file"),
        ("a.txt", b" ... \n", "without words"),
        ("a.txt", b"\xff\xfe", "not text in UTF-8"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b'{"text": "yes"}', "segments"),
        ("a.json", b'{"segments": [{"start": 0, "end": "x", "text": "a"}]}', "end"),
        ("a.json", b'{"segments": [{"start": 2, "end": 1, "text": "a"}]}', "out of order"),
        ("a.tsv", b"", "first line"),
        ("a.tsv", b"0\t1\tyes\n", "first line"),
        ("a.tsv", b"start\tend\ttext\n0\t900\n", "line 2"),
        ("a.tsv", b"start\tend\ttext\n0\tnan\tyes\n", "line 2"),
        ("a.tsv", b"start\tend\ttext\n", "without words"),
        (
            "a.tsv",
            b"start\tend\ttext\n900\t950\tyes\n0\t900\tno\n",
            "from 0 to 0.9 s is out of order",
        ),
    ],
)
def test_a_wrong_file(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_reference(path)
    assert str(caught.value).count("\n") == 0
    assert name in str(caught.value)


def test_a_missing_file():
    with pytest.raises(ConfigError, match="No such file"):
        read_reference(Path("nowhere.txt"))


def test_a_missing_library_is_told_before_the_stream(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(MissingDependencyError, match=r"jiwer.*whisperq-edge\[verify\]"):
        read_reference(tmp_path / "any.txt")
