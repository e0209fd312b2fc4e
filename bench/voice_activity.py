"""Compare voice detectors, and measure what a stream costs in which nobody speaks; see README.md.

python bench/voice_activity.py [--minutes 2] [--music FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from detectors import detectors
from environments import say
from machine import machine_facts
from probe import Probe
from rich.console import Console
from rich.table import Table

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.audio.noise_gate import NoiseGate
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.audio.silero import SileroActivity
from whisperq_edge.edge.streaming.endpointing import Endpointer
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.types import SAMPLE_RATE, FloatArray
from whisperq_edge.tests.sounds import at_level, clicks, hum, level_db, music, noise, silence

RECORDINGS = Path(__file__).resolve().parents[1] / "models" / "demo" / "recordings"
THRESHOLD, MIN_SILENCE_S = 0.5, 0.6
LEVELS_DB = (-70, -60, -50, -40, -30, -20)
SIGNAL_TO_NOISE_DB = (20, 10, 5, 0, -5)
NOISE_BEFORE_S, NOISE_AFTER_S = 4.0, 1.0  # so that the gate is shut when speech begins
SHORT_S = 12  # longer recordings hold pauses, which are no speech
BLOCK_S = 0.1  # as a microphone delivers
PIPE_WIDTH = 160


@dataclass(frozen=True)
class Recording:
    """A bundled recording; ``speech`` is where its words lie, in seconds, if there are any."""

    name: str
    samples: FloatArray
    speech: tuple[float, float] | None


@dataclass(frozen=True)
class Heard:
    """What a detector made of one sound.

    Attributes:
        voiced: Whether each frame was taken for a voice.
        n_utterances: That the endpointer cut.
        seconds: Of sound.
        cpu_s: Of all threads.
    """

    voiced: np.ndarray
    n_utterances: int
    seconds: float
    cpu_s: float

    @property
    def voiced_s(self) -> float:
        """Sound taken for a voice."""
        return float(self.voiced.mean()) * self.seconds if len(self.voiced) else 0.0


def main() -> None:
    """Measure everything and print three tables."""
    options = _options()
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    for name, value in machine_facts().items():
        console.print(f"{name}: {value}")
    recordings = list(_recordings())
    spoken = [one for one in recordings if one.speech and _seconds(one.samples) < SHORT_S]
    quiet = _quiet_sounds(60 * options.minutes, recordings, options.music)
    say("comparing detectors")
    console.print(_comparison(recordings, quiet))
    say("listening to speech in noise, with the gate and without")
    console.print(_gate(spoken, recordings))
    say("running a whole stream")
    console.print(_streams(60 * options.minutes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="length of each sound")
    parser.add_argument("--music", type=Path, help="a folder of music without singing")
    return parser.parse_args()


def _recordings() -> Iterator[Recording]:
    for line in (RECORDINGS / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        speech = (entry["speech_start"], entry["speech_end"]) if entry["text"] else None
        yield Recording(entry["path"], load_audio(RECORDINGS / entry["path"]), speech)


def _quiet_sounds(
    seconds: float, recordings: Iterable[Recording], folder: Path | None
) -> dict[str, list[FloatArray]]:
    """Sounds in which nobody speaks, by kind."""
    sounds = {
        "silence": [silence(seconds)],
        "noise": [noise(c, at, seconds) for c in ("white", "pink", "brown") for at in LEVELS_DB],
        "hum": [hum(at, seconds, hertz) for hertz in (50, 60) for at in (-60, -40, -20)],
        "clicks": [clicks(at, seconds) for at in (-30, -10, -1)],
        "recorded": [one.samples for one in recordings if not one.speech],
        "music": [music(seconds, at) for at in (-40, -20, -12)],
    }
    if folder:
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".ogg", ".flac"))
        sounds["real music"] = [load_audio(path) for path in files]
    return sounds


def _hear(activity: VoiceActivity, samples: FloatArray) -> Heard:
    activity.reset()
    probe = Probe(activity)
    endpointer = Endpointer(probe, threshold=THRESHOLD, min_silence_s=MIN_SILENCE_S)
    n_frame, n_utterances, spoke = activity.n_frame, 0, False
    frames = samples[: len(samples) // n_frame * n_frame].reshape(-1, n_frame)
    begun = time.process_time()
    for frame in frames:
        endpointer.take(frame)
        n_utterances += endpointer.speaking and not spoke
        spoke = endpointer.speaking
    cpu_s = time.process_time() - begun
    voiced = np.array(probe.probabilities) >= THRESHOLD
    return Heard(voiced, n_utterances, _seconds(samples), cpu_s)


def _comparison(recordings: list[Recording], quiet: dict[str, list[FloatArray]]) -> Table:
    spoken = [one for one in recordings if one.speech]
    table = Table("detector", "recordings", "speech, %", box=None)
    for kind, sounds in quiet.items():
        minutes = sum(map(_seconds, sounds)) / 60
        table.add_column(f"{kind}\n{minutes:.1f} min", justify="right")
    table.add_column("CPU, %\nspeech", justify="right")
    table.add_column("CPU, %\nnoise", justify="right")
    table.caption = (
        "Recordings: those of people in which an utterance was found. Speech: frames between the "
        "first word and the last that were taken for a voice, pauses included. Then the seconds "
        "taken for a voice in an hour without any, and in brackets the utterances in an hour. CPU: "
        "of one core."
    )
    for name, make in detectors().items():
        activity = make()
        heard = [_hear(activity, one.samples) for one in spoken]
        within = np.concatenate(
            [_within(one, each) for one, each in zip(spoken, heard, strict=True)]
        )
        alarms = {kind: [_hear(activity, one) for one in sounds] for kind, sounds in quiet.items()}
        table.add_row(
            name,
            f"{sum(each.n_utterances > 0 for each in heard)} of {len(spoken)}",
            f"{100 * within.mean():.1f}",
            *map(_per_hour, alarms.values()),
            _load(heard),
            _load(alarms["noise"]),
        )
    return table


def _within(recording: Recording, heard: Heard) -> np.ndarray:
    """Which frames between the first word and the last were taken for a voice."""
    assert recording.speech is not None
    times = (np.arange(len(heard.voiced)) + 0.5) * heard.seconds / len(heard.voiced)
    start_s, end_s = recording.speech
    return heard.voiced[(times >= start_s) & (times <= end_s)]


def _per_hour(heard: list[Heard]) -> str:
    hours = sum(one.seconds for one in heard) / 3600
    voiced_s = sum(one.voiced_s for one in heard) / hours
    return f"{voiced_s:.1f} ({sum(one.n_utterances for one in heard) / hours:.0f})"


def _load(heard: list[Heard]) -> str:
    return f"{100 * sum(one.cpu_s for one in heard) / sum(one.seconds for one in heard):.2f}"


def _gate(spoken: list[Recording], recordings: list[Recording]) -> Table:
    """Speech in noise: what the gate costs and what it saves."""
    real = np.concatenate([at_level(one.samples, -40) for one in recordings if not one.speech])
    makers: dict[str, Callable[[float], FloatArray]] = {
        "white": lambda seconds: noise("white", -40, seconds),
        "pink": lambda seconds: noise("pink", -40, seconds),
        "brown": lambda seconds: noise("brown", -40, seconds),
        "recorded": lambda seconds: np.resize(real, round(seconds * SAMPLE_RATE)),
    }
    plain, gated = SileroActivity(), NoiseGate(SileroActivity())
    table = Table("noise", "SNR, dB", box=None)
    for column in ("found", "gated", "voiced, s", "gated", "CPU, %", "gated"):
        table.add_column(column, justify="right")
    table.caption = f"Of {len(spoken)} recordings, each after {NOISE_BEFORE_S:g} s of the noise."
    for kind, make in makers.items():
        for ratio_db in SIGNAL_TO_NOISE_DB:
            noisy = [_noisy(one, make, ratio_db) for one in spoken]
            cells = []
            for activity in (plain, gated):
                heard = [_hear(activity, samples) for samples in noisy]
                n_found = sum(one.n_utterances > 0 for one in heard)
                voiced_s = sum(one.voiced_s for one in heard)
                cells.append((str(n_found), f"{voiced_s:.1f}", _load(heard)))
            pairs = zip(*cells, strict=True)
            table.add_row(kind, str(ratio_db), *(cell for pair in pairs for cell in pair))
    return table


def _noisy(one: Recording, make: Callable[[float], FloatArray], ratio_db: float) -> FloatArray:
    assert one.speech is not None
    start, end = (round(seconds * SAMPLE_RATE) for seconds in one.speech)
    padded = np.concatenate([silence(NOISE_BEFORE_S), one.samples, silence(NOISE_AFTER_S)])
    around = make(_seconds(padded) + 1)[: len(padded)]
    mixed = padded + at_level(around, level_db(one.samples[start:end]) - ratio_db)
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def _streams(seconds: float) -> Table:
    """A whole stream of the bundled model, in which nobody speaks."""
    table = Table("stream", box=None)
    for column in ("CPU, %", "decoded, s", "words"):
        table.add_column(column, justify="right")
    table.caption = f"{seconds / 60:g} minutes each, in blocks of {BLOCK_S:g} s; CPU of one core."
    with _streamers() as streamer:
        for name, sound in (
            ("silence", silence(seconds)),
            ("a quiet room: pink noise at -60 dB", noise("pink", -60, seconds)),
            ("a loud one: pink noise at -35 dB", noise("pink", -35, seconds)),
            ("music at -20 dB", music(seconds)),
        ):
            stream = streamer()
            n_block = round(BLOCK_S * SAMPLE_RATE)
            begun = time.process_time()
            events = [
                event
                for start in range(0, len(sound), n_block)
                for event in stream.feed(sound[start : start + n_block])
            ]
            events += stream.finish()
            share = 100 * (time.process_time() - begun) / seconds
            words = sum(len(event.words) for event in events if event.kind == "committed")
            table.add_row(name, f"{share:.2f}", f"{stream.counts.encoded_s:.1f}", str(words))
    return table


@contextmanager
def _streamers() -> Iterator[Callable[[], Streamer]]:
    """Makes streamers over the bundled model, int8 for ONNX Runtime on one thread."""
    from whisperq_edge.edge.artifact import TOKENIZER
    from whisperq_edge.edge.decoding.tokens import Tokenizer
    from whisperq_edge.edge.evaluation.export import export
    from whisperq_edge.exporters import ExportRequest
    from whisperq_edge.models.checkpoint import load_checkpoint
    from whisperq_edge.models.quantize import Recipe
    from whisperq_edge.runtimes import open_session

    request = ExportRequest(load_checkpoint("demo", offline=True), Recipe.of("int8"))
    with TemporaryDirectory() as folder:
        artifact = export("onnx", request, Path(folder) / "demo", verify=False)
        generation = artifact.manifest.generation
        tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
        with open_session(artifact, threads=1) as session:
            yield lambda: Streamer(session, tokenizer, generation)


def _seconds(samples: FloatArray) -> float:
    return len(samples) / SAMPLE_RATE


if __name__ == "__main__":
    main()
