"""One window in its stages, the same work for every artifact: a window of 30 s, 32 tokens.

A transcription's own stages depend on the text: a model that hears other words takes other steps,
and one whose weights are drawn by chance takes as many as there is room for. Here every artifact is
fed the same tokens, so that calls can be compared, and so can random checkpoints.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import msgspec
import numpy as np

from ...runtimes import open_session
from ..artifact import MANIFEST, TOKENIZER, Artifact, sha256
from ..audio.mel import log_mel
from ..decoding.greedy import GreedySearch
from ..decoding.rules import (
    DEFAULT_TOKENS,
    LogitRule,
    SuppressBlank,
    SuppressTokens,
    TimestampRules,
    suppressed_tokens,
)
from ..decoding.softmax import Normalizer
from ..decoding.tokens import Tokenizer
from ..errors import ArtifactError, InferenceError
from ..profiling.clips import timed_clips
from ..types import FRAMES_PER_POSITION, POSITIONS_PER_SECOND, FloatArray, Session

CLIP = "30s"
N_TOKENS = 32  # of a long sentence
N_HYPOTHESES = 5  # Whisper's usual beam
N_BATCHED = 8  # steps with so many hypotheses
WARM_UPS = 1
# What is fed; any text would do.
TEXT = " It is fed to every artifact alike, whatever it would rather have said of the recording."


class StageJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One start of one artifact.

    Attributes:
        folder: Of the artifact.
        digest: sha256 of its manifest.
        threads: Compute threads.
        repeats: Passes that count, and times that it is opened.
    """

    folder: str
    digest: str
    threads: int
    repeats: int


class StagePass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One window, in seconds by the clock.

    Attributes:
        mel: Its features.
        encode: One call of the encoder, over the whole window.
        prompt: The tokens before the text, in one call.
        decode: A call of the decoder with one token, the mean of ``N_TOKENS``.
        sample: The rules and the choice of a token, likewise.
        batched: A call with ``N_HYPOTHESES`` of them, the mean of ``N_BATCHED``; None where a
            runtime has no such step.
        total: From the sound to the last token; the batched calls are not in it.
    """

    mel: float
    encode: float
    prompt: float
    decode: float
    sample: float
    batched: float | None
    total: float


class StageStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one start found.

    Attributes:
        loads_s: Until the artifact was open, the library being loaded and what it keeps of an
            earlier start being there.
        passes: Those that count; as with loads, none of a stand-in, whose times are nobody's.
        stand_in: See ``SessionFacts``.
        tools: The library that ran it, and its version.
        error: Why there are no passes, in one line; None if there are.
    """

    loads_s: tuple[float, ...]
    passes: tuple[StagePass, ...]
    stand_in: bool
    tools: dict[str, str]
    error: str | None = None


def measure_stages(job: StageJob) -> StageStart:
    """Open an artifact and take one window apart.

    Raises:
        ArtifactError: It is gone, or is another by now.
        WhisperqError: It cannot be opened, or fails.
    """
    folder = Path(job.folder)
    artifact = Artifact.read(folder)
    if sha256(folder / MANIFEST) != job.digest:
        raise ArtifactError(f"{folder} was exported anew meanwhile; give the command again")
    samples = timed_clips((CLIP,))[0].samples
    loads_s = []
    with open_session(artifact, job.threads) as session:
        facts = session.facts
        tools = {facts.runtime: facts.version}
        if facts.stand_in:
            return StageStart((), (), stand_in=True, tools=tools)
    for _ in range(job.repeats - 1):
        loads_s.append(_load_s(artifact, job.threads))
    clock = _Clock()
    with open_session(artifact, job.threads) as session:
        loads_s.append(clock.read())
        window = _Window(session, artifact)
        for _ in range(WARM_UPS):
            window.time(samples)
        passes = tuple(window.time(samples) for _ in range(job.repeats))
    return StageStart(tuple(loads_s), passes, stand_in=False, tools=tools)


def _load_s(artifact: Artifact, threads: int) -> float:
    clock = _Clock()
    with open_session(artifact, threads):
        return clock.read()


class _Clock:
    """Seconds since it was last read."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def read(self) -> float:
        now = time.perf_counter()
        took, self._last = now - self._last, now
        return took


class _Window:
    """The work on one window."""

    def __init__(self, session: Session, artifact: Artifact) -> None:
        generation = artifact.manifest.generation
        tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
        n_vocab = session.dimensions.n_vocab
        self._session = session
        self._eot = tokenizer.eot
        self._normalizer = Normalizer(n_vocab)
        self._prompt = tokenizer.start_sequence("transcribe", "en", without_timestamps=False)
        text = [tokenizer.timestamp_begin, *tokenizer.encode(TEXT)]
        self._text = list(islice(cycle(text), N_TOKENS))
        never = suppressed_tokens((DEFAULT_TOKENS,), generation.suppress_tokens, tokenizer, n_vocab)
        latest_first = round(generation.max_initial_timestamp * POSITIONS_PER_SECOND)
        self._rules: Sequence[LogitRule] = (
            SuppressBlank(generation.begin_suppress_tokens),
            SuppressTokens(never | {tokenizer.no_timestamps}),
            TimestampRules(tokenizer, latest_first),
        )

    def time(self, samples: FloatArray) -> StagePass:
        """All stages once."""
        session, clock = self._session, _Clock()
        n_frames = session.contexts.longest * FRAMES_PER_POSITION
        mel = log_mel(samples, session.dimensions.n_mels, n_frames)
        mel_s = clock.read()
        session.encode(mel)
        encode_s = clock.read()
        logits = session.step(np.array([self._prompt], np.int64))
        prompt_s = clock.read()
        search = GreedySearch(self._eot, self._normalizer)
        decode_s = sample_s = 0.0
        for n_fed, token in enumerate(self._text):
            for rule in self._rules:
                rule.apply(logits, [self._text[:n_fed]])
            search.choose(logits)
            sample_s += clock.read()
            logits = session.step(np.array([[token]], np.int64))
            decode_s += clock.read()
        total = mel_s + encode_s + prompt_s + decode_s + sample_s
        return StagePass(
            mel_s,
            encode_s,
            prompt_s,
            decode_s / N_TOKENS,
            sample_s / N_TOKENS,
            self._batched_s(),
            total,
        )

    def _batched_s(self) -> float | None:
        """A step of several hypotheses; what it takes to make them is not in it."""
        tokens = np.array([[token] for token in self._text[:N_HYPOTHESES]], np.int64)
        try:
            self._session.reorder(np.zeros(N_HYPOTHESES, np.int64))
            self._session.step(tokens)  # a runtime may lay out its memory anew
            clock = _Clock()
            for _ in range(N_BATCHED):
                self._session.step(tokens)
            return clock.read() / N_BATCHED
        except InferenceError:
            return None
