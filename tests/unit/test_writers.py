"""The files in tests/golden/transcript* were written by openai-whisper's own writers."""

import io
import json
import os
import random
import resource
from pathlib import Path

import msgspec
import pytest

from whisperq_edge.edge.errors import UnknownNameError, WhisperqError
from whisperq_edge.edge.transcription.transcript import Segment, Transcript, Word
from whisperq_edge.edge.transcription.writers import FORMATS, render, write, write_all

GOLDEN = Path(__file__).parent.parent / "golden"


def make(*pieces, words=()):
    """A transcript of ``(start, end, text)`` pieces, with the words of each where given."""
    segments = tuple(
        Segment(
            id=number,
            seek=3000 * number,
            start=start,
            end=end,
            text=text,
            tokens=(50364, 440 + number, 50414),
            temperature=0.0,
            avg_logprob=-0.25,
            compression_ratio=1.5,
            no_speech_prob=0.0625,
            words=words[number] if words else (),
        )
        for number, (start, end, text) in enumerate(pieces)
    )
    return Transcript("".join(piece[2] for piece in pieces), segments, "en", 3700.0)


PLAIN = make(
    (0.0, 1.5, " Go on to the kitchen."),
    (1.5, 61.0004, " Zürich, 東京 naïve 🎉 \u2028 done"),
    (61.0006, 3599.9996, " a --> b\tc"),
    (3599.9996, 3661.25, "  two  spaces "),
    (359999.9, 360001.0, ""),
)
WORDS = make(
    (0.0, 2.0, " Go on, then."),
    (2.0, 2.0, ""),
    (3600.0, 3602.5, " Zürich é --"),
    words=(
        (
            Word(" Go", 0.12, 0.34, 0.99),
            Word(" on,", 0.34, 0.5, 0.5),
            Word(" then.", 0.9, 1.7, 1.0),
        ),
        (),
        (Word(" Zürich", 3600.1, 3601.0, 0.25), Word(" é", 3601.0, 3602.4, 0.125)),
    ),
)
EMPTY = make()
LONG = make(
    (0.0, 400.0, " word" * 400),
    words=(tuple(Word(f" word{n}", float(n), n + 0.5, 0.5) for n in range(400)),),
)
TRANSCRIPTS = {"transcript": PLAIN, "transcript-words": WORDS, "transcript-empty": EMPTY}


def as_openai(transcript):
    """The dictionary that openai/whisper's ``transcribe`` gives."""
    segments = [msgspec.to_builtins(segment) for segment in transcript.segments]
    for segment in segments:
        if not transcript.has_words:
            del segment["words"]
    return {"text": transcript.text, "segments": segments, "language": transcript.language}


def random_transcript(seed):
    rng = random.Random(seed)
    with_words = rng.random() < 0.5
    time_s, pieces, words = 0.0, [], []
    for _ in range(rng.randrange(6)):
        spoken = []
        start_s = time_s
        for _ in range(rng.choice((0, 1, 5, 300))):
            text = rng.choice((" ", "", "-")) + "".join(
                rng.choice("abc é\t字") for _ in range(rng.randrange(8))
            )
            end_s = time_s + rng.choice((0.0, 0.02, 1.0005, 700.1))
            spoken.append(Word(text, round(time_s, 4), round(end_s, 4), rng.random()))
            time_s = end_s
        pieces.append((start_s, time_s, "".join(word.word for word in spoken)))
        words.append(tuple(spoken))
    return make(*pieces, words=tuple(words) if with_words else ())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_golden_files(name, format):
    expected = (GOLDEN / f"{name}.{format}").read_bytes()
    assert render(TRANSCRIPTS[name], format).encode() == expected


@pytest.mark.parametrize("format", FORMATS)
def test_equals_openai_whisper(format):
    oracle = pytest.importorskip("whisper.utils", reason="the oracle is openai-whisper")
    writer = oracle.get_writer(format, ".")
    for transcript in (*TRANSCRIPTS.values(), LONG, *map(random_transcript, range(40))):
        file = io.StringIO()
        writer.write_result(as_openai(transcript), file)
        assert render(transcript, format) == file.getvalue()


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_an_arrow_within_words_cannot_break_a_subtitle(format):
    words = ((Word(" a", 0.0, 1.0, 1.0), Word(" -->", 1.0, 2.0, 1.0), Word(" b", 2.0, 3.0, 1.0)),)
    text = render(make((0.0, 3.0, " a --> b"), words=words), format)
    assert text.count("-->") == 1
    assert "a -> b" in text


def test_json_has_openai_whispers_fields():
    result = json.loads(render(WORDS, "json"))
    assert list(result) == ["text", "segments", "language"]
    assert list(result["segments"][0]) == [
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob", "words"),
    ]
    assert list(result["segments"][0]["words"][0]) == ["word", "start", "end", "probability"]


def test_write_makes_the_folder_and_keeps_dots_of_the_name(tmp_path):
    path = write(PLAIN, "talk.2024", tmp_path / "a" / "b", "srt")
    assert path == tmp_path / "a" / "b" / "talk.2024.srt"
    assert path.read_text("utf-8") == render(PLAIN, "srt")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_write_all(tmp_path):
    paths = write_all(PLAIN, "talk", tmp_path)
    assert [path.name for path in paths] == [f"talk.{format}" for format in FORMATS]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_write_replaces_a_file(tmp_path):
    write(PLAIN, "talk", tmp_path, "txt")
    assert write(EMPTY, "talk", tmp_path, "txt").read_bytes() == b""


def test_a_disk_that_refuses_leaves_the_old_file_and_nothing_else(tmp_path):
    old = write(EMPTY, "talk", tmp_path, "json")
    before = old.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # fails halfway, as when full
    try:
        with pytest.raises(WhisperqError, match=r"cannot write .*talk\.json: File too large"):
            write(PLAIN, "talk", tmp_path, "json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == before


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WhisperqError, match="cannot write"):
        write(PLAIN, "talk", tmp_path / "file", "txt")


def test_an_unknown_format_names_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'srt'"):
        write(PLAIN, "talk", tmp_path / "new", "srtt")
    assert not (tmp_path / "new").exists()
