"""Sets of the Hugging Face Hub, or folders in its layout, through its library ``datasets``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import ConfigError, MissingDependencyError
from .labelled_row import LabelledRow, language_of
from .sound_cache import keep_sound

PREFIX = "hf:"
DEFAULT_SPLIT = "test"
AUDIO = "audio"
TEXTS = ("text", "sentence", "transcription", "normalized_text")  # the first that there is
SPEAKERS = ("speaker_id", "client_id", "speaker")
LANGUAGES = ("language", "locale", "lang")


class HubName(NamedTuple):
    """``NAME[:CONFIG][:SPLIT]``, taken apart."""

    name: str
    config: str | None
    split: str | None


def read_hub(text: str, language: str) -> list[LabelledRow]:
    """The rows of one split; sound is written to the cache when it is asked for.

    Args:
        text: What follows "hf:"; a name on the hub, or a folder.
        language: Of rows that do not say, where the configuration's name does not either.

    Raises:
        MissingDependencyError: ``datasets`` is not installed.
        ConfigError: There is no such set, it cannot be reached, or it is not one of speech.
    """
    datasets = _load_datasets()
    with _translated(text):
        wanted = _parsed(datasets, text)
        split = wanted.split or _default_split(datasets, wanted)
        table = datasets.load_dataset(wanted.name, wanted.config, split=split)
    text_column = _first(table.column_names, TEXTS)
    if AUDIO not in table.column_names or text_column is None:
        raise ConfigError(
            f"{PREFIX}{text} is not a set of speech: it needs a column {AUDIO} and one of "
            f"{', '.join(TEXTS)}, and has {', '.join(table.column_names)}"
        )
    # Undecoded, so that neither torch nor its codecs are needed.
    table = table.cast_column(AUDIO, datasets.Audio(decode=False))
    speakers = _column(table, SPEAKERS)
    languages = _column(table, LANGUAGES)
    usual = _language_of_config(wanted.config) or language
    rows = []
    for number, said in enumerate(table[text_column]):
        where = f"{PREFIX}{text}: row {number}"
        if not isinstance(said, str):
            raise ConfigError(f"{where}: its {text_column} is not a text")
        speaker = speakers[number] if speakers else None
        tag = languages[number] if languages else None
        rows.append(
            LabelledRow(
                where=where,
                id=f"{split}-{number:06d}",
                locate=partial(_locate, table, number, where),
                text=said,
                speaker=None if speaker in (None, "") else str(speaker),
                language=language_of(str(tag), where) if tag else usual,
            )
        )
    return rows


def _locate(table: Any, number: int, where: str) -> Path:  # noqa: ANN401 (untyped)
    """The row's sound file; written to the cache where the set holds its bytes."""
    sound = table[number][AUDIO]
    if sound is None:
        raise ConfigError(f"{where}: it has no sound")
    name = sound["path"] or ""
    if sound["bytes"] is None:
        return Path(name).absolute()
    suffix = Path(name).suffix
    return keep_sound(sound["bytes"], suffix if re.fullmatch(r"\.\w{1,5}", suffix) else "")


def _parsed(datasets: ModuleType, text: str) -> HubName:
    name, *rest = text.split(":")
    if not name or len(rest) > 2 or not all(rest):
        raise ConfigError(f"'{PREFIX}{text}' is not {PREFIX}NAME, with :CONFIG and :SPLIT behind")
    if len(rest) == 1:  # one of the two
        is_config = rest[0] in datasets.get_dataset_config_names(name)
        return HubName(name, rest[0], None) if is_config else HubName(name, None, rest[0])
    return HubName(name, *(rest or (None, None)))


def _default_split(datasets: ModuleType, wanted: HubName) -> str:
    splits = [str(one) for one in datasets.get_dataset_split_names(wanted.name, wanted.config)]
    if DEFAULT_SPLIT in splits:
        return DEFAULT_SPLIT
    if len(splits) == 1:
        return splits[0]
    raise ConfigError(
        f"{PREFIX}{wanted.name} has no split {DEFAULT_SPLIT}; name one: {', '.join(splits)}"
    )


def _first(there: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in there), None)


def _column(table: Any, names: Sequence[str]) -> list[str | int | None] | None:  # noqa: ANN401
    """The first of these columns, with the names of its classes where it has numbers for them."""
    name = _first(table.column_names, names)
    if name is None:
        return None
    values = list(table[name])
    to_name = getattr(table.features[name], "int2str", None)
    return values if to_name is None else [to_name(value) for value in values]


def _language_of_config(config: str | None) -> str | None:
    """Configurations are often named for their language: "de", "pt_br", "english"."""
    try:
        return None if config is None else language_of(config, PREFIX)
    except ConfigError:
        return None


def _load_datasets() -> ModuleType:
    # What the library counts is nobody's business here; it is read when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import datasets
    except ModuleNotFoundError:
        raise MissingDependencyError("datasets", "datasets", "a set of the hub") from None
    datasets.disable_progress_bars()
    module: ModuleType = datasets
    return module


@contextmanager
def _translated(text: str) -> Iterator[None]:
    """Turn the library's errors into one line."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, DatasetsError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{PREFIX}{text} cannot be read: {first}") from error
