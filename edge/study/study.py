"""All that a study has found: the content of ``study.json``, and what every report is made of."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..accuracy.difference import Difference
from ..accuracy.qualities import Qualities
from ..accuracy.result import Variant
from ..accuracy.summary import Summary
from ..profiling.board import Board
from .config import GeneralPrecision, StudyConfig
from .figure import Figure
from .stages import StagePass

SCHEMA = 1


class CheckpointFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint.

    Attributes:
        name: As the study's file has it.
        digest: sha256 of its weights.
        licence: Of its weights.
        n_parameters: Numbers in its tensors.
    """

    name: str
    digest: str
    licence: str
    n_parameters: int


class SetFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was listened to.

    Attributes:
        name: See ``SetConfig``.
        source: What the set calls itself.
        condition: See ``SetConfig``.
        n_utterances: Recordings.
        n_words: In their references, normalized.
        n_speakers: Different ones.
        sound_s: Length of all.
    """

    name: str
    source: str
    condition: str
    n_utterances: int
    n_words: int
    n_speakers: int
    sound_s: float


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One artifact.

    Attributes:
        checkpoint: See ``Cell``, as for the next four.
        target: The format.
        precision: Its general name.
        stored: What the format calls it.
        instead_of: What it stands in for.
        digest: sha256 of its manifest.
        size_bytes: On the disk, all files.
        stand_in: Whether what ran it only shows what the target computes; its times are nobody's.
        tools: Versions of what wrote it and ran it.
    """

    checkpoint: str
    target: str
    precision: GeneralPrecision
    stored: str
    instead_of: tuple[GeneralPrecision, ...]
    digest: str
    size_bytes: int
    stand_in: bool
    tools: dict[str, str]

    @property
    def name(self) -> str:
        """For people: "demo int8 onnx"."""
        return f"{self.checkpoint} {self.precision} {self.target}"


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one artifact made of one set.

    Attributes:
        digest: Of the artifact.
        set: Name of the set.
        variant: How it was heard.
        summary: Words.
        qualities: Capitals, punctuation, numbers, names and times.
        cpu_s_per_s: Processor time for a second of sound; None of a stand-in.
    """

    digest: str
    set: str
    variant: Variant
    summary: Summary
    qualities: Qualities
    cpu_s_per_s: float | None


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Word error rates of two artifacts, or of one that is heard in two ways.

    Attributes:
        digest: Of the one.
        other: Of the other, which is taken away.
        set: On which utterances.
        variant: How the one heard them.
        other_variant: How the other did.
        difference: Of the two.
    """

    digest: str
    other: str
    set: str
    variant: Variant
    other_variant: Variant
    difference: Difference


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one artifact takes with so many threads, all values raw.

    Attributes:
        digest: Of the artifact.
        threads: Compute threads.
        clip_s: Length of the recording that is timed whole; None where none was.
        whole_s: Seconds that it took, pass for pass.
        loads_s: Seconds until the artifact was open, time for time.
        passes: One window in its stages, pass for pass.
        peak_bytes: The most resident memory; None where it was not measured.
        doubts: Why this should not be believed, or why it is missing, a line each.
    """

    digest: str
    threads: int
    clip_s: float | None
    whole_s: tuple[float, ...]
    loads_s: tuple[float, ...]
    passes: tuple[StagePass, ...]
    peak_bytes: int | None
    doubts: tuple[str, ...] = ()

    @property
    def latency(self) -> Figure | None:
        """A recording as a whole; one window of fixed work where no recording was timed."""
        return Figure.median(self.whole_s or tuple(one.total for one in self.passes))

    @property
    def real_time_factor(self) -> Figure | None:
        """Seconds for a second of sound; None where no recording was timed."""
        found = Figure.median(self.whole_s)
        return found.scaled(1 / self.clip_s) if found and self.clip_s else None


class Missing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked for and is not there, with the reason in one line."""

    name: str
    reason: str


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole.

    Attributes:
        schema: ``SCHEMA``.
        created: When this was put together; ISO 8601, UTC, in seconds.
        package: Version of whisperq-edge.
        config: What was asked.
        board: On what.
        tools: Versions of the libraries that judged.
        checkpoints: In the order of the file, as for all that follows.
        sets: What was listened to.
        formats: What was exported.
        accuracies: What was understood.
        pairs: What was compared word for word.
        times: What it took.
        missing: What could not be had.
    """

    schema: int
    created: str
    package: str
    config: StudyConfig
    board: Board
    tools: dict[str, str]
    checkpoints: tuple[CheckpointFacts, ...]
    sets: tuple[SetFacts, ...]
    formats: tuple[Format, ...]
    accuracies: tuple[Accuracy, ...]
    pairs: tuple[Pair, ...]
    times: tuple[Times, ...]
    missing: tuple[Missing, ...]

    def accuracy(self, digest: str, set_name: str, variant: Variant = "plain") -> Accuracy | None:
        """What an artifact made of a set, if it heard it."""
        wanted = (digest, set_name, variant)
        found = (a for a in self.accuracies if (a.digest, a.set, a.variant) == wanted)
        return next(found, None)

    def times_of(self, digest: str, threads: int) -> Times | None:
        """What an artifact takes, if that was measured."""
        found = (t for t in self.times if (t.digest, t.threads) == (digest, threads))
        return next(found, None)

    def reference(self, one: Format) -> Format | None:
        """The unquantized artifact that one is compared with; itself, where it is that."""
        return self.sibling(one, self.config.reference)

    def sibling(self, one: Format, precision: str | None) -> Format | None:
        """The artifact of the same checkpoint and target in another precision."""
        wanted = (one.checkpoint, one.target, precision)
        found = (f for f in self.formats if (f.checkpoint, f.target, f.precision) == wanted)
        return next(found, None)

    def pair(
        self,
        digest: str,
        other: str,
        set_name: str,
        variants: tuple[Variant, Variant] = ("plain", "plain"),
    ) -> Difference | None:
        """The word error rate of one minus that of another, if both were compared."""
        wanted = (digest, other, set_name, *variants)
        found = (
            pair.difference
            for pair in self.pairs
            if (pair.digest, pair.other, pair.set, pair.variant, pair.other_variant) == wanted
        )
        return next(found, None)

    def groups(self) -> Iterator[list[Format]]:
        """The artifacts of each checkpoint and target, which are compared among themselves."""
        kinds = dict.fromkeys((one.checkpoint, one.target) for one in self.formats)
        for kind in kinds:
            yield [one for one in self.formats if (one.checkpoint, one.target) == kind]
