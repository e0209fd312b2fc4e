"""The profiler's times beside a stopwatch around each library's own calls.

    python bench/stopwatch.py [--rounds 300] [--clip 10s] [--targets onnx,tflite] [ARTIFACT...]

A transcription is recorded once: its windows, and the tokens of every step. Then, in turns, so that
a busy machine slows both alike, the profiler times the same clip, and the loops below do the same
work with nothing of ours but the features: each library is called as its manual shows it.

What only a product does (the rules of decoding, the words, and the lines between) is the profiler's
stages "sample" and "other", which no library's call contains: the ratio is of everything else, and
the last column says how large they are. Both clocks are shown, of the least disturbed round of
each. CPU time decides: other programs do not lengthen it by making us wait. Core ML's row is of the
NumPy stand-in off Apple, whose times are nobody's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from plain_engines import ENGINES, Array, Engine

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.profiling.clips import timed_clips
from whisperq_edge.edge.profiling.configuration import candidate
from whisperq_edge.edge.profiling.job import Job
from whisperq_edge.edge.profiling.staged_session import StagedSession, unwatched
from whisperq_edge.edge.profiling.subject import Subject
from whisperq_edge.edge.types import Session

TARGETS = ("onnx", "openvino", "tflite", "coreml")
ALLOWED = 0.05
FEWEST, MOST_S = 5, 40.0  # rounds, where an interpreter takes seconds for each
Step = tuple[str, Any]


class Recorder(StagedSession):
    """Keeps what was asked of a session: ("encode", frames) or ("step", tokens)."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, unwatched)
        self.steps: list[Step] = []

    def encode(self, mel: Array) -> None:
        """See Session."""
        self.steps.append(("encode", mel.shape[1]))
        super().encode(mel)

    def step(self, tokens: Array) -> Array:
        """See Session."""
        self.steps.append(("step", tokens.copy()))
        return super().step(tokens)

    def rewind(self, n_tokens: int) -> None:
        """See Session."""
        if n_tokens and n_tokens < self.n_past:
            raise SystemExit("this clip is decoded twice; choose another --clip")
        super().rewind(n_tokens)


class Seconds(NamedTuple):
    """By the clock, and of all processors together."""

    wall: float
    cpu: float


def outside(engine: Engine, samples: Array, steps: list[Step], n_mels: int) -> Seconds:
    """The same work, by the library alone, under one stopwatch."""
    wall, cpu = time.perf_counter(), time.process_time()
    for kind, what in steps:
        if kind == "encode":
            engine.encode(log_mel(samples, n_mels, what))
        else:
            logits = engine.step(what)
            int(np.argmax(logits.reshape(-1)))
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def compare(artifact: Artifact, clip: str, rounds: int) -> tuple[Seconds, Seconds, float, bool]:
    """The least disturbed round of the profiler and of the stopwatch, and the share of ours alone.

    Returns:
        The last says whether both compute the same, without which nothing compares.
    """
    (timed,) = timed_clips((clip,))
    configuration = candidate(artifact, 1).configuration
    job = Job(
        "time", 0, str(artifact.folder), configuration.digest, 1, None, None, (clip,), 0, (), False,
        0.0, None, 0.0,
    )  # fmt: skip
    ours: list[Seconds] = []
    theirs: list[Seconds] = []
    others: list[float] = []
    with Subject(job) as subject:
        session = subject.session
        recorder = Recorder(session)
        subject.session = recorder
        subject.transcribe(timed.samples)
        subject.session = session
        engine = ENGINES[artifact.manifest.target](artifact, session.facts.decoder)
        n_mels = artifact.manifest.dimensions.n_mels
        same = agree(session, engine, timed.samples, recorder.steps, n_mels)
        end = time.monotonic() + MOST_S
        for number in range(-2, rounds):
            if number >= FEWEST and time.monotonic() > end:
                break
            one, _ = subject.timed(clip, timed.samples, "measured")
            they = outside(engine, timed.samples, recorder.steps, n_mels)
            if number < 0:
                continue
            total = one.stages["total"]
            own = [one.stages["sample"], one.stages["other"]]
            wall_s, cpu_s = sum(s.wall_s for s in own), sum(s.cpu_s for s in own)
            ours.append(Seconds(total.wall_s - wall_s, total.cpu_s - cpu_s))
            theirs.append(they)
            others.append(cpu_s / total.cpu_s)
    return least(ours), least(theirs), median(others), same


def agree(session: Session, engine: Engine, samples: Array, steps: list[Step], n_mels: int) -> bool:
    """Whether the plain calls predict what the session does, at every step."""
    worst = 0.0
    for kind, what in steps:
        if kind == "encode":
            mel = log_mel(samples, n_mels, what)
            session.encode(mel)
            engine.encode(mel)
        else:
            expected = session.step(what)[0].copy()
            found = np.asarray(engine.step(what)).reshape(-1)
            worst = max(worst, float(np.abs(found - expected).max() / np.abs(expected).max()))
    return worst < 1e-3


def least(values: list[Seconds]) -> Seconds:
    """The least of each: what else runs on the machine only ever adds."""
    return Seconds(min(v.wall for v in values), min(v.cpu for v in values))


def main() -> int:
    """Print a line for each; 1 if one is further apart than is allowed."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    arguments.add_argument("artifacts", nargs="*", type=Path)
    arguments.add_argument("--rounds", type=int, default=300)
    arguments.add_argument("--clip", default="10s")
    arguments.add_argument("--targets", default=",".join(TARGETS))
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = given.artifacts or [
            export(target, Path(folder)) for target in given.targets.split(",")
        ]
        print(f"{'':24}{'profiler':>12}{'stopwatch':>12}{'ratio':>8}{'CPU':>8}{'other':>8}")
        worst = 0.0
        for one in folders:
            artifact = Artifact.read(one)
            ours, theirs, other, same = compare(artifact, given.clip, given.rounds)
            if not same:
                print(f"{one.name}: the plain calls compute something else")
                return 1
            ratio = ours.cpu / theirs.cpu
            worst = max(worst, abs(ratio - 1))
            print(
                f"{one.name:24}{ours.wall * 1e3:9.1f} ms{theirs.wall * 1e3:9.1f} ms"
                f"{ours.wall / theirs.wall:8.3f}{ratio:8.3f}{other:8.1%}",
                flush=True,
            )
    print(f"CPU times are at most {worst:.1%} apart; {ALLOWED:.0%} are allowed")
    return int(worst > ALLOWED)


def export(target: str, folder: Path) -> Path:
    """The bundled model as int8; where shapes are fixed, for the clip alone."""
    output = folder / f"demo-{target}-int8"
    command = [
        sys.executable, "-c", "from whisperq_edge.edge.cli import main; main()", "--quiet",
        "export", "--target", target, "--int8", "--no-verify", "--output", str(output),
    ]  # fmt: skip
    environment = {**os.environ, "WHISPERQ_EDGE_DATA": str(folder)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return output


if __name__ == "__main__":
    sys.exit(main())
