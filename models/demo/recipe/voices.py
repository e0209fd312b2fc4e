"""Sentences of the grammar spoken by free synthetic voices, as additional training data.

    python voices.py --out synthetic --clips 5600

Needs the programs espeak-ng, flite and festival; on Debian: apt install espeak-ng flite festival
festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts. About 40 clips a second on one core.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clips import SAMPLE_RATE, write_rows, write_wave
from grammar import sentence
from prepare import DEFAULT_MARGIN_S, read_source, trimmed

ENGINES = {"espeak": 0.40, "flite": 0.37, "festival": 0.23}  # and their shares
ESPEAK_LANGUAGES = (
    "en-us en-us en-us en-us en-us en-gb en-gb en-gb en-gb-scotland en-gb-x-rp en-gb-x-gbclan"
    " en-gb-x-gbcwmd en-029 en-us-nyc"
).split()
ESPEAK_VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Adam Alex Alicia Andrea Andy Annie Belinda Benjamin"
    " Caleb David Ed Gene Jacky John Lee Linda Mario Michael Mike Paul Quincy Rob Robert Steph"
    " Steph2 Steph3 Zac anika shelby travis victor norbert sandro klatt2 klatt4 Hugo Iven Marco"
    " Max Pedro Pablo grandma grandpa"
).split()
FLITE_VOICES = "slt slt awb awb rms rms kal16 kal16 kal".split()
FESTIVAL_VOICES = "kal_diphone ked_diphone cmu_us_slt_arctic_hts".split()
HELD_OUT = {"test": r"ked_diphone", "dev": r"\+(Zac|f5|Steph3|m8)$|en-029"}
WORDS_PER_MINUTE, PITCH, STRETCH = (125, 195), (30, 70), (0.8, 1.2)
PEAK = 0.7
QUIETEST_PEAK = 1e-3  # below it, a voice has said nothing


@dataclass(frozen=True)
class Job:
    """One sentence to speak."""

    path: Path
    engine: str
    voice: str
    kind: str
    text: str

    @property
    def spoken(self) -> str:
        """The text as the programs read it: letters by their names."""
        if self.kind == "letters":
            return ", ".join(self.text.upper().split())
        return re.sub(r"\b[b-hj-z]\b", lambda match: match[0].upper(), self.text)

    @property
    def split(self) -> str:
        """Some voices are held out."""
        voice = f"{self.engine}_{self.voice}"
        return next((s for s, held in HELD_OUT.items() if re.search(held, voice)), "train")


def jobs(folder: Path, n_clips: int, draw: random.Random) -> Iterator[Job]:
    """Draw sentences and voices."""
    for number in range(n_clips):
        kind, text = sentence(draw)
        engine = draw.choices(list(ENGINES), list(ENGINES.values()))[0]
        if engine == "espeak":
            voice = f"{draw.choice(ESPEAK_LANGUAGES)}+{draw.choice(ESPEAK_VARIANTS)}"
        else:
            voice = draw.choice(FLITE_VOICES if engine == "flite" else FESTIVAL_VOICES)
        yield Job(folder / f"{number:05d}.wav", engine, voice, kind, text)


def speak(job: Job, draw: random.Random) -> None:
    """Have espeak-ng or flite say it."""
    if job.engine == "espeak":
        speed, pitch = draw.randint(*WORDS_PER_MINUTE), draw.randint(*PITCH)
        command = ["espeak-ng", "-v", job.voice, "-s", str(speed), "-p", str(pitch)]
        command += ["-w", str(job.path), job.spoken]
    else:
        stretch = f"duration_stretch={draw.uniform(*STRETCH):.2f}"
        command = ["flite", "-voice", job.voice, "--setf", stretch, "-t", job.spoken]
        command += ["-o", str(job.path)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def speak_together(voice: str, sentences: list[Job], script: Path) -> None:
    """Have festival say many sentences in one run: it takes a second to start."""
    lines = [f"(voice_{voice})"]
    lines += [
        f'(utt.save.wave (utt.synth (Utterance Text "{job.spoken}")) "{job.path}")'
        for job in sentences
    ]
    script.write_text("\n".join(lines), encoding="utf-8")
    subprocess.run(["festival", "--batch", str(script)], check=True)


def collect(job: Job, out: Path) -> dict[str, Any] | None:
    """Trim and write what was said; None if nothing was."""
    samples = read_source(job.path)
    if not len(samples) or np.abs(samples).max() < QUIETEST_PEAK:
        return None
    samples = samples * np.float32(PEAK / np.abs(samples).max())
    samples, start_s, end_s = trimmed(samples, DEFAULT_MARGIN_S)
    name = f"{job.path.stem}.flac"
    write_wave(out / name, samples)
    return {
        "path": name,
        "text": job.text,
        "speaker": f"{job.engine}_{job.voice}",
        "dataset": "synthetic",
        "split": job.split,
        "duration": round(len(samples) / SAMPLE_RATE, 3),
        "speech_start": round(start_s, 3),
        "speech_end": round(end_s, 3),
    }


def main() -> None:
    """Speak, trim, write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("synthetic"))
    parser.add_argument("--clips", type=int, default=5600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        todo = list(jobs(folder, options.clips, draw))
        for job in todo:
            if job.engine != "festival":
                speak(job, draw)
        for voice in FESTIVAL_VOICES:
            own = [job for job in todo if job.engine == "festival" and job.voice == voice]
            speak_together(voice, own, folder / f"{voice}.scm")
        rows = [row for job in todo if (row := collect(job, options.out)) is not None]
    write_rows(options.out, rows)
    print(f"{len(rows)} clips")


if __name__ == "__main__":
    main()
