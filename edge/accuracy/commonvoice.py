"""Common Voice as it is unpacked: tables of sentences, and ``clips/`` beside them.

Source: Ardila et al. 2020 (arXiv 1912.06670); https://github.com/common-voice/cv-dataset.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..errors import ConfigError
from .labelled_row import LabelledRow, language_of, read_lines

CLIPS = "clips"
DEFAULT_TABLE = "test.tsv"
COLUMNS = ("client_id", "path", "sentence", "locale")


def find_table(folder: Path) -> Path | None:
    """The table of a folder: the only one, or that of the test split; None if it has no clips.

    Raises:
        ConfigError: There are several, and none is the test split's.
    """
    tables = sorted(folder.glob("*.tsv"))
    if not tables or not (folder / CLIPS).is_dir():
        return None
    if len(tables) == 1:
        return tables[0]
    if folder / DEFAULT_TABLE in tables:
        return folder / DEFAULT_TABLE
    names = ", ".join(table.name for table in tables)
    raise ConfigError(f"{folder} holds several tables ({names}); name one of them")


def read_common_voice(table: Path) -> list[LabelledRow]:
    """The rows of a table.

    Raises:
        ConfigError: It is no such table, or a line is not a row of it; the message names it.
    """
    header, *lines = read_lines(table)
    names = header.split("\t")  # never quoted: a sentence may begin with a quotation mark
    if missing := [name for name in COLUMNS if name not in names]:
        raise ConfigError(f"{table}: line 1 has no column {', '.join(missing)}")
    rows = []
    for number, line in enumerate(lines, start=2):
        if line.strip():
            rows.append(_row(table, f"{table}: line {number}", names, line.split("\t")))
    return rows


def _row(table: Path, where: str, names: list[str], cells: list[str]) -> LabelledRow:
    if len(cells) != len(names):
        raise ConfigError(f"{where}: it has {len(cells)} columns, the first line has {len(names)}")
    row = dict(zip(names, cells, strict=True))
    name = row["path"]
    if not name:
        raise ConfigError(f"{where}: it names no sound file")
    if not Path(name).suffix:
        name += ".mp3"  # as releases before 2019 left it out
    return LabelledRow(
        where=where,
        id=Path(name).stem,
        locate=partial(Path, table.parent.absolute() / CLIPS / name),
        text=row["sentence"],
        speaker=row["client_id"] or None,
        language=language_of(row["locale"], where),
    )
