"""Choose the recordings that are bundled with the model: speakers it never heard.

    python recordings.py --data data --out ../recordings

The choice is drawn by lot, not by what the model gets right; only the longest clips are taken on
purpose. ``--demo`` then marks recordings for the demonstration, and those are ones it gets right.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clips import Clip, read_clip, read_clips, read_rows, write_rows, write_wave
from joined import PHRASE_WORDS, long_recording, one_voice, phrase

SEED = 20
LONG_SHARES = {"pvcoffee": 0.65, "pvww": 0.15, "sc": 0.20}  # of the utterances of long files
LONG_S = (30.0, 75.0)
COUNTS = {  # dataset: clips of (test, dev)
    "pvcoffee": (11, 4),
    "sc": (12, 4),
    "pvww": (7, 2),
    "moonalnum": (3, 0),
    "fsdd": (2, 1),
    "sc_silence": (6, 0),
}
LONGEST = {"pvcoffee": 2, "pvww": 1}  # taken first, out of those of test
JOINED = {  # dataset: strings of (test, dev)
    "fsdd": (5, 3),
    "sc": (5, 2),
}

JFK = {
    "text": "and so my fellow americans ask not what your country can do for you"
    " ask what you can do for your country",
    "speaker": "John F. Kennedy",
    "dataset": "out-of-domain",
    "split": "test",
    "licence": "public domain",
    "speech_start": 0.3,
    "speech_end": 10.6,
    "source": "tests/jfk.flac",
}


def main() -> None:
    """Write the recordings and their manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("../recordings"))
    parser.add_argument("--jfk", type=Path, help="tests/jfk.flac of openai/whisper")
    parser.add_argument("--demo", nargs="*", help="only mark these paths as the demonstration")
    options = parser.parse_args()
    if options.demo is None:
        choose(options.data, options.out, options.jfk)
    else:
        mark(options.out, set(options.demo))


def mark(folder: Path, paths: set[str]) -> None:
    """Set ``demo`` on the rows of ``paths`` and remove it from all others."""
    rows = read_rows(folder)
    if unknown := paths - {row["path"] for row in rows}:
        raise SystemExit(f"not in {folder}: {', '.join(sorted(unknown))}")
    for row in rows:
        row.pop("demo", None)
        if row["path"] in paths:
            row["demo"] = True
    write_rows(folder, rows)


def choose(data: Path, out: Path, jfk: Path | None) -> None:
    """Draw the recordings and write them; ``jfk`` is added as speech that is out of domain."""
    draw = random.Random(SEED)
    chosen: list[tuple[Clip, list[dict[str, Any]]]] = []
    used: set[str] = set()
    pools = {split: read_clips(data, [split]) for split in ("test", "dev")}
    for split_index, split in enumerate(("test", "dev")):
        for dataset, counts in COUNTS.items():
            pool = sorted(
                (clip for clip in pools[split] if clip.dataset == dataset),
                key=lambda clip: (-clip.duration_s, clip.row["path"]),
            )
            n_longest = LONGEST.get(dataset, 0) if split == "test" else 0
            taken = pool[:n_longest] + draw.sample(
                pool[n_longest:], counts[split_index] - n_longest
            )
            chosen += [(single(clip), []) for clip in taken]
            used |= {clip.row["path"] for clip in taken}
        for dataset, counts in JOINED.items():
            pool = [clip for clip in pools[split] if clip.dataset == dataset]
            for _ in range(counts[split_index]):
                voice = one_voice(pool, PHRASE_WORDS[1], draw)
                chosen.append((phrase(voice, draw.randint(*PHRASE_WORDS), draw), []))
    test = [clip for clip in pools["test"] if clip.row["path"] not in used]
    chosen += [long_file(test, target_s, draw) for target_s in LONG_S]
    if jfk is not None:
        chosen.append((read_clip(jfk.parent, JFK | {"path": jfk.name}), []))
    rows = []
    for number, (clip, segments) in enumerate(chosen, 1):
        row = {"path": f"{number:02d}_{slug(clip)}.flac"} | clip.row | {"text": clip.text}
        row["path"] = f"{number:02d}_{slug(clip)}.flac"
        row["duration"] = round(clip.duration_s, 3)
        if clip.text:
            row |= {"speech_start": round(clip.start_s, 3), "speech_end": round(clip.end_s, 3)}
        if segments:
            row["segments"] = segments
        write_wave(out / row["path"], clip.samples)
        rows.append(row)
    write_rows(out, rows)


def slug(clip: Clip) -> str:
    """A file name that says what is in the recording."""
    if clip.dataset == JFK["dataset"]:
        return "jfk"
    words = clip.text if clip.dataset != "joined" else f"long {clip.duration_s:.0f} s"
    return re.sub(r"[^a-z0-9]+", "_", words or "noise")[:40].strip("_")


def single(clip: Clip) -> Clip:
    """A clip as it is, without the columns that only training needs."""
    drop = ("cut_seconds", "carrier_words")
    row = {key: value for key, value in clip.row.items() if key not in drop}
    return Clip(clip.samples, clip.text, clip.start_s, clip.end_s, row)


def long_file(
    pool: Sequence[Clip], target_s: float, draw: random.Random
) -> tuple[Clip, list[dict[str, Any]]]:
    """Orders, wake words and commands of several speakers, and their segments.

    Digits stay out: their share-alike licence would cover the whole recording.
    """
    recording = long_recording(pool, LONG_SHARES, target_s, draw)
    sources = [clip.row["source"].removeprefix("joined: ") for clip in recording.segments]
    row = {
        "speaker": ", ".join(dict.fromkeys(clip.speaker for clip in recording.segments)),
        "dataset": "joined",
        "split": "test",
        "licence": "Apache-2.0 AND CC-BY-4.0",
        "source": "joined: " + ", ".join(sources),
    }
    segments = [
        {"start": round(clip.start_s, 3), "end": round(clip.end_s, 3), "text": clip.text}
        for clip in recording.segments
    ]
    start_s, end_s = recording.segments[0].start_s, recording.segments[-1].end_s
    return Clip(recording.samples, recording.text, start_s, end_s, row), segments


if __name__ == "__main__":
    main()
