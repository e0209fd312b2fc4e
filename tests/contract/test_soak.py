"""Two hours of speech, noise and silence through the installed program: flat memory, right text."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.transcription.word_errors import word_error_rate
from whisperq_edge.edge.types import SAMPLE_RATE

from ..sounds import clicks, hum, music, noise, silence

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
HOURS = 2
WARM_UP_S = 15 * 60  # every kind of sound was heard by then, and every recording
MOST_GROWTH = 20 * 2**20  # bytes
PIECE_S = 50  # of sound without speech, between two recordings
# 12 words of 100 are read wrong in this noise; 5 in none.
MOST_ERRORS = 0.15
SLACK_S = 0.5  # that a word's times may lie outside of the recording it was said in

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc"
)


def backgrounds():
    """Pieces in which nobody speaks."""
    return (
        silence(PIECE_S),
        noise("white", -60, PIECE_S),
        noise("pink", -50, PIECE_S),
        music(PIECE_S, -30),
        hum(-50, PIECE_S),
        clicks(-20, PIECE_S),
        noise("brown", -45, PIECE_S),
        music(PIECE_S, -45, seed=1),
    )


def orders(recordings):
    """Recordings and their words: coffee orders, a few seconds each."""
    rows = map(json.loads, (recordings / "manifest.jsonl").read_text().splitlines())
    chosen = [row for row in rows if row["dataset"] == "pvcoffee" and not row["path"] > "12"]
    return [(load_audio(recordings / row["path"]), row["text"]) for row in chosen]


def pcm(samples):
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def resident(process):
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * 4096


def within(words, start, end):
    return [word for word in words if start <= word["start"] and word["end"] <= end]


def played(process, recordings):
    """Write the sound into the program; yields the seconds so far, and when what was said."""
    spoken, n_written = cycle(orders(recordings)), 0
    quiet = 10 ** (-55 / 20) * np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE)
    for background in cycle(backgrounds()):
        samples, text = next(spoken)
        process.stdin.write(pcm(background))
        process.stdin.write(pcm(quiet[:SAMPLE_RATE]))
        start = n_written + len(background) + SAMPLE_RATE
        process.stdin.write(pcm(samples + quiet[: len(samples)]))
        n_written = start + len(samples)
        yield n_written / SAMPLE_RATE, (start / SAMPLE_RATE, n_written / SAMPLE_RATE, text)
        if n_written > HOURS * 3600 * SAMPLE_RATE:
            process.stdin.write(pcm(quiet[:SAMPLE_RATE]))
            return


def test_two_hours_need_no_more_memory_than_a_quarter(artifact, recordings, tmp_path):
    began = time.monotonic()
    said, memory = [], {}
    with (
        (tmp_path / "events.jsonl").open("wb") as events,
        subprocess.Popen(
            [
                *(PROGRAM, "--quiet", "stream", "-", "--speed", "0", "--json"),
                *("--artifact", artifact.folder, "--language", "en", "--threads", "1"),
            ],
            stdin=subprocess.PIPE,
            stdout=events,
        ) as process,
    ):
        for at_s, spoken in played(process, recordings):
            said.append(spoken)
            memory[at_s] = resident(process)
        process.stdin.close()
    assert process.returncode == 0
    assert time.monotonic() - began < HOURS * 3600, "slower than real time"

    warm = max(size for at_s, size in memory.items() if at_s <= WARM_UP_S)
    growth = max(size for at_s, size in memory.items() if at_s > WARM_UP_S) - warm
    assert growth < MOST_GROWTH, f"{growth / 2**20:.1f} MiB more than after the warm-up"

    told = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    words = [word for event in told if event["kind"] == "committed" for word in event["words"]]
    heard = [within(words, start - SLACK_S, end + SLACK_S) for start, end, _ in said]
    assert sum(map(len, heard)) == len(words), "words where nobody spoke"
    texts = ["".join(word["word"] for word in group) for group in heard]
    assert word_error_rate([text for *_, text in said], texts) <= MOST_ERRORS
