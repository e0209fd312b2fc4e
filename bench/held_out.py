"""Write down the held-out speakers of the bundled model as a set of labelled speech.

    python bench/held_out.py --data models/demo/recipe/data --split test bench/.work/held-out
    whisperq-edge evaluate exports/demo-onnx-int8 exports/demo-onnx-int4 --data bench/.work/held-out

The sets are those of ``models/demo/recipe/evaluate.py``: single recordings, and strings of words of
one voice that it joins, always the same. Noise is left out: nobody speaks there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import soundfile

RECIPE = Path(__file__).parents[1] / "models" / "demo" / "recipe"
SAMPLE_RATE = 16_000


def main() -> None:
    """Write the recordings and their manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="folder")
    parser.add_argument(
        "--data", type=Path, default=RECIPE / "data", help="the recipe's recordings"
    )
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    options = parser.parse_args()
    sys.path.insert(0, str(RECIPE))  # its files import each other by name
    from clips import read_clips
    from evaluate import NOISE, items

    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, clips in items(read_clips(options.data, [options.split])).items():
        if name == NOISE:
            continue
        for number, clip in enumerate(clips):
            path = f"{''.join(c if c.isalnum() else '-' for c in name)}-{number:04d}.flac"
            soundfile.write(options.output / path, clip.samples, SAMPLE_RATE)
            rows.append({"path": path, "text": clip.text, "speaker": clip.row["speaker"]})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (options.output / "manifest.jsonl").write_text(lines, encoding="utf-8")
    print(f"{len(rows)} recordings, {sum(len(row['text'].split()) for row in rows)} words")


if __name__ == "__main__":
    main()
