"""What is measured of an artifact, and what it is held to: the words of its manifest."""

from __future__ import annotations

import msgspec

from .types import PrecisionName, Rounding

UNKNOWING_WER = 0.9  # a checkpoint that misses this many words was not made for them
TOGETHER = "encoder and decoder"  # the part that is judged where no library shows them apart
SLOWER = 1.05  # ratio of times; less is noise


class PartParity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one part differs from the NumPy reference that holds the same integers.

    Attributes:
        cosine: Over all recordings together.
        relative_error: Likewise; L2 of the difference over L2 of the reference.
        max_error: The largest of any element.
        sensitivity: The relative error of the reference against itself, with and without the noise
            of float arithmetic. Where activations are rounded to integers the noise tips some over
            and moves the next range; no two correct implementations agree more closely than that.
    """

    cosine: float
    relative_error: float
    max_error: float
    sensitivity: float


class WeightRounding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the stored weights lie from those of the checkpoint.

    Attributes:
        worst: The largest difference of any element over the largest that rounding explains;
            above 1 something else than rounding happened.
        matrix: Where it is.
    """

    worst: float
    matrix: str


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the precision costs: the artifact beside the unquantized checkpoint.

    Both read the text that the checkpoint itself writes, token after token.

    Attributes:
        relative_error: Of the logits; L2 of the difference over L2 of the checkpoint's.
        divergence: Mean Kullback-Leibler divergence of the next token's probabilities, in nats.
        token_agreement: Share of places where both choose the same token.
        near_ties: Share where they do not, but the checkpoint itself held the two for nearly
            equally likely.
        n_tokens: How many places.
    """

    relative_error: float
    divergence: float
    token_agreement: float
    near_ties: float
    n_tokens: int

    @property
    def other_tokens(self) -> float:
        """Share of places where the artifact chooses what the checkpoint would not."""
        return max(0.0, 1 - self.token_agreement - self.near_ties)


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that an artifact may differ; ``verify`` refuses past any of them.

    Attributes:
        relative_error: Of each part, over what its sensitivity explains.
        token_disagreement: Share of tokens chosen otherwise than by the reference with the same
            integers, under the same (teacher-forced) text.
        other_tokens: Likewise, than by the unquantized checkpoint; a few are allowed in any case.
        divergence: From the unquantized checkpoint, see ``Loss``.
        wer_increase: Word error rate over that of the unquantized checkpoint, absolute; a few words
            are allowed in any case, since so many may go either way.
    """

    relative_error: float
    token_disagreement: float
    other_tokens: float
    divergence: float
    wer_increase: float


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What verification measured.

    Attributes:
        parts: By graph; the head is part of the decoder's.
        token_agreement: Share of tokens that the reference would have chosen too; None where there
            was none, of adopted graphs whose checkpoint is not at hand.
        wer: Word error rate of the artifact.
        wer_reference: Of the unquantized checkpoint, on the same recordings; None where only the
            artifact was there to be measured.
        n_recordings: How many.
        n_words: Spoken in them; 0 of an encoder alone, whose words another program writes.
        weights: Beside the checkpoint's; None where only the artifact was there.
        loss: Likewise.
    """

    parts: dict[str, PartParity]
    token_agreement: float | None
    wer: float
    wer_reference: float | None
    n_recordings: int
    n_words: int
    weights: WeightRounding | None = None
    loss: Loss | None = None

    @property
    def judges_words(self) -> bool:
        """Whether the checkpoint knows enough of the recordings' words to be judged by them."""
        return self.wer_reference is not None and self.wer_reference < UNKNOWING_WER


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate said; an artifact that it refused exists only where loss was allowed.

    Attributes:
        passed: Whether everything is within the tolerance.
        reasons: What is not, a line each.
    """

    passed: bool
    reasons: tuple[str, ...] = ()


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Time beside an export of the same checkpoint in floats, on the machine of the export.

    Attributes:
        encode: Time of one window over that of the other export; below 1 is faster.
        step: Likewise, of one token.
        recording: Likewise, of a short recording: one window and its tokens.
        against: The precision of the other export.
        threads: Of both.
    """

    encode: float
    step: float
    recording: float
    against: PrecisionName
    threads: int

    @property
    def is_slower(self) -> bool:
        """Whether this artifact is no gain in speed but a loss, on that machine."""
        return self.recording > SLOWER


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The recordings that int4 was rounded by.

    Attributes:
        rounding: How.
        n_recordings: How many.
        digest: sha256 over their samples and words, in order.
    """

    rounding: Rounding
    n_recordings: int
    digest: str


class CurvePoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mixture of precisions that was tried, computed by the reference.

    Attributes:
        n_raises: Steps up from the coarsest mixture; each stores one matrix more finely.
        n_bytes: Of all weights.
        divergence: See ``Loss``.
        token_agreement: Likewise.
        wer: Word error rate.
        passed: Whether it was within the tolerance.
    """

    n_raises: int
    n_bytes: int
    divergence: float
    token_agreement: float
    wer: float
    passed: bool


class PrecisionChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a mixture of precisions was chosen by measurement.

    Attributes:
        losses: For each matrix the divergence that it causes when it alone is stored on the
            coarsest rung, worst first.
        curve: The mixtures tried, smallest first.
        n_raises: Of the one that became the artifact.
    """

    losses: dict[str, float]
    curve: tuple[CurvePoint, ...]
    n_raises: int
