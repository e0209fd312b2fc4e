"""Verification: an artifact runs beside the NumPy reference on real recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...exporters import exporter_for
from ...models.parameters import Parameters
from ...runtimes import open_session
from ...runtimes.run_reference import ReferenceSession
from ..artifact import TOKENIZER, Artifact, Manifest, Parity, PartParity, Tolerance
from ..audio.mel import log_mel
from ..decoding.decoder import Decoder
from ..decoding.options import DecodingOptions
from ..decoding.tokens import Tokenizer
from ..errors import ParityError
from ..transcription.windows import short_context
from ..types import (
    FRAMES_PER_POSITION,
    HOP_LENGTH,
    FloatArray,
    PrecisionName,
    Progress,
    Session,
    no_progress,
)
from .blas import one_blas_thread
from .recordings import LabelledRecording, bundled_recordings
from .words import word_error_rate

# What an artifact may differ by, for the coarsest precision in it.
TOLERANCES: Mapping[PrecisionName, Tolerance] = {
    "fp32": Tolerance(relative_error=1e-4, token_disagreement=0.0, wer_increase=0.01),
    "fp16": Tolerance(relative_error=1e-4, token_disagreement=0.0, wer_increase=0.01),
    "int8": Tolerance(relative_error=1e-3, token_disagreement=0.02, wer_increase=0.03),
    "int4": Tolerance(relative_error=1e-3, token_disagreement=0.02, wer_increase=0.1),
}

SENSITIVITY_FACTOR = 3  # leaves room for chance, and none for a wrong scale or a lost bias
MAX_TOKENS = 24  # of a recording; the bundled ones have at most 20 words
COMPARED_TOKENS = 6  # of them beside the reference
# NumPy runs every parameter once per token: as many recordings as keep an export brief.
PARAMETERS_TIMES_RECORDINGS = 2e8
MIN_RECORDINGS, MAX_RECORDINGS = 4, 30
COMPARED_SHARE = 2  # every second recording beside the reference; the words of all are counted
# Words that may be lost on however few recordings: large models are judged on about 40 words, where
# two or three go either way with any rounding.
CHANCE_WORDS = 3
_OPTIONS = DecodingOptions(language="en", without_timestamps=True, sample_len=MAX_TOKENS)


@one_blas_thread()
def verify(artifact: Artifact, *, progress: Progress = no_progress) -> Parity:
    """Compare an artifact with the reference that holds the same integers.

    Encoder and decoder are judged apart: the reference decoder goes on from the artifact's own
    encoded window. Every decoder graph is judged, not only the one that this machine would use.

    Args:
        artifact: A complete one; its manifest may lack the parity.
        progress: Told the share of recordings done.

    Returns:
        What was measured; ``wer_reference`` is that of the export, if it was verified.

    Raises:
        ArtifactError: It cannot be opened.
        MissingDependencyError: A library that verifying needs is not installed.
    """
    manifest = artifact.manifest
    parameters = exporter_for(manifest.target).read_parameters(artifact.folder, manifest)
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, manifest.generation)
    recordings = list(bundled_recordings(n_recordings(parameters)))
    decoders = [name for name in manifest.graphs if name != "encoder"]
    trials: dict[str, _Trial] = {}
    for i, name in enumerate(decoders):
        trial = trials[name] = _Trial()
        with open_session(artifact, threads=1, decoder=name) as session:
            rules = session.facts.activations
            reference = ReferenceSession(
                parameters, manifest.dimensions, manifest.generation, rules
            )
            writer = Decoder(session, tokenizer, manifest.generation, _OPTIONS)
            for k, recording in enumerate(recordings):
                progress("verify", (i + k / len(recordings)) / len(decoders))
                trial.run(writer, reference, recording, compare=k % COMPARED_SHARE == 0)
    progress("verify", 1.0)
    truths = [recording.text for recording in recordings]
    wer = max(word_error_rate(truths, trial.texts) for trial in trials.values())
    parts = {"encoder": trials[decoders[0]].encoder.result()}
    return Parity(
        parts={**parts, **{name: trial.decoder.result() for name, trial in trials.items()}},
        token_agreement=min(trial.token_agreement() for trial in trials.values()),
        wer=wer,
        wer_reference=manifest.parity.wer_reference if manifest.parity else None,
        n_recordings=len(recordings),
        n_words=sum(len(truth.split()) for truth in truths),
    )


def check(parity: Parity, tolerance: Tolerance) -> None:
    """Refuse what differs too much.

    Raises:
        ParityError: Names the first limit that is broken.
    """
    for name, part in parity.parts.items():
        allowed = tolerance.relative_error + SENSITIVITY_FACTOR * part.sensitivity
        if not part.relative_error <= allowed:  # a NaN is refused too
            raise ParityError(name, "relative error", part.relative_error, allowed)
    disagreement = 1 - parity.token_agreement
    if not disagreement <= tolerance.token_disagreement:
        raise ParityError(
            "decoder", "share of other tokens", disagreement, tolerance.token_disagreement
        )
    if parity.wer_reference is None or not parity.judges_words:
        return
    increase = parity.wer - parity.wer_reference
    allowed = max(tolerance.wer_increase, CHANCE_WORDS / parity.n_words)
    if not increase <= allowed:
        raise ParityError("words", "rise of the error rate", increase, allowed)


@one_blas_thread()
def reference_wer(
    parameters: Parameters,
    manifest: Manifest,
    tokenizer: Tokenizer,
    progress: Progress = no_progress,
) -> float:
    """Word error rate of the unquantized checkpoint, on the recordings that ``verify`` uses.

    Args:
        parameters: In fp32.
        manifest: Of an artifact of the same checkpoint.
        tokenizer: Of the same checkpoint.
        progress: Told the share of recordings done.
    """
    session = ReferenceSession(parameters, manifest.dimensions, manifest.generation)
    decoder = Decoder(session, tokenizer, manifest.generation, _OPTIONS)
    recordings = list(bundled_recordings(n_recordings(parameters)))
    texts = []
    for k, recording in enumerate(recordings):
        progress("judge the checkpoint", k / len(recordings))
        session.encode(_features(recording, session))
        texts.append(decoder.decode(decoder.begin(decoder.detect_language()), 0.0).text)
    return word_error_rate([recording.text for recording in recordings], texts)


def n_recordings(parameters: Parameters) -> int:
    """How many recordings a model of this size is judged on."""
    n = PARAMETERS_TIMES_RECORDINGS / parameters.size
    return int(np.clip(n, MIN_RECORDINGS, MAX_RECORDINGS))


class _Trial:
    """What is found of one decoder graph, recording by recording.

    Attributes:
        encoder: The encoder graph's differences.
        decoder: The decoder graph's.
        texts: What was recognized.
    """

    def __init__(self) -> None:
        self.encoder, self.decoder = _Comparison(), _Comparison()
        self._leads: list[float] = []
        self._noise = 0.0
        self.texts: list[str] = []

    def run(
        self,
        writer: Decoder,
        reference: ReferenceSession,
        recording: LabelledRecording,
        *,
        compare: bool,
    ) -> None:
        """Transcribe one recording and, if wanted, compare the numbers behind its text."""
        session, tokenizer = writer.session, writer.tokenizer
        mel = _features(recording, session)
        session.encode(mel)
        result = writer.decode(writer.begin(writer.detect_language()), 0.0)
        self.texts.append(result.text)
        if not compare:
            return
        window = session.window()
        self.encoder.add(window, *_windows(reference, mel))
        prompt = tokenizer.start_sequence("transcribe", "en", without_timestamps=True)
        tokens = [*prompt, *result.tokens[:COMPARED_TOKENS]]
        session.rewind(0)
        ours = _forced(session, tokens, len(prompt))
        theirs, noisy = _logits(reference, window, tokens, len(prompt))
        self.decoder.add(ours, theirs, noisy)
        rows = np.arange(len(ours))
        self._leads += (theirs.max(1) - theirs[rows, ours.argmax(1)]).tolist()
        self._noise = max(self._noise, float(np.abs(noisy - theirs).max()))

    def token_agreement(self) -> float:
        """Share of tokens that the reference chooses too.

        A token that leads by less than float noise may move the two apart is nobody's choice.
        """
        return float(np.mean([lead <= 2 * self._noise for lead in self._leads]))


class _Comparison:
    """Sums one part's differences over the recordings."""

    def __init__(self) -> None:
        self._dot = self._ours = self._theirs = self._error = self._move = self._largest = 0.0

    def add(self, ours: FloatArray, theirs: FloatArray, noisy: FloatArray) -> None:
        """Add one recording: the artifact's numbers, the reference's, and those under noise."""
        error = ours - theirs
        self._dot += float(np.vdot(ours, theirs.astype(np.float64)))
        self._ours += _energy(ours)
        self._theirs += _energy(theirs)
        self._error += _energy(error)
        self._move += _energy(noisy - theirs)
        self._largest = max(self._largest, float(np.abs(error).max()))

    def result(self) -> PartParity:
        """Of all recordings together."""
        return PartParity(
            cosine=self._dot / (self._ours * self._theirs) ** 0.5,
            relative_error=(self._error / self._theirs) ** 0.5,
            max_error=self._largest,
            sensitivity=(self._move / self._theirs) ** 0.5,
        )


