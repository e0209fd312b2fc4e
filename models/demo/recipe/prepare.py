"""Make the training data of what was fetched: 16 kHz FLAC, trimmed to the speech, and a manifest.

    python prepare.py --raw raw --out data

Each line of the manifest has the file's SHA-256; clips that are there and unchanged are not made
again. The splits are by speaker: ``speakers.tsv`` for the sets whose files are named after their
speakers, ``labels.tsv`` for the others, where it also has the texts.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from clips import SAMPLE_RATE, Wave, read_rows, write_rows, write_wave
from fetch import SOURCES
from grammar import DIGITS

HERE = Path(__file__).parent
MARGIN_S = {"pvcoffee": 0.3}  # kept before and after the speech
DEFAULT_MARGIN_S = 0.1
FRAME_S = 0.01
RANGE_DB = 35.0  # of speech, below the loudest frame
ABOVE_NOISE = 0.33  # of the way from the noise to the loudest frame
# The sets whose file names say who says what.
NAMES = {
    "sc": re.compile(
        r"(?:MLTK_keyworkSpotting/dataset|speech_commands_v0\.01)/"
        r"(?:_unknown_/(?P<word>[a-z]+)_|(?P<folder>[a-z]+)/)"
        r"(?P<speaker>[0-9a-f]+)_nohash_\d+(?:\.wav)+"
    ),
    "fsdd": re.compile(r"recordings/(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+\.wav"),
    "moonalnum": re.compile(
        r"test-assets/alphanumeric/(?P<folder>[a-z]+)/(?P<speaker>[a-z]+)_nohash_\d+\.wav"
    ),
}


@dataclass(frozen=True)
class Label:
    """What is known of a source file before it is heard."""

    dataset: str
    speaker: str
    split: str
    text: str
    carrier_words: int | None = None
    cut_s: tuple[float, ...] = ()  # after the beginning of the speech


class Labels:
    """Finds the label of a source file."""

    def __init__(self) -> None:
        self._splits = {
            (row["dataset"], row["speaker"]): row["split"] for row in _table("speakers.tsv")
        }
        self._listed = {
            row["source"]: Label(
                row["dataset"],
                row["speaker"],
                row["split"],
                row["text"],
                int(row["carrier_words"]) if row["carrier_words"] else None,
                tuple(float(cut_s) for cut_s in row["cut_s"].split()),
            )
            for row in _table("labels.tsv")
        }

    def find(self, source: str) -> Label | None:
        """The label of a file, by its path in its repository; None if it is not used."""
        if source in self._listed:
            return self._listed[source]
        for dataset, pattern in NAMES.items():
            if match := pattern.fullmatch(source):
                parts = match.groupdict()
                split = self._splits.get((dataset, parts["speaker"]))
                digit = parts.get("digit")
                text = DIGITS[int(digit)] if digit else parts.get("word") or parts["folder"]
                prefix = {"moonalnum": "moon"}.get(dataset, dataset)
                return (
                    Label(dataset, f"{prefix}_{parts['speaker']}", split, text) if split else None
                )
        return None


def _table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def speech_bounds(samples: Wave) -> tuple[float, float]:
    """Where speech begins and ends, in seconds, by the energy of 20 ms frames."""
    hop = int(FRAME_S * SAMPLE_RATE)
    starts = range(0, max(1, len(samples) - hop), hop)
    power = np.array([np.mean(np.square(samples[i : i + 2 * hop])) for i in starts])
    energy_db = 10 * np.log10(power + 1e-10)
    noise_db, loudest_db = float(np.percentile(energy_db, 8)), float(energy_db.max())
    limit_db = max(loudest_db - RANGE_DB, noise_db + ABOVE_NOISE * (loudest_db - noise_db))
    loud = np.flatnonzero(energy_db > limit_db)
    if not len(loud):
        return 0.0, len(samples) / SAMPLE_RATE
    end = min(len(samples), (int(loud[-1]) + 2) * hop)
    return int(loud[0]) * hop / SAMPLE_RATE, end / SAMPLE_RATE


def trimmed(samples: Wave, margin_s: float) -> tuple[Wave, float, float]:
    """The speech with a margin, and where it begins and ends in it."""
    start_s, end_s = speech_bounds(samples)
    first = max(0, int((start_s - margin_s) * SAMPLE_RATE))
    stop = min(len(samples), int((end_s + margin_s) * SAMPLE_RATE))
    offset_s = first / SAMPLE_RATE
    return samples[first:stop], start_s - offset_s, end_s - offset_s


def read_source(path: Path) -> Wave:
    """The first channel of a recording at 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Wave = samples[:, 0]
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)


def prepare(path: Path, source: str, label: Label, licence: str, out: Path) -> dict[str, Any]:
    """Write one clip and return its manifest line."""
    samples = read_source(path)
    name = re.sub(r"[^a-z0-9]+", "_", label.text)[:40].strip("_") or "noise"
    number = hashlib.sha256(source.encode()).hexdigest()[:8]
    row: dict[str, Any] = {
        "path": f"{label.dataset}/{label.split}/{label.speaker}/{name}_{number}.flac",
        "text": label.text,
        "speaker": label.speaker,
        "dataset": label.dataset,
        "split": label.split,
        "licence": licence,
        "source": source,
    }
    if label.text:
        margin_s = MARGIN_S.get(label.dataset, DEFAULT_MARGIN_S)
        samples, start_s, end_s = trimmed(samples, margin_s)
        row |= {"speech_start": round(start_s, 3), "speech_end": round(end_s, 3)}
        if label.cut_s:
            row["cut_seconds"] = [round(start_s + cut_s, 3) for cut_s in label.cut_s]
            row["carrier_words"] = label.carrier_words
    write_wave(out / row["path"], samples)
    row["duration"] = round(len(samples) / SAMPLE_RATE, 3)
    row["sha256"] = digest(out / row["path"])
    return row


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_files(raw: Path, sources: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, path in its repository, and licence of every file that was fetched."""
    for source in tomllib.loads(sources.read_text(encoding="utf-8"))["source"]:
        root = raw / source["id"]
        for folder in source["folders"]:
            for path in sorted((root / folder).rglob("*.*")):
                yield path, path.relative_to(root).as_posix(), source["licence"]


def main() -> None:
    """Prepare all clips and write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, default=Path("raw"))
    parser.add_argument("--out", type=Path, default=Path("data"))
    parser.add_argument("--sources", type=Path, default=SOURCES)
    options = parser.parse_args()
    labels = Labels()
    manifest = options.out / "manifest.jsonl"
    known = {row["source"]: row for row in read_rows(options.out)} if manifest.exists() else {}
    rows = []
    for path, source, licence in source_files(options.raw, options.sources):
        if (label := labels.find(source)) is None:
            continue
        row = known.get(source)
        if row is None or not _is_unchanged(options.out / row["path"], row["sha256"]):
            row = prepare(path, source, label, licence, options.out)
        rows.append(row)
    if not rows:
        raise SystemExit(f"{options.raw} has no recordings; run fetch.py first")
    write_rows(options.out, rows)
    for (dataset, split), n_clips in sorted(
        Counter((r["dataset"], r["split"]) for r in rows).items()
    ):
        print(f"{dataset} {split}: {n_clips} clips")


def _is_unchanged(path: Path, sha256: str) -> bool:
    return path.exists() and digest(path) == sha256


if __name__ == "__main__":
    main()
