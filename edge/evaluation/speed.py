"""Time beside an export in floats, on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from ...exporters import Exporter, ExportRequest
from ...exporters.targets import target_named
from ...models.quantize import Recipe
from ...runtimes import open_session
from ..artifact import Artifact
from ..decoding.tokens import Tokenizer
from ..errors import WhisperqError
from ..parity import Speed
from ..types import FRAMES_PER_POSITION, FloatArray, IntArray, PrecisionName, Progress, Session
from .gate import TOLERANCES
from .writing import write

FLOATS: tuple[PrecisionName, ...] = ("fp32", "fp16")
# What takes longer to write, or is larger, is not written a second time only to be timed.
MAX_SECONDS, MAX_BYTES = 5.0, 1e8
WINDOW_POSITIONS = 250  # 5 s of sound ...
N_STEPS = 15  # ... and what is said in them
N_ROUNDS = 7
ROUNDS_SECONDS = 1.5  # past it, no further round
THREADS = 1


class Round(NamedTuple):
    """Seconds of one window, and of all the tokens of a short recording."""

    encode: float
    steps: float


def measure_speed(
    exporter: Exporter,
    request: ExportRequest,
    artifact: Artifact,
    seconds: float,
    progress: Progress,
) -> Speed | str | None:
    """Time an artifact beside one in floats of the same target, layout and windows.

    Args:
        exporter: Of the target.
        request: What was exported.
        artifact: What it became.
        seconds: How long it took to write.
        progress: Told the stage "time".

    Returns:
        What was measured; why nothing was, in a line; None for an artifact in floats.
    """
    if all(precision.name in FLOATS for precision in request.recipe.quantization.values()):
        return None
    layout = target_named(exporter.target).layouts[request.layout]
    if layout.encoder_only:
        return "another program decodes what it encodes"
    with open_session(artifact, THREADS) as session:
        if session.facts.stand_in:
            return f"{session.facts.runtime}: its time says nothing of the target's"
    against = next((name for name in FLOATS if name in layout.precisions), None)
    if against is None:
        return f"{exporter.target} ({request.layout}) has no floats to compare with"
    if (
        seconds > MAX_SECONDS
        or sum(file.size for file in artifact.manifest.files.values()) > MAX_BYTES
    ):
        return "writing such a model a second time would take too long"
    progress("time", 0.0)
    floats = replace(request, recipe=Recipe.of(against), calibration=())
    try:
        with TemporaryDirectory(prefix="whisperq-edge-") as folder:
            baseline = write(exporter, floats, Path(folder), TOLERANCES[against])
            progress("time", 0.5)
            prompt = _prompt(request)
            with open_session(artifact, THREADS) as ours, open_session(baseline, THREADS) as theirs:
                rounds = timed_rounds((ours, theirs), prompt)
    except WhisperqError as error:
        return f"the export in {against} failed: {error}"
    progress("time", 1.0)
    return compared(rounds, against)


def _prompt(request: ExportRequest) -> IntArray:
    tokenizer = Tokenizer(request.checkpoint.tokenizer, request.checkpoint.generation)
    return np.array([tokenizer.start_sequence("transcribe", "en", without_timestamps=True)])


def timed_rounds(sessions: tuple[Session, Session], prompt: IntArray) -> list[tuple[Round, Round]]:
    """Let two sessions do the same work in turn, so that a busy machine slows both alike.

    Args:
        sessions: Of one checkpoint.
        prompt: Shape (1, n_prompt).

    Returns:
        A round of each, for as many times as there was time; the first, which warms up, left out.
    """
    dimensions = sessions[0].dimensions
    n_frames = sessions[0].contexts.fit(WINDOW_POSITIONS) * FRAMES_PER_POSITION
    mel = np.random.default_rng(0).normal(0, 0.5, (dimensions.n_mels, n_frames))
    features = mel.astype(np.float32)
    rounds: list[tuple[Round, Round]] = []
    began = time.perf_counter()
    while len(rounds) <= N_ROUNDS:
        ours, theirs = (_timed(session, features, prompt) for session in sessions)
        rounds.append((ours, theirs))
        if len(rounds) > 1 and time.perf_counter() - began > ROUNDS_SECONDS:
            break
    return rounds[1:]


def _timed(session: Session, mel: FloatArray, prompt: IntArray) -> Round:
    start = time.perf_counter()
    session.encode(mel)
    encoded = time.perf_counter()
    session.step(prompt)
    for _ in range(N_STEPS):
        session.step(prompt[:, -1:])
    return Round(encoded - start, time.perf_counter() - encoded)


def compared(rounds: Sequence[tuple[Round, Round]], against: PrecisionName) -> Speed:
    """The medians of the ratios within each round.

    Args:
        rounds: Of the artifact and of the one in floats; at least one pair.
        against: The precision of the latter.
    """

    def ratio(seconds: Callable[[Round], float]) -> float:
        return median(seconds(ours) / seconds(theirs) for ours, theirs in rounds)

    return Speed(
        encode=ratio(lambda taken: taken.encode),
        step=ratio(lambda taken: taken.steps),
        recording=ratio(lambda taken: taken.encode + taken.steps),
        against=against,
        threads=THREADS,
    )
