"""The quantization lab: one checkpoint, what its matrices bear, and the mix that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...models.checkpoint import Checkpoint
from ...models.gptq import CalibratedRounding
from ...models.parameters import prepare, to_nearest
from ...models.quantize import Recipe
from ..decoding.tokens import Tokenizer
from ..parity import CurvePoint
from ..transcription.word_errors import word_error_rate
from ..types import AudioContexts, Closeable, Progress, Rounding, no_progress
from .calibration import calibrated_rounding, digest_of
from .lab_journal import LabJournal, Subject
from .listening import Heard, Listener
from .mix_search import MixPath, MixSearch, Tried, recipe_of, steps_of
from .mixed import Judge
from .recipe_file import FORMAT, CheckpointMark, Measured, RecipeFile, texts_of
from .recordings import LabelledRecording, judging_recordings
from .sensitivity import Sensitivity, measure_sensitivity
from .teacher import n_recordings


@dataclass(frozen=True)
class Lab(Closeable):
    """A checkpoint that has been listened to, and a journal of what is known of it.

    Attributes:
        checkpoint: What is measured.
        heard: What it makes of the recordings, in floats.
        rounder: How int4 is rounded; None for the nearest.
        journal: What is known.
    """

    checkpoint: Checkpoint
    heard: Sequence[Heard]
    rounder: CalibratedRounding | None
    journal: LabJournal

    @classmethod
    def opened(
        cls,
        checkpoint: Checkpoint,
        folder: Path,
        *,
        rounding: Rounding = "nearest",
        calibration: Sequence[LabelledRecording] = (),
        data: Sequence[LabelledRecording] = (),
        n: int | None = None,
        progress: Progress = no_progress,
    ) -> Lab:
        """Listen to the recordings and open the journal.

        Args:
            checkpoint: What is to be measured.
            folder: Where journals lie.
            rounding: Of int4.
            calibration: What the rounding listens to; empty for the bundled recordings.
            data: What to judge by; empty for the bundled recordings.
            n: How many of the bundled; None for as many as the model's size allows.
            progress: Told the stages "judge the checkpoint" and "listen to recordings".

        Raises:
            ConfigError: Another program measures the same.
        """
        exact = prepare(checkpoint, Recipe.of("fp32"))
        recordings = data or list(judging_recordings(n or n_recordings(exact), rounding))
        rounder = None
        if rounding != "nearest":
            rounder = calibrated_rounding(checkpoint, calibration, progress)
        subject = Subject(
            checkpoint.digest,
            digest_of(recordings),
            rounding,
            rounder.calibration.digest if rounder else None,
        )
        journal = LabJournal(folder, subject)
        try:
            tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
            listener = Listener(checkpoint.dimensions, checkpoint.generation, tokenizer)
            contexts = AudioContexts(checkpoint.dimensions.n_audio_ctx)
            heard = listener.listen(exact, recordings, contexts, progress)
        except BaseException:
            journal.close()
            raise
        return cls(checkpoint, heard, rounder, journal)

    @property
    def rounding(self) -> Rounding:
        """Of int4."""
        return self.rounder.calibration.rounding if self.rounder else "nearest"

    @property
    def wer_reference(self) -> float:
        """Word error rate of the checkpoint in floats."""
        truths = [said.recording.text for said in self.heard]
        return word_error_rate(truths, [said.text for said in self.heard])

    def sensitivity(
        self, precisions: Sequence[str], progress: Progress = no_progress
    ) -> Sensitivity:
        """What every matrix costs; see ``measure_sensitivity``."""
        return measure_sensitivity(
            self.checkpoint,
            precisions,
            self.heard,
            self.journal,
            rounder=self.rounder or to_nearest,
            progress=progress,
        )

    def search(
        self,
        sensitivity: Sensitivity,
        passes: Callable[[CurvePoint], bool],
        progress: Progress = no_progress,
    ) -> tuple[Tried, ...]:
        """Try mixtures, the last of which is the smallest that passes; see ``MixSearch``."""
        judge = Judge(self.checkpoint, self.heard, self.rounder or to_nearest)
        search = MixSearch(judge, self.journal, passes, self.rounding, progress)
        return search.run(MixPath(*steps_of(sensitivity)))

    def recipe_file(self, tried: Tried, limit: str) -> RecipeFile:
        """A mixture with what was measured of it.

        Args:
            tried: Which.
            limit: That it keeps, in words.
        """
        recipe, point = recipe_of(tried.mixture, self.rounding), tried.point
        parts, layers = texts_of(recipe)
        is_calibrated = recipe.rounding != "nearest" and self.rounder is not None
        return RecipeFile(
            format=FORMAT,
            parts=parts,
            layers=layers,
            rounding=recipe.rounding,
            calibration_digest=(
                self.rounder.calibration.digest if self.rounder and is_calibrated else None
            ),
            checkpoint=CheckpointMark(self.checkpoint.name, self.checkpoint.digest),
            measured=Measured(
                wer=point.wer,
                wer_reference=self.wer_reference,
                divergence=point.divergence,
                token_agreement=point.token_agreement,
                n_bytes=point.n_bytes,
                limit=limit,
                recordings=len(self.heard),
                recordings_digest=digest_of([said.recording for said in self.heard]),
                tool=f"whisperq-edge {__version__}",
            ),
        )

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()
