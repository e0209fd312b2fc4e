"""Speech with what was said: every form of a set, by the text that names it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ..artifact import sha256
from ..errors import ConfigError
from .commonvoice import find_table, read_common_voice
from .hub_set import PREFIX, read_hub
from .labelled_row import LabelledRow, language_of
from .librispeech import find_transcripts, read_librispeech
from .manifest_set import MANIFEST, read_manifest
from .utterance import SpeechSet, Utterance

BUNDLED = "demo"
FORMS = (
    f"a folder with {MANIFEST}, LibriSpeech's or Common Voice's folders, "
    f"a .jsonl or .tsv file, {PREFIX}NAME, or {BUNDLED}"
)


def load_set(name: str, *, limit: int | None = None, language: str = "en") -> SpeechSet:
    """Read a set of labelled speech.

    Args:
        name: ``demo`` for the recordings that come with the package, ``hf:NAME[:CONFIG][:SPLIT]``
            for one of the hub, or a file or folder in one of the forms that docs/evaluate.md lists.
        limit: Take no more utterances; spread over the speakers, always the same, and a larger
            limit takes those of a smaller one as well.
        language: That is spoken where the set does not say; a code or a name.

    Raises:
        ConfigError: There is no such set, or something in it is wrong; the message says where.
        MissingDependencyError: The library that reads it is not installed.
    """
    rows = _rows(name, language_of(language, "--language"))
    if not rows:
        raise ConfigError(f"{name} holds no utterances")
    _check_ids(rows)
    chosen = rows if limit is None else _spread(rows, limit)
    return SpeechSet(_title(name), tuple(map(_utterance, chosen)))


def _rows(name: str, language: str) -> list[LabelledRow]:
    if name.startswith(PREFIX):
        return read_hub(name.removeprefix(PREFIX), language)
    path = Path(str(files("whisperq_edge.models"))) / "demo" / "recordings"
    if name != BUNDLED:
        path = Path(name).expanduser()
    if path.is_file():
        return _rows_of_file(path, language)
    if not path.is_dir():
        raise ConfigError(f"there is no set '{name}'; a set is {FORMS}")
    if (path / MANIFEST).is_file():
        return read_manifest(path / MANIFEST, language)
    if (table := find_table(path)) is not None:
        return read_common_voice(table)
    if transcripts := find_transcripts(path):
        return read_librispeech(path, transcripts)
    raise ConfigError(f"{path} is no set; a set is {FORMS}")


def _rows_of_file(path: Path, language: str) -> list[LabelledRow]:
    if path.suffix in (".jsonl", ".json"):
        return read_manifest(path, language)
    if path.suffix == ".tsv":
        return read_common_voice(path)
    raise ConfigError(f"{path} is no set; a set is {FORMS}")


def _title(name: str) -> str:
    """What people call it: a hub name as it is, otherwise the file's or the folder's."""
    if name == BUNDLED or name.startswith(PREFIX):
        return name
    path = Path(name).expanduser().absolute()
    return path.parent.name if path.name == MANIFEST else path.name


def _check_ids(rows: Sequence[LabelledRow]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        if row.id in seen:
            raise ConfigError(f"{row.where}: '{row.id}' is there already ({seen[row.id]})")
        seen[row.id] = row.where


def _spread(rows: Sequence[LabelledRow], limit: int) -> list[LabelledRow]:
    """One of each speaker, then a second of each, until there are enough; in the set's order.

    Speakers, and what each of them says, are shuffled by digest: the start of a set is often of one
    kind, and what comes by chance would be another sample in each run.
    """
    of_speaker: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        of_speaker[row.speaker or row.id].append(index)
    ranked: list[tuple[int, str, int]] = []  # which of the speaker's, the speaker, the row
    for speaker, indices in of_speaker.items():
        indices.sort(key=lambda index: _digest(rows[index].id))
        ranked += [(turn, _digest(speaker), index) for turn, index in enumerate(indices)]
    return [rows[index] for index in sorted(index for *_, index in sorted(ranked)[:limit])]


def _utterance(row: LabelledRow) -> Utterance:
    path = row.locate()
    try:
        digest = sha256(path)
    except FileNotFoundError:
        what = "is a link that leads nowhere" if path.is_symlink() else "is missing"
        raise ConfigError(f"{row.where}: {path} {what}") from None
    except OSError as error:
        raise ConfigError(f"{row.where}: {path} cannot be read: {error.strerror}") from error
    return Utterance(
        id=row.id,
        audio=str(path),
        digest=digest,
        text=row.text.strip(),
        speaker=row.speaker or row.id,
        language=row.language,
        words=row.words,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
