"""Mixed precision, chosen by measurement: the smallest mixture that the gate lets through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ...exporters import ExportRequest
from ...models.checkpoint import Checkpoint
from ...models.gptq import CalibratedRounding
from ...models.parameters import Parameters, Rounder, prepare, to_nearest
from ...models.quantize import Recipe
from ...runtimes.run_reference import ReferenceSession
from ..artifact import Artifact
from ..decoding.decoder import Decoder
from ..decoding.tokens import Tokenizer
from ..errors import ParityError
from ..parity import CurvePoint, Parity, PrecisionChoice
from ..transcription.word_errors import word_error_rate
from ..types import AudioContexts, Progress, no_progress
from .blas import one_blas_thread
from .calibration import calibrated_rounding
from .export import check_layers, export, listen
from .gate import MIXED_TOLERANCE, findings
from .listening import Heard
from .loss import LossMeter
from .mixture import Ladder, n_bytes
from .ranking import divergences
from .teacher import OPTIONS, forced_logits

RETRIES = 6  # artifacts written until one passes; each is an eighth of the way finer


def export_mixed(
    target: str,
    request: ExportRequest,
    output: Path,
    *,
    allow_loss: bool = False,
    rounder: CalibratedRounding | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Export with each matrix as coarse as the words allow.

    Every matrix is ranked by the divergence that it alone causes on the coarsest rung. Then the
    fewest of them, worst first, are stored more finely until the reference with these integers
    keeps within ``MIXED_TOLERANCE``. The artifact is verified like any other; one that the gate
    refuses, because kernels round activations too, is made again a little finer.

    Args:
        target: A name in ``exporters.TARGETS``.
        request: The checkpoint and layout; of its recipe only the rounding is kept.
        output: Folder of the artifact.
        allow_loss: Keep the first artifact, whatever the gate says.
        rounder: See ``export``.
        progress: Told the stages of ``export`` and, before, "rank the layers" and "mix".

    Raises:
        ParityError: Not even the finest mixture passes.
        UnsupportedPrecisionError: The layout has nothing to choose between.
    """
    ladder = Ladder.for_target(target, request.layout)
    checkpoint = request.checkpoint
    rounding = request.recipe.rounding
    check_layers(replace(request, recipe=replace(ladder.lowest, rounding=rounding)))
    if rounding == "nearest":
        rounder = None
    elif rounder is None:
        rounder = calibrated_rounding(checkpoint, progress=progress)
    contexts = AudioContexts(checkpoint.dimensions.n_audio_ctx, request.windows)
    heard = listen(request, contexts, progress)
    exact = prepare(checkpoint, Recipe.of("fp32"))
    coarse = prepare(checkpoint, ladder.lowest, rounder=rounder or to_nearest)
    losses = divergences(exact, coarse, checkpoint.dimensions, heard, progress)
    del exact, coarse
    names = list(losses)
    judge = Judge(checkpoint, heard, rounder or to_nearest)
    n_steps = len(ladder.raises(names))
    points = smallest_passing(n_steps, lambda n: judge.point(ladder.recipe(names, n), n), progress)
    n = min((n for n, point in points.items() if point.passed), default=n_steps)
    for _ in range(RETRIES):
        choice = PrecisionChoice(losses, tuple(points[n] for n in sorted(points)), n)
        recipe = replace(ladder.recipe(names, n), rounding=rounding)
        mixed = replace(request, recipe=recipe)
        try:
            return export(
                target,
                mixed,
                output,
                allow_loss=allow_loss,
                tolerance=MIXED_TOLERANCE,
                choice=choice,
                rounder=rounder,
                progress=progress,
            )
        except ParityError as error:
            if n == n_steps:
                raise
            refused = error
        if n in points:
            points[n] = msgspec.structs.replace(points[n], passed=False)
        n = min(n_steps, n + max(1, (n_steps - n) // 8))
    raise refused


def smallest_passing(
    n_steps: int, measure: Callable[[int], CurvePoint], progress: Progress = no_progress
) -> dict[int, CurvePoint]:
    """Measure mixtures until the smallest that passes is known, by bisection.

    Args:
        n_steps: The number of steps to the finest mixture, which is taken to pass.
        measure: A mixture, given the number of steps to it.
        progress: Told the stage "mix".

    Returns:
        What was measured, by number of steps.
    """
    points: dict[int, CurvePoint] = {}
    fails, passes = -1, n_steps
    middle = 0  # the smallest of all first: nothing beats it
    n_most = max(1, n_steps.bit_length() + 1)
    while passes - fails > 1:
        progress("mix", min(1.0, len(points) / n_most))
        points[middle] = measure(middle)
        if points[middle].passed:
            passes = middle
        else:
            fails = middle
        middle = (fails + passes) // 2
    progress("mix", 1.0)
    return points


@dataclass(frozen=True)
class Judge:
    """Measures mixtures by the reference, which takes activations as they are.

    Attributes:
        checkpoint: What they are made of.
        heard: What it makes of the recordings.
        rounder: See ``prepare``.
    """

    checkpoint: Checkpoint
    heard: Sequence[Heard]
    rounder: Rounder = to_nearest

    @one_blas_thread()
    def point(self, recipe: Recipe, n_raises: int) -> CurvePoint:
        """Measure one mixture."""
        parameters = prepare(self.checkpoint, recipe, rounder=self.rounder)
        parity = self._parity(parameters)
        assert parity.loss is not None
        return CurvePoint(
            n_raises=n_raises,
            n_bytes=n_bytes(parameters),
            divergence=parity.loss.divergence,
            token_agreement=parity.loss.token_agreement,
            wer=parity.wer,
            passed=not any(findings(parity, MIXED_TOLERANCE)),
        )

    def _parity(self, parameters: Parameters) -> Parity:
        checkpoint = self.checkpoint
        tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
        session = ReferenceSession(parameters, checkpoint.dimensions, checkpoint.generation)
        writer = Decoder(session, tokenizer, checkpoint.generation, OPTIONS)
        meter, texts = LossMeter(), []
        for said in self.heard:
            session.encode(said.mel)
            texts.append(writer.decode(writer.begin(writer.detect_language()), 0.0).text)
            session.rewind(0)
            meter.add(forced_logits(session, said.tokens, said.n_prompt), said.logits)
        truths = [said.recording.text for said in self.heard]
        return Parity(
            parts={},
            token_agreement=1.0,
            wer=word_error_rate(truths, texts),
            wer_reference=word_error_rate(truths, [said.text for said in self.heard]),
            n_recordings=len(truths),
            n_words=sum(len(truth.split()) for truth in truths),
            loss=meter.result(),
        )
