"""The gate: what an artifact may lose, and whether it lost more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...models.quantize import Recipe
from ..errors import ParityError
from ..parity import Loss, Parity, Tolerance, Verdict
from ..types import PrecisionName

COARSEST_FIRST: tuple[PrecisionName, ...] = (
    "int4",
    "q4_0",
    "q4_1",
    "q5_0",
    "q5_1",
    "lut6",
    "int8",
    "q8_0",
    "fp16",
    "fp32",
)
_INT8 = Tolerance(
    relative_error=1e-3,
    token_disagreement=0.02,
    other_tokens=0.01,
    divergence=0.05,
    wer_increase=0.03,
)
_INT5 = Tolerance(
    relative_error=1e-3,
    token_disagreement=0.02,
    other_tokens=0.05,
    divergence=0.1,
    wer_increase=0.05,
)
_INT4 = Tolerance(
    relative_error=1e-3,
    token_disagreement=0.02,
    other_tokens=0.1,
    divergence=0.2,
    wer_increase=0.1,
)
# What an artifact may differ by, for the coarsest precision in it.
TOLERANCES: Mapping[PrecisionName, Tolerance] = {
    "fp32": Tolerance(
        relative_error=1e-4,
        token_disagreement=0.0,
        other_tokens=0.0,
        divergence=1e-4,
        wer_increase=0.01,
    ),
    "fp16": Tolerance(
        relative_error=1e-4,
        token_disagreement=0.0,
        other_tokens=0.0,
        divergence=1e-3,
        wer_increase=0.01,
    ),
    "int8": _INT8,
    "q8_0": _INT8,
    "lut6": _INT5,
    "q5_1": _INT5,
    "q5_0": _INT5,
    "q4_1": _INT4,
    "q4_0": _INT4,
    "int4": _INT4,
}
# A mixture that is chosen by measurement is held to more: perplexity grows by half a percent.
MIXED_TOLERANCE = Tolerance(
    relative_error=1e-3,
    token_disagreement=0.02,
    other_tokens=0.01,
    divergence=0.005,
    wer_increase=0.01,
)
SENSITIVITY_FACTOR = 3  # leaves room for chance, and none for a wrong scale or a lost bias
ROUNDING_LIMIT = 1.001  # of half a step; the rest is float arithmetic
# Words that may be lost on however few recordings: large models are judged on about 40 words, where
# two or three go either way with any rounding. Likewise tokens, of which one is the share allowed.
CHANCE_WORDS, CHANCE_TOKENS = 3, 2
ROUND_OFF = 1e-9  # three words of 121 more than nine are not exactly 3 / 121


def tolerance_for(recipe: Recipe) -> Tolerance:
    """What an artifact of these precisions may differ by: the coarsest decides."""
    names = {precision.name for precision in recipe.quantization.values()}
    return TOLERANCES[next(name for name in COARSEST_FIRST if name in names)]


def findings(parity: Parity, tolerance: Tolerance) -> Iterator[ParityError]:
    """Every limit that is broken; what was not measured breaks none."""
    if parity.weights and not parity.weights.worst <= ROUNDING_LIMIT:
        yield ParityError(
            parity.weights.matrix,
            "difference from the checkpoint, over what rounding explains,",
            parity.weights.worst,
            ROUNDING_LIMIT,
        )
    for name, part in parity.parts.items():
        allowed = tolerance.relative_error + SENSITIVITY_FACTOR * part.sensitivity
        if not part.relative_error <= allowed:  # a NaN is refused too
            yield ParityError(name, "relative error", part.relative_error, allowed)
    disagreement = None if parity.token_agreement is None else 1 - parity.token_agreement
    if disagreement is not None and not disagreement <= tolerance.token_disagreement:
        yield ParityError(
            "decoder", "share of other tokens", disagreement, tolerance.token_disagreement
        )
    yield from loss_findings(parity.loss, tolerance)
    yield from word_findings(parity, tolerance)


def loss_findings(loss: Loss | None, tolerance: Tolerance) -> Iterator[ParityError]:
    """Which limits the loss of the precision itself breaks."""
    if loss is None:
        return
    if not loss.divergence <= tolerance.divergence:
        yield ParityError("loss", "divergence", loss.divergence, tolerance.divergence)
    allowed = tolerance.other_tokens
    if allowed:
        allowed = max(allowed, CHANCE_TOKENS / loss.n_tokens)
    if not loss.other_tokens <= allowed + ROUND_OFF:
        yield ParityError(
            "loss", "share of tokens unlike the checkpoint's", loss.other_tokens, allowed
        )


def word_findings(parity: Parity, tolerance: Tolerance) -> Iterator[ParityError]:
    """Whether too many words are lost, if the checkpoint itself knows them."""
    if parity.wer_reference is None or not parity.judges_words:
        return
    increase = parity.wer - parity.wer_reference
    allowed = max(tolerance.wer_increase, CHANCE_WORDS / parity.n_words)
    if not increase <= allowed + ROUND_OFF:
        yield ParityError("words", "rise of the error rate", increase, allowed)


def check(parity: Parity, tolerance: Tolerance) -> None:
    """Refuse what differs too much.

    Raises:
        ParityError: Names the first limit that is broken.
    """
    for finding in findings(parity, tolerance):
        raise finding


def verdict(parity: Parity, tolerance: Tolerance) -> Verdict:
    """Every limit that is broken, as the manifest tells them."""
    reasons = tuple(finding.finding for finding in findings(parity, tolerance))
    return Verdict(passed=not reasons, reasons=reasons)
