"""What every form of a set is read into, before anybody looks at its sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..decoding.languages import LANGUAGE_NAMES, language_code
from ..errors import ConfigError, UnknownNameError
from .utterance import TimedWord

# Codes that data sets use and Whisper does not.
_OTHER_CODES = {"nb": "no", "fil": "tl", "cmn": "zh", "iw": "he", "jv": "jw"}


@dataclass(frozen=True)
class LabelledRow:
    """One utterance of a set, its sound not looked at yet.

    Attributes:
        where: Its place, for messages: "manifest.jsonl: line 3".
        id: See ``Utterance``, as are the others.
        locate: Says where the sound file lies; writes it first, where the set holds it inside.
    """

    where: str
    id: str
    locate: Callable[[], Path]
    text: str
    speaker: str | None
    language: str
    words: tuple[TimedWord, ...] = ()


def language_of(tag: str, where: str) -> str:
    """Whisper's code for a language as data sets name it: "pt-BR", "en_us", "German".

    Raises:
        ConfigError: Whisper does not know the language.
    """
    first = tag.strip().lower().replace("_", "-").split("-")[0]
    try:
        return language_code(_OTHER_CODES.get(first, first), LANGUAGE_NAMES)
    except UnknownNameError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_lines(path: Path) -> Sequence[str]:
    """The lines of a text file; only line feeds end one, as other marks may be in a text.

    Raises:
        ConfigError: It cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8") from error
    return [line.removesuffix("\r") for line in content.split("\n")]
