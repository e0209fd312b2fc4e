"""Verification: an artifact runs beside the NumPy reference on real recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from ...models.parameters import Parameters
from ...runtimes import open_session
from ...runtimes.run_reference import ReferenceSession
from ..artifact import TOKENIZER, Artifact
from ..decoding.decoder import Decoder
from ..decoding.tokens import Tokenizer
from ..parity import TOGETHER, Parity, PartParity
from ..transcription.word_errors import word_error_rate
from ..types import FloatArray, Progress, Session, no_progress
from .blas import one_blas_thread
from .listening import Heard
from .loss import LossMeter
from .originals import count_words, original_parameters
from .recordings import LabelledRecording, judging_recordings
from .teacher import OPTIONS, features, forced_logits, n_recordings

COMPARED_TOKENS = 6  # of a recording beside the reference
COMPARED_SHARE = 2  # every second recording beside the reference; the words of all are counted


@one_blas_thread()
def verify(
    artifact: Artifact, *, heard: Sequence[Heard] = (), progress: Progress = no_progress
) -> Parity:
    """Compare an artifact with the reference that holds the same integers.

    Encoder and decoder are judged apart: the reference decoder goes on from the artifact's own
    encoded window. Where a library does not show that, both are judged together, by the logits, and
    the reference encodes for itself. Every decoder graph is judged, not only the one that this
    machine would use.

    Args:
        artifact: A complete one; its manifest may lack the parity.
        heard: What the unquantized checkpoint made of the recordings, where it is at hand.
            (Adopted graphs have no other reference than their checkpoint; without one, words are
            all that is judged.)
        progress: Told the share of recordings done.

    Returns:
        What was measured. What the precision costs is that of the export, if it was verified and
        nothing is given to compare with.

    Raises:
        ArtifactError: It cannot be opened.
        MissingDependencyError: A library that verifying needs is not installed.
    """
    manifest = artifact.manifest
    if manifest.adopted and not manifest.adopted.checkpoint:
        return count_words(artifact, progress)
    parameters = original_parameters(artifact)
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, manifest.generation)
    recordings = list(judging_recordings(n_recordings(parameters), manifest.rounding))
    given: Sequence[Heard | None] = heard or [None] * len(recordings)
    decoders = manifest.decoders
    if not decoders:
        return _encoder_alone(artifact, parameters, recordings, progress)
    trials: dict[str, _Trial] = {}
    for i, name in enumerate(decoders):
        trial = trials[name] = _Trial()
        with open_session(artifact, threads=1, decoder=name) as session:
            rules, shown = session.facts.activations, session.facts.shows_window
            reference = ReferenceSession(
                parameters, manifest.dimensions, manifest.generation, rules
            )
            writer = Decoder(session, tokenizer, manifest.generation, OPTIONS)
            for k, (recording, said) in enumerate(zip(recordings, given, strict=True)):
                progress("verify", (i + k / len(recordings)) / len(decoders))
                text = trial.write(writer, recording)
                if k % COMPARED_SHARE == 0:
                    trial.compare(writer, reference, text, encoder=i == 0)
                if said is not None:
                    trial.read(session, said)
    progress("verify", 1.0)
    truths = [recording.text for recording in recordings]
    parts = {name if shown else TOGETHER: trial.decoder.result() for name, trial in trials.items()}
    if shown:
        parts = {"encoder": trials[decoders[0]].encoder.result(), **parts}
    before = manifest.parity
    parity = Parity(
        parts=parts,
        token_agreement=min(trial.token_agreement() for trial in trials.values()),
        wer=max(word_error_rate(truths, trial.texts) for trial in trials.values()),
        wer_reference=before.wer_reference if before else None,
        n_recordings=len(recordings),
        n_words=sum(len(truth.split()) for truth in truths),
        weights=before.weights if before else None,
        loss=before.loss if before else None,
    )
    if not heard:
        return parity
    losses = (trial.loss.result() for trial in trials.values())
    return msgspec.structs.replace(
        parity,
        wer_reference=word_error_rate(truths, [said.text for said in heard]),
        loss=max(losses, key=lambda loss: loss.divergence),
    )


def _encoder_alone(
    artifact: Artifact,
    parameters: Parameters,
    recordings: Sequence[LabelledRecording],
    progress: Progress,
) -> Parity:
    """Compare what another program decodes; nobody here can say what words it makes of it."""
    manifest, found = artifact.manifest, _Comparison()
    with open_session(artifact, threads=1) as session:
        rules = session.facts.activations
        reference = ReferenceSession(parameters, manifest.dimensions, manifest.generation, rules)
        for k, recording in enumerate(recordings):
            progress("verify", k / len(recordings))
            mel = features(recording, session.contexts, session.dimensions.n_mels)
            session.encode(mel)
            window = session.window()
            found.add(window, *_windows(reference, mel, window))
    progress("verify", 1.0)
    return Parity(
        parts={"encoder": found.result()},
        token_agreement=None,
        wer=0.0,
        wer_reference=None,
        n_recordings=len(recordings),
        n_words=0,
        weights=manifest.parity.weights if manifest.parity else None,
    )


class Written(NamedTuple):
    """What an artifact heard, and the text that it wrote."""

    mel: FloatArray
    tokens: tuple[int, ...]


class _Trial:
    """What is found of one decoder graph, recording by recording.

    Attributes:
        encoder: The encoder graph's differences.
        decoder: The decoder graph's, or both graphs' where the window is not shown.
        loss: Of both together, from the unquantized checkpoint.
        texts: What was recognized.
    """

    def __init__(self) -> None:
        self.encoder, self.decoder = _Comparison(), _Comparison()
        self.loss = LossMeter()
        self._leads: list[float] = []
        self._noise = 0.0
        self.texts: list[str] = []

    def write(self, writer: Decoder, recording: LabelledRecording) -> Written:
        """Transcribe one recording."""
        session = writer.session
        mel = features(recording, session.contexts, session.dimensions.n_mels)
        session.encode(mel)
        result = writer.decode(writer.begin(writer.detect_language()), 0.0)
        self.texts.append(result.text)
        return Written(mel, result.tokens)

    def compare(
        self, writer: Decoder, reference: ReferenceSession, written: Written, *, encoder: bool
    ) -> None:
        """Compare the numbers behind what was just written.

        Args:
            writer: Its session holds the window still.
            reference: The same integers.
            written: What it wrote.
            encoder: Whether to compare the window too; it is the same with every decoder.
        """
        session = writer.session
        window = session.window() if session.facts.shows_window else None
        if encoder and window is not None:
            self.encoder.add(window, *_windows(reference, written.mel, window))
        prompt = writer.tokenizer.start_sequence("transcribe", "en", without_timestamps=True)
        tokens = [*prompt, *written.tokens[:COMPARED_TOKENS]]
        session.rewind(0)
        ours = forced_logits(session, tokens, len(prompt))
        if window is None:
            theirs, noisy = _logits_of_both(reference, written.mel, tokens, len(prompt))
        else:
            theirs, noisy = _logits(reference, window, tokens, len(prompt))
        self.decoder.add(ours, theirs, noisy)
        rows = np.arange(len(ours))
        self._leads += (theirs.max(1) - theirs[rows, ours.argmax(1)]).tolist()
        self._noise = max(self._noise, float(np.abs(noisy - theirs).max()))

    def read(self, session: Session, said: Heard) -> None:
        """Read what the checkpoint wrote; the same recording is encoded already."""
        session.rewind(0)
        self.loss.add(forced_logits(session, said.tokens, said.n_prompt), said.logits)

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


def _windows(
    reference: ReferenceSession, mel: FloatArray, like: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The reference's encoded window, of the same kind as another, and that under float noise."""
    window = reference.window if like.ndim == 4 else reference.encoded
    reference.encode(mel)
    exact = window()
    with reference.float_noise():
        reference.encode(mel)
    return exact, window()


def _logits(
    reference: ReferenceSession, window: FloatArray, tokens: Sequence[int], n_prompt: int
) -> tuple[FloatArray, FloatArray]:
    """The reference decoder's logits on a window, and the same under float noise."""
    reference.adopt(window)
    logits = forced_logits(reference, tokens, n_prompt)
    reference.adopt(window)
    with reference.float_noise():
        return logits, forced_logits(reference, tokens, n_prompt)


def _logits_of_both(
    reference: ReferenceSession, mel: FloatArray, tokens: Sequence[int], n_prompt: int
) -> tuple[FloatArray, FloatArray]:
    """The reference's logits on its own window, and the same with float noise from end to end."""
    reference.encode(mel)
    logits = forced_logits(reference, tokens, n_prompt)
    with reference.float_noise():
        reference.encode(mel)
        return logits, forced_logits(reference, tokens, n_prompt)
