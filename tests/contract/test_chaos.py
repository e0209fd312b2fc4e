"""A stream that is killed again and again, and resumed, loses and repeats nothing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from whisperq_edge.edge.transcription.word_errors import word_error_rate

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
N_KILLS = 6
# Of the words of a run without kills. The same sound is decoded after the same text, so there is no
# reason for any difference but how the voice activity starts: 2 of 134 words are let pass.
MOST_ERRORS = 0.015
TORN = b'{"kind":"committed","text":" this line was being wri'


@pytest.fixture
def command(artifact, recordings):
    # The bundled model was trained on short texts: long ones before it lead it astray.
    return [
        *(PROGRAM, "--quiet", "stream", recordings / "69_long_71_s.flac", "--speed", "0"),
        *("--artifact", artifact.folder, "--condition-on-previous-text", "false"),
    ]


def committed(content):
    """The words of the committed events."""
    events = map(json.loads, content.splitlines())
    return [word for event in events if event["kind"] == "committed" for word in event["words"]]


def joined(words):
    return "".join(word["word"] for word in words)


def kill_when_grown(command, path, n_bytes):
    """Start the program and kill it as soon as its file is so long; whether it came to that."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if path.exists() and path.stat().st_size >= n_bytes:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_stream_goes_on(command, tmp_path, seed):
    chance = random.Random(seed)
    whole, path = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    subprocess.run([*command, "--output", whole], stdout=subprocess.DEVNULL, check=True)
    resumed = [*command, "--output", path, "--resume"]
    joints, before = [], b""
    for _ in range(N_KILLS):
        n_more = chance.randrange(1, whole.stat().st_size // N_KILLS)
        assert kill_when_grown(resumed, path, len(before) + n_more), "it ended before it was killed"
        content = path.read_bytes()
        assert content.startswith(before), "what was there before changed"
        before = content[: content.rfind(b"\n") + 1]
        joints.append(len(committed(before)))
        if chance.random() < 0.5:  # what a kill within a write leaves, which is rare
            path.write_bytes(before + TORN[: chance.randrange(1, len(TORN))])
    subprocess.run(resumed, stdout=subprocess.DEVNULL, check=True)

    content = path.read_bytes()
    assert content.startswith(before)
    expected, words = committed(whole.read_bytes()), committed(content)
    assert word_error_rate([joined(expected)], [joined(words)]) <= MOST_ERRORS
    pairs = set(pairwise(word["word"] for word in expected))
    for joint in joints:
        if 0 < joint < len(words):
            last, first = (words[joint - 1]["word"], words[joint]["word"])
            assert last != first or (last, first) in pairs, f"'{first}' is there twice"
    assert all(word["end"] <= later["start"] for word, later in pairwise(words))
    # Every utterance ends once, and its text is what was committed of it.
    events = list(map(json.loads, content.splitlines()))
    ended = "".join(event["text"] for event in events if event["kind"] == "endpoint")
    assert ended == joined(words)
