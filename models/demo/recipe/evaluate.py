"""Measure a checkpoint: word error rate by set, long files, segment times, and noise.

    python evaluate.py .. --data data --split test

transformers is the engine: 30 s windows, greedy, float32, recordings as they are stored.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import jiwer
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from clips import SAMPLE_RATE, Clip, Wave, read_clips
from joined import PHRASE_WORDS, LongRecording, long_recording, one_voice, phrase

SEED = 11
N_JOINED = 100  # strings of each kind
N_LONG = 4  # long files of each kind
LONG_S = 90.0
COMMANDS = frozenset("yes no up down left right on off stop go".split())
DIGITS = frozenset("zero one two three four five six seven eight nine".split())
ALPHANUMERIC = "letters and digits"
NOISE = "noise"
LONG_SHARES = {
    "long, coffee orders": {"pvcoffee": 1.0},
    "long, commands": {"sc": 1.0},
    "long, mixed": {"pvcoffee": 0.5, "sc": 0.3, "pvww": 0.2},
}


class Engine:
    """A checkpoint in Hugging Face's layout, run by transformers."""

    def __init__(self, folder: Path) -> None:
        self.model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
        self.processor = WhisperProcessor.from_pretrained(folder)

    @torch.no_grad()
    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """The texts of recordings of up to 30 s, without timestamps."""
        inputs = self.processor(list(waves), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        tokens = self.model.generate(inputs.input_features, language="en", task="transcribe")
        texts = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]

    @torch.no_grad()
    def segments(self, samples: Wave) -> list[tuple[float, float, str]]:
        """Start, end and text of what is said in a recording of any length."""
        inputs = self.processor(
            samples,
            sampling_rate=SAMPLE_RATE,
            return_tensors="pt",
            truncation=False,
            padding="longest" if len(samples) > 30 * SAMPLE_RATE else "max_length",
            return_attention_mask=True,
        )
        result = self.model.generate(
            inputs.input_features,
            attention_mask=inputs.attention_mask,
            language="en",
            task="transcribe",
            return_timestamps=True,
            return_segments=True,
        )
        found = []
        for segment in result["segments"][0]:
            text = self.processor.decode(segment["tokens"], skip_special_tokens=True).strip()
            found.append((float(segment["start"]), float(segment["end"]), text))
        return found


def items(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """The recordings of each set; strings of words are joined here, always the same."""
    draw = random.Random(SEED)
    words = [clip for clip in clips if clip.dataset == "sc"]
    commands = [clip for clip in words if clip.text in COMMANDS]
    # Digits of many speakers count as one voice, so that their strings mix them.
    any_voice = [
        replace(clip, row=clip.row | {"speaker": "many"}) for clip in words if clip.text in DIGITS
    ]
    sets = {
        "coffee orders": [clip for clip in clips if clip.dataset == "pvcoffee"],
        "single commands (10 words)": commands,
        "single other words": [clip for clip in words if clip.text not in COMMANDS],
        "3 commands": strings(commands, (3, 3), draw),
        "digit strings (1 FSDD speaker)": strings(
            [clip for clip in clips if clip.dataset == "fsdd"], PHRASE_WORDS, draw
        ),
        "digit strings (SC, many speakers)": strings(any_voice, PHRASE_WORDS, draw),
        "wake words": [clip for clip in clips if clip.dataset == "pvww"],
        ALPHANUMERIC: [clip for clip in clips if clip.dataset == "moonalnum"],
        NOISE: [clip for clip in clips if clip.dataset == "sc_silence"],
    }
    return {name: recordings for name, recordings in sets.items() if recordings}


def strings(pool: Sequence[Clip], lengths: tuple[int, int], draw: random.Random) -> list[Clip]:
    """Joined words of one voice each; none if there are no words."""
    if not pool:
        return []
    joined = []
    for _ in range(N_JOINED):
        n_words = draw.randint(*lengths) if lengths[0] < lengths[1] else lengths[0]
        joined.append(phrase(one_voice(pool, n_words, draw), n_words, draw))
    return joined


def single_table(
    engine: Engine, clips: Sequence[Clip], batch: int, limit: int | None
) -> Iterator[str]:
    """Lines of a Markdown table: word error rate of each set, and of all of them together."""
    yield "| set | recordings | words | WER % | exact % |\n|---|---|---|---|---|"
    references: list[str] = []
    hypotheses: list[str] = []
    for name, recordings in items(clips).items():
        recordings = sorted(recordings[:limit], key=lambda clip: clip.duration_s)
        texts: list[str] = []
        for first in range(0, len(recordings), batch):
            texts += engine.transcribe([c.samples for c in recordings[first : first + batch]])
        if name == NOISE:
            n_silent = sum(not text for text in texts)
            yield f"| {name} | {len(texts)} | 0 | | {100 * n_silent / len(texts):.1f} (no text) |"
            continue
        truth = [clip.text for clip in recordings]
        n_exact = sum(a == b for a, b in zip(truth, texts, strict=True))
        yield row(name, truth, texts) + f" {100 * n_exact / len(truth):.1f} |"
        if name != ALPHANUMERIC:
            references, hypotheses = references + truth, hypotheses + texts
    yield row("**all but letters and noise**", references, hypotheses) + " |"


def row(name: str, references: list[str], hypotheses: list[str]) -> str:
    """The beginning of a table's line."""
    n_words = sum(len(text.split()) for text in references)
    rate = 100 * float(jiwer.wer(references, hypotheses))
    return f"| {name} | {len(references)} | {n_words} | {rate:.1f} |"


def long_table(engine: Engine, clips: Sequence[Clip]) -> Iterator[str]:
    """Lines of a Markdown table: long files with timestamps.

    A segment counts as found if one with exactly its text begins within 2 s of it.
    """
    yield (
        "| set | files | words | WER % | segments | found % | start error s | end error s |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name, shares in LONG_SHARES.items():
        draw = random.Random(SEED)
        files = [long_recording(clips, shares, LONG_S, draw) for _ in range(N_LONG)]
        found = [engine.segments(file.samples) for file in files]
        texts = [" ".join(text for _, _, text in segments if text) for segments in found]
        errors = [
            pair
            for file, segments in zip(files, found, strict=True)
            for pair in time_errors(file, segments)
        ]
        n_segments = sum(len(file.segments) for file in files)
        line = row(name, [file.text for file in files], texts)
        medians = [f"{statistics.median(column):.2f}" for column in zip(*errors, strict=True)]
        start_s, end_s = medians or ("", "")
        n_found = 100 * len(errors) / n_segments
        yield f"{line} {n_segments} | {n_found:.0f} | {start_s} | {end_s} |"


def time_errors(
    file: LongRecording, segments: Sequence[tuple[float, float, str]]
) -> list[tuple[float, float]]:
    """Distances of start and end for the segments that were found."""
    errors = []
    for truth in file.segments:
        near = [
            (abs(start_s - truth.start_s), abs(end_s - truth.end_s))
            for start_s, end_s, text in segments
            if text == truth.text and abs(start_s - truth.start_s) < 2.0
        ]
        errors += [min(near)] if near else []
    return errors


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--batch", type=int, default=8, help="recordings at once")
    parser.add_argument("--limit", type=int, help="recordings of a set, for a quick look")
    parser.add_argument("--only", choices=("single", "long"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    clips = read_clips(options.data, [options.split])
    engine = Engine(options.checkpoint)
    if options.only != "long":
        for line in single_table(engine, clips, options.batch, options.limit):
            print(line, flush=True)
    if options.only != "single":
        for line in long_table(engine, clips):
            print(line, flush=True)


if __name__ == "__main__":
    main()
