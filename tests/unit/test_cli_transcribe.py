"""``whisperq-edge transcribe``, as its users meet it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.cli.export_index import record_export
from whisperq_edge.edge.cli.option_values import optional_number, temperatures, token_ids
from whisperq_edge.edge.cli.transcript_output import TranscriptOutput
from whisperq_edge.edge.decoding.punctuation import APPENDED, PREPENDED
from whisperq_edge.edge.errors import ConfigError, InferenceError
from whisperq_edge.edge.profiling import system_memory
from whisperq_edge.edge.transcription.transcriber import Transcriber

PROGRAM = Path(sys.executable).with_name("whisperq-edge")


@pytest.fixture(scope="session")
def spoken(recordings):
    """A short recording and its words, which the bundled model gets right."""
    for line in (recordings / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row.get("demo"):
            return recordings / row["path"], row["text"]
    pytest.fail("no recording is marked for the demo")


def test_text_goes_to_the_pipe_and_the_rest_to_stderr(cli, artifact, spoken):
    path, words = spoken
    ended = cli("transcribe", path, "--artifact", artifact.folder, "--language", "en")
    assert ended.status == 0, ended.err
    assert ended.out.split() == words.split()
    (closing,) = ended.err.splitlines()
    assert closing.startswith(f"{path.stem}: {len(words.split())} words in ")
    assert "real-time factor" in closing


def test_the_newest_export_is_used_and_named(call, artifact, spoken):
    record_export(artifact.folder)
    ended = call("transcribe", spoken[0])
    assert ended.status == 0, ended.err
    assert ended.err.splitlines()[0] == f"using {artifact.folder}"


def test_quiet_leaves_only_the_text(call, artifact, spoken):
    ended = call("--quiet", "transcribe", spoken[0], "--artifact", artifact.folder)
    assert ended.err == ""
    assert ended.out.split() == spoken[1].split()


@pytest.mark.parametrize("format", ["txt", "srt", "vtt", "json", "tsv"])
def test_each_format_is_printed(call, artifact, spoken, format):
    ended = call("transcribe", spoken[0], "--artifact", artifact.folder, "-f", format)
    assert ended.status == 0, ended.err
    assert " ".join(spoken[1].split()[:2]) in ended.out
    marks = {"txt": "", "srt": " --> ", "vtt": "WEBVTT", "json": '"segments"', "tsv": "start\tend"}
    assert marks[format] in ended.out


def test_all_formats_are_written(call, artifact, spoken, tmp_path):
    ended = call(
        *("transcribe", spoken[0], "--artifact", artifact.folder),
        *("--output_format", "all", "--output_dir", tmp_path / "out"),
    )
    assert ended.status == 0, ended.err
    assert ended.out == ""
    written = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert written == {".txt", ".srt", ".vtt", ".json", ".tsv"}


def test_standard_input(cli, artifact, spoken, tmp_path):
    samples, rate = soundfile.read(spoken[0])
    soundfile.write(tmp_path / "a.wav", samples, rate)
    ended = cli(
        *("transcribe", "-", "--artifact", artifact.folder),
        stdin=(tmp_path / "a.wav").read_bytes(),
    )
    assert ended.status == 0, ended.err
    assert ended.out.split() == spoken[1].split()
    assert ended.err.startswith("stdin: ")


def test_segments_appear_with_their_times_in_a_terminal(artifact, spoken):
    master, terminal = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "--quiet", "transcribe", spoken[0], "--artifact", artifact.folder],
        stdout=terminal,
        stderr=terminal,
        stdin=subprocess.DEVNULL,
    ) as process:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(master, 4096):
                shown += part
        except OSError:  # Linux's way to say that the other end is closed
            pass
        os.close(master)
    assert process.returncode == 0
    assert shown.startswith(b"[00:00.000 --> 00:0")
    assert spoken[1].split()[-1] in shown.decode()


def test_a_bad_recording_does_not_stop_the_others(call, artifact, spoken, tmp_path):
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "empty.wav").touch()
    ended = call(
        *("transcribe", tmp_path / "missing.wav", spoken[0]),
        *(tmp_path / "text.wav", tmp_path / "empty.wav"),
        *("--artifact", artifact.folder, "--output-dir", tmp_path / "out"),
    )
    assert ended.status == 7
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ["missing.wav" in errors[0], "text.wav" in errors[1], "empty.wav" in errors[2]] == [
        True
    ] * 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{spoken[0].stem}.txt"]
    assert "1 of 4 recordings" in ended.err


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "is empty"), (b"RIFF nothing", "not a sound file")],
)
def test_what_is_no_sound_is_said(call, artifact, tmp_path, content, words):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    ended = call("transcribe", path, "--artifact", artifact.folder)
    assert ended.status == 7
    (line,) = ended.err.splitlines()
    assert words in line


def test_silence_has_no_words(call, artifact, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    ended = call("transcribe", tmp_path / "a.wav", "--artifact", artifact.folder)
    assert (ended.status, ended.out) == (0, "")
    assert "0 words in 1.0 s" in ended.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--language", "engish"), 2, "did you mean 'english'?"),
        (("--patience", "2"), 2, "beam"),
        (("--temperature-increment-on-fallback", "0"), 2, "above 0"),
        (("--suppress-tokens", "a"), 2, "--suppress-tokens"),
        (("--format", "all"), 2, "--output-dir"),
        (("--threads", "0"), 2, "--threads"),
        (("--word-timestamps", "perhaps"), 2, "--word-timestamps"),
        (("--hallucination-silence-threshold", "1"), 2, "needs word_timestamps"),
        (
            ("--word-timestamps", "true", "--hallucination-silence-threshold", "-1"),
            2,
            "below 0 seconds",
        ),
    ],
)
def test_wrong_options_are_one_line(call, artifact, spoken, arguments, status, words):
    ended = call("transcribe", spoken[0], "--artifact", artifact.folder, *arguments)
    assert (ended.status, ended.out) == (status, "")
    (line,) = ended.err.splitlines()
    assert words in line


def test_without_an_export_it_says_how_to_make_one(call, spoken):
    ended = call("transcribe", spoken[0])
    assert ended.status == 2
    assert "whisperq-edge export" in ended.err


def test_options_reach_the_transcriber(call, artifact, spoken):
    ended = call(
        *("transcribe", spoken[0], "--artifact", artifact.folder, "-f", "json"),
        *("--beam_size", "2", "--condition_on_previous_text", "False", "--threads", "1"),
        *("--temperature_increment_on_fallback", "None", "--audio_context", "full"),
        *("--no_speech_threshold", "none", "--initial_prompt", "coffee", "--task", "transcribe"),
    )
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["language"] == "en"


def test_words_get_times_in_json_and_subtitles_theirs(call, artifact, spoken):
    arguments = ("transcribe", spoken[0], "--artifact", artifact.folder, "--language", "en")
    [plain] = json.loads(call(*arguments, "-f", "json").out)["segments"]
    assert "words" not in plain
    [timed] = json.loads(call(*arguments, "-f", "json", "--word_timestamps", "True").out)[
        "segments"
    ]
    words = timed["words"]
    assert [list(word) for word in words] == [["word", "start", "end", "probability"]] * len(words)
    assert "".join(word["word"] for word in words) == timed["text"]
    assert all(word["start"] <= word["end"] for word in words)
    assert (words[0]["start"], words[-1]["end"]) == (timed["start"], timed["end"])
    subtitles = call(*arguments, "-f", "srt", "--word-timestamps", "true").out
    start, end = (f"00:00:{words[at][key]:06.3f}" for at, key in ((0, "start"), (-1, "end")))
    assert subtitles.splitlines()[1] == f"{start} --> {end}".replace(".", ",")


def test_options_of_words_reach_the_transcriber(call, artifact, spoken, monkeypatch):
    taken = []

    def transcribe(self, source, options, **_):
        taken.append(options)
        raise InferenceError("enough is known")

    monkeypatch.setattr(Transcriber, "transcribe", transcribe)
    arguments = ("transcribe", spoken[0], "--artifact", artifact.folder)
    call(*arguments)
    call(
        *(*arguments, "--word_timestamps", "True", "--prepend_punctuations", "<"),
        *("--append_punctuations", ">", "--hallucination_silence_threshold", "1.5"),
    )
    call(*arguments, "--hallucination-silence-threshold", "None")
    assert [
        (
            options.word_timestamps,
            options.prepend_punctuations,
            options.append_punctuations,
            options.hallucination_silence_threshold,
        )
        for options in taken
    ] == [
        (False, PREPENDED, APPENDED, None),
        (True, "<", ">", 1.5),
        (False, PREPENDED, APPENDED, None),
    ]


def test_temperatures_are_whispers():
    assert temperatures(0.0, 0.2) == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert temperatures(0.5, None) == (0.5,)
    assert temperatures(1.0, 0.2) == (1.0,)
    with pytest.raises(ConfigError):
        temperatures(0.0, -0.2)


def test_lists_and_absences_are_read():
    assert token_ids("-1, 50257") == (-1, 50257)
    assert token_ids("") == ()
    assert optional_number("None") is None
    assert optional_number("0.5") == 0.5


def test_files_that_would_be_one_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="2 recordings are called a"):
        TranscriptOutput.of("txt", tmp_path, ["a", "b", "a"])
    TranscriptOutput.of("txt", None, ["a", "a"])
    with pytest.raises(ConfigError, match="srt of several recordings"):
        TranscriptOutput.of("srt", None, ["a", "b"])


def test_an_artifact_that_hardly_fits_into_memory_is_warned_of(
    call, artifact, recordings, monkeypatch
):
    monkeypatch.setattr(system_memory, "read_available_bytes", lambda tree: 50_000_000)
    recording = sorted(recordings.glob("*.flac"))[10]
    ended = call("transcribe", recording, "--artifact", artifact.folder, "--language", "en")
    assert ended.status == 0
    (line,) = [line for line in ended.err.splitlines() if line.startswith("warning")]
    assert "may not fit: it needs about" in line
    assert line.endswith("and 50 MB are free")
