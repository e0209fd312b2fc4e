"""``whisperq-edge stream``, as its users meet it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import soundfile

from whisperq_edge.tests.terminal_screen import TerminalScreen

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
UTTERANCES = [
    "may i have a triple shot light roast iced mocha",
    "stop marvin yes no yes",  # was said: stop marvin left no left
    "can i have a light roast double shot coffee with sugar and almond milk",
]
LENGTH_S = 15.6  # of the sound in which they lie


@pytest.fixture(scope="session")
def spoken(recordings, tmp_path_factory):
    """The beginning of the long recording, up to the pause after its third utterance."""
    samples, rate = soundfile.read(recordings / "69_long_71_s.flac", dtype="int16")
    path = tmp_path_factory.mktemp("sound") / "spoken.flac"
    soundfile.write(path, samples[: round(LENGTH_S * rate)], rate)
    return path


@pytest.fixture
def options(artifact):
    # The bundled model was trained on short texts: long ones before it lead it astray.
    return ("--artifact", artifact.folder, "--condition-on-previous-text", "false")


@pytest.fixture
def stream(call, spoken, options):
    """Run the command on the recording as fast as possible."""

    def run(*arguments, quiet=("--quiet",)):
        return call(*quiet, "stream", spoken, *options, "--speed", "0", *arguments)

    return run


def started(*arguments, **more):
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        # A shell that starts the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **more,
    )


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def committed(events):
    return "".join(event["text"] for event in events if event["kind"] == "committed")


def test_a_pipe_gets_a_line_for_each_utterance(cli, spoken, options):
    ended = cli("stream", spoken, *options, "--speed", "0")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines() == UTTERANCES
    what, name = ended.err.splitlines()
    assert what.startswith("demo-onnx-int8, ")
    assert "onnxruntime" in what
    assert name == "listening to spoken; Ctrl-C ends"


def test_json_is_an_event_per_line(stream):
    ended = stream("--json")
    events = events_of(ended.out)
    assert {event["kind"] for event in events} == {"partial", "committed", "endpoint"}
    assert committed(events).split() == " ".join(UTTERANCES).split()
    assert ended.err == ""


def test_raw_sound_comes_through_a_pipe(cli, spoken, options):
    samples, _ = soundfile.read(spoken, dtype="int16")
    two = samples.repeat(2).tobytes()
    ended = cli("-q", "stream", "-", *options, "--speed", "0", "--channels", "2", stdin=two)
    assert (ended.status, ended.out.splitlines()) == (0, UTTERANCES), ended.err


def test_a_file_with_a_header_is_no_raw_sound(cli, spoken, options):
    ended = cli("-q", "stream", "-", *options, "--speed", "0", stdin=spoken.read_bytes())
    assert (ended.status, ended.out) == (7, "")
    assert "sound file with a header" in ended.err


def test_sound_and_events_are_kept(stream, spoken, tmp_path):
    ended = stream("--json", "--save", tmp_path / "a.wav", "-o", tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_text() == ended.out
    kept, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert (kept == soundfile.read(spoken, dtype="int16")[0]).all()


def test_a_finished_stream_has_nothing_to_resume(stream, tmp_path):
    path = tmp_path / "a.jsonl"
    stream("--output", path)
    content = path.read_bytes()
    ended = stream("--output", path, "--resume", quiet=())
    assert (ended.status, ended.out) == (0, ""), ended.err
    assert "going on at 14." in ended.err
    assert path.read_bytes() == content


def test_a_resumed_stream_shows_what_is_new(stream, tmp_path):
    path = tmp_path / "a.jsonl"
    stream("--output", path)
    lines = path.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    cut = kinds.index("committed", kinds.index("endpoint")) + 1  # in the second utterance
    path.write_bytes(b"".join(lines[:cut]) + lines[cut][:20])
    first = events_of(b"".join(lines[:cut]))[-1]["text"]
    ended = stream("--output", path, "--resume")
    assert f"{first} {ended.out}".split() == " ".join(UTTERANCES[1:]).split()
    assert committed(events_of(path.read_bytes())).split() == " ".join(UTTERANCES).split()


def test_the_report_follows_the_text(stream):
    said = " ".join(UTTERANCES)
    ended = stream("--report", "--reference", said)
    assert ended.out.splitlines() == UTTERANCES
    n_words = len(said.split())
    assert "word error rate" in ended.err
    assert f"0.00% of {n_words}" in ended.err
    last = events_of(stream("--report", "--json").out)[-1]
    assert (last["kind"], last["n_words"], last["n_utterances"]) == ("report", n_words, 3)


def test_ctrl_c_shows_what_was_said(spoken, options):
    with started(
        *("stream", spoken, *options, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        lines = []
        while not lines or b'"committed"' not in lines[-1]:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    events = events_of(b"".join(lines) + rest)
    assert events[-1]["kind"] == "endpoint"
    assert events[-1]["text"] == committed(events)
    assert events[-1]["audio_time"] < 5
    assert UTTERANCES[0].startswith(committed(lines and events_of(b"".join(lines))).strip())
    assert process.returncode == 130
    assert err.splitlines()[-1] == b"interrupted"


def test_a_reader_that_has_seen_enough_is_no_error(spoken, options):
    with started(
        *("--quiet", "stream", spoken, *options, "--speed", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline().decode().strip() == UTTERANCES[0]
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_terminal_shows_captions(spoken, options, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setenv("TERM", "xterm")
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    screen, dim = TerminalScreen(40), []
    with started(
        *("--quiet", "stream", spoken, *options, "--speed", "0"), stdout=terminal, stdin=terminal
    ) as process:
        os.close(terminal)
        try:
            while part := os.read(master, 100_000):
                screen.feed(part.decode())
                dim.append(screen.dim.strip())
        except OSError:  # Linux's way to say that the other end is closed
            pass
        os.close(master)
    assert process.returncode == 0
    assert any(dim), "partial text is dim"
    assert not dim[-1], "committed text is not"
    lines = screen.lines
    assert lines[:2] == ["may i have a triple shot light roast", "iced mocha"]
    assert " ".join(lines).split() == " ".join(UTTERANCES).split()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--policy", "hope"), 2, "policy"),
        (("--chunk", "0"), 2, "chunk_s must be from 0.1"),
        (("--buffer-trimming-sec", "60"), 2, "from 2 to 28"),
        (("--speed", "-1"), 2, "--speed"),
        (("--rate", "5"), 2, "rate must be from 1000"),
        (("--channels", "0"), 2, "channels must be from 1"),
        (("--sample-format", "s16_le"), 2, "did you mean 's16le'?"),
        (("--resume",), 2, "name it with --output"),
        (("--reference", "may i"), 2, "add --report"),
        (("--report", "--reference", "missing.txt"), 2, "cannot read the reference"),
        (("--report", "--resume", "--output", "a.jsonl"), 2, "leave out --resume"),
        (("--save", "a.mp3"), 2, ".flac, .wav, .ogg"),
        (("--output", "missing/a.jsonl"), 1, "No such file"),
        (("--language", "engish"), 2, "did you mean 'english'?"),
        (("--compute-device", "gpu"), 6, "no choice of"),
        (("--temperature-increment-on-fallback", "0"), 2, "above 0"),
    ],
)
def test_wrong_options_are_one_line(stream, arguments, status, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = stream(*arguments)
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert (ended.status, ended.out) == (status, "")


@pytest.mark.parametrize("option", ["--save", "--output"])
def test_files_that_exist_are_left(stream, tmp_path, option):
    path = tmp_path / "a.wav"
    path.write_text("mine")
    ended = stream(option, path)
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert f"{path} exists" in line
    assert path.read_text() == "mine"


def test_what_is_no_sound_is_said(call, options, tmp_path):
    (tmp_path / "a.wav").write_text("not a sound")
    for name, words in (("a.wav", "not a sound file"), ("b.wav", "no such file")):
        ended = call("stream", tmp_path / name, *options)
        assert (ended.status, words in ended.err, ended.err.count("\n")) == (7, True, 1)


def test_without_an_export_it_says_how_to_make_one(call, spoken):
    ended = call("stream", spoken)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "whisperq-edge export" in ended.err
