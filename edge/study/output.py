"""The folder of a report: pages, tables, pictures and all figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..errors import ConfigError
from ..profiling.whole_file import write_whole
from .csv_files import csv_of
from .html import page
from .latex import latex_of
from .markdown import markdown
from .report import report_of
from .study import Study

FIGURES = "study.json"
PAGE, MARKDOWN = "index.html", "README.md"


def check_output(folder: Path) -> None:
    """Refuse a folder that holds something else; what is in it would be written over.

    Raises:
        ConfigError: It is no folder, or neither empty nor a study's.
    """
    if not folder.exists() or (folder / FIGURES).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise ConfigError(f"{folder} exists and is not a study's; choose another --output")


def write_output(study: Study, folder: Path, remade: str) -> list[Path]:
    """Write all files, each whole or not at all, and last the one that says that all are there.

    Args:
        study: All figures.
        folder: Where; other files in it are left alone.
        remade: The command that makes it.

    Returns:
        What was written.

    Raises:
        MissingDependencyError: The extra ``report`` is not installed.
        WhisperqError: The disk refuses.
    """
    written = []
    for name, content in (*_files(study, remade), (FIGURES, encoded(study))):
        write_whole(content, folder / name)
        written.append(folder / name)
    return written


def encoded(study: Study) -> bytes:
    """All figures as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(study), indent=1) + b"\n"


def read_study(path: Path) -> Study:
    """Read ``study.json``.

    Raises:
        ConfigError: It is none of this release.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Study)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no study of this release: {error}") from None


def is_shown(study: Study, folder: Path, remade: str) -> bool:
    """Whether the folder shows this study already, whenever it was put together."""
    try:
        found = read_study(folder / FIGURES)
    except ConfigError:
        return False
    if msgspec.structs.replace(study, created=found.created) != found:
        return False
    return all((folder / name).is_file() for name in (PAGE, MARKDOWN)) and remade in (
        folder / MARKDOWN
    ).read_text("utf-8")


def _files(study: Study, remade: str) -> Iterator[tuple[str, bytes]]:
    report = report_of(study)
    yield PAGE, page(report, remade).encode()
    yield MARKDOWN, markdown(report, remade).encode()
    for table in report.tables:
        yield f"{table.name}.csv", csv_of(table).encode()
        yield f"{table.name}.tex", latex_of(table).encode()
    for picture in report.pictures:
        yield f"{picture.name}.svg", picture.svg
        yield f"{picture.name}.png", picture.png
