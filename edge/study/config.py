"""What a study compares: one TOML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from ...exporters.targets import target_named
from ...models.registry import find_entry
from ..accuracy.condition import Condition
from ..accuracy.result import Variant
from ..errors import ConfigError, WhisperqError

RANDOM = "random:"
GeneralPrecision = Literal["fp32", "fp16", "int8", "int5", "int4"]
FLOATS: tuple[GeneralPrecision, ...] = ("fp16", "fp32")
# Whose lowest and highest enclose the median with 98 %, so that a ratio of two has 95 at least.
ENOUGH_REPEATS = 7


class SetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speech that is listened to.

    Attributes:
        name: For a column of a table.
        data: As ``evaluate --data`` takes it; a path is looked for beside the file first.
        condition: What is done to the sound, as ``evaluate --condition`` takes it.
        limit: The most utterances that are taken; None for all.
        language: That is spoken where the set does not say.
    """

    name: str
    data: str
    condition: str = "clean"
    limit: int | None = None
    language: str = "en"


class StudyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file.

    Attributes:
        title: Of the page.
        checkpoints: As ``export --model`` takes them; or ``random:base``, weights drawn by chance
            in a true model's shape, for sizes and times alone.
        targets: Formats.
        precisions: By their general names; what a target has instead is exported once, and said.
        sets: The first one also gives the qualities and the variants.
        threads: Compute threads that are timed; texts are computed with the first.
        variants: How the first set is heard, ``plain`` among them.
        variant_limit: The most utterances of it that variants other than ``plain`` hear, which take
            many times as long; None for all.
        repeats: Passes that are timed of each configuration.
        baseline: The precision that others are compared with; the first in floats if not given.
        output: Folder of the report, beside the file; ``--output`` is stronger.
    """

    title: str
    checkpoints: tuple[str, ...]
    targets: tuple[str, ...]
    precisions: tuple[GeneralPrecision, ...]
    sets: tuple[SetConfig, ...] = ()
    threads: tuple[int, ...] = (1,)
    variants: tuple[Variant, ...] = ("plain",)
    variant_limit: int | None = None
    repeats: int = ENOUGH_REPEATS
    baseline: GeneralPrecision | None = None
    output: str | None = None

    @property
    def reference(self) -> str | None:
        """The precision that others are compared with; None where all are quantized."""
        floats = (name for name in self.precisions if name in FLOATS)
        return self.baseline or next(floats, None)

    @property
    def worded(self) -> tuple[str, ...]:
        """The checkpoints that say something."""
        return tuple(name for name in self.checkpoints if not is_random(name))


def is_random(checkpoint: str) -> bool:
    """Whether a checkpoint's weights are drawn by chance."""
    return checkpoint.startswith(RANDOM)


def read_config(path: Path) -> StudyConfig:
    """Read and check the file of a study.

    Raises:
        ConfigError: It cannot be read, or says what cannot be; names the file and the key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    try:
        config = msgspec.toml.decode(content, type=StudyConfig)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: {error}") from error
    for key, reason in _mistakes(config):
        raise ConfigError(f"{path}: {key}: {reason}")
    return config


def _mistakes(config: StudyConfig) -> Iterable[tuple[str, str]]:
    """Keys and what is wrong with them; the first is told."""
    lists: dict[str, Sequence[object]] = {
        "checkpoints": config.checkpoints,
        "targets": config.targets,
        "precisions": config.precisions,
        "threads": config.threads,
        "variants": config.variants,
    }
    for key, values in lists.items():
        if not values:
            yield key, "there is none"
        yield from ((key, f"{value} is there twice") for value in _twice(values))
    for target in config.targets:
        if reason := _refusal(target_named, target):
            yield "targets", reason
    for checkpoint in filter(is_random, config.checkpoints):
        if reason := _refusal(find_entry, checkpoint.removeprefix(RANDOM)):
            yield "checkpoints", f"{checkpoint}: {reason}"
    for threads in config.threads:
        if threads < 1:
            yield "threads", f"{threads} is none"
    if config.repeats < 1:
        yield "repeats", f"{config.repeats} is none"
    if "plain" not in config.variants:
        yield "variants", f"plain is missing; there are {', '.join(get_args(Variant))}"
    if config.variant_limit is not None and config.variant_limit < 1:
        yield "variant_limit", f"{config.variant_limit} is none"
    if config.baseline and config.baseline not in config.precisions:
        yield "baseline", f"{config.baseline} is not among the precisions"
    yield from _mistakes_of_sets(config)


def _mistakes_of_sets(config: StudyConfig) -> Iterable[tuple[str, str]]:
    if config.worded and not config.sets:
        yield "sets", f"there is none, and {config.worded[0]} has words to be counted"
    yield from (
        ("sets", f"two are called '{name}'") for name in _twice([one.name for one in config.sets])
    )
    for number, one in enumerate(config.sets):
        if not one.name.strip():
            yield f"sets[{number}].name", "it is empty"
        if one.limit is not None and one.limit < 1:
            yield f"sets[{number}].limit", f"{one.limit} is none"
        if reason := _refusal(Condition.parse, one.condition):
            yield f"sets[{number}].condition", reason


def _refusal(check: Callable[[str], object], name: str) -> str | None:
    """What a check has against a name."""
    try:
        check(name)
    except WhisperqError as error:
        return str(error)
    return None


def _twice(values: Sequence[object]) -> list[object]:
    return [value for value, times in Counter(values).items() if times > 1]


def checkpoint_beside(name: str, folder: Path) -> str:
    """A checkpoint as it is found from anywhere: a path is meant from the study's folder.

    Args:
        name: As the file has it; one that is no path is an official model or of the hub.
        folder: Of the file.
    """
    return _found(name, folder) if name.startswith((".", "/", "~")) else name


def data_beside(name: str, folder: Path) -> str:
    """Likewise the data of a set, if it lies beside the file."""
    return _found(name, folder)


def _found(name: str, folder: Path) -> str:
    path = folder.resolve() / Path(name).expanduser()
    return str(path) if path.exists() else name