def _energy(x: FloatArray) -> float:
    return float(np.vdot(x, x.astype(np.float64)))


def _features(recording: LabelledRecording, session: Session) -> FloatArray:
    n_positions = short_context(session.contexts, len(recording.samples) // HOP_LENGTH)
    n_frames = n_positions * FRAMES_PER_POSITION
    return log_mel(recording.samples, session.dimensions.n_mels, n_frames)


def _windows(reference: ReferenceSession, mel: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The reference's encoded window, and the same under float noise."""
    reference.encode(mel)
    window = reference.window()
    with reference.float_noise():
        reference.encode(mel)
    return window, reference.window()


def _logits(
    reference: ReferenceSession, window: FloatArray, tokens: Sequence[int], n_prompt: int
) -> tuple[FloatArray, FloatArray]:
    """The reference decoder's logits on a window, and the same under float noise."""
    reference.adopt(window)
    logits = _forced(reference, tokens, n_prompt)
    reference.adopt(window)
    with reference.float_noise():
        return logits, _forced(reference, tokens, n_prompt)


def _forced(session: Session, tokens: Sequence[int], n_prompt: int) -> FloatArray:
    """Logits after the prompt and after every token of a given text: (n_text + 1, n_vocab)."""
    steps = [tokens[:n_prompt], *([token] for token in tokens[n_prompt:])]
    return np.concatenate([session.step(np.array([step], np.int64)).copy() for step in steps])
