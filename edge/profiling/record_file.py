"""Records as files: JSON with a schema number, which stays readable when the schema moves on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigError
from .record import SCHEMA, Outcome, Record
from .whole_file import write_whole

# From each schema to the next, over the decoded JSON. A step is never changed once it is released:
# tests/golden/records holds files of every schema that has been.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def encode_record(record: Record) -> bytes:
    """The record as indented JSON, for people who look into it and for tools that show changes."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def write_record(record: Record, path: Path) -> None:
    """Write a record, whole or not at all.

    Args:
        record: What to write.
        path: The file; its folder is made if it is missing.

    Raises:
        WhisperqError: The disk refuses.
    """
    write_whole(encode_record(record), path)


def read_record(path: Path) -> Record:
    """Read a record of this schema or of an older one.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read, is no record, is damaged, or is newer than this program.
            The message names the file and the field.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not JSON, or only a part of it: {error}") from None
    current = _migrated(raw, path)
    try:
        record = msgspec.convert(current, Record)
    except msgspec.ValidationError as error:
        message, _, field = str(error).partition(" - at ")
        raise ConfigError(f"{path}: {field.strip('`') or '$'}: {message}") from None
    for field, complaint in _contradictions(record):
        raise ConfigError(f"{path}: {field}: {complaint}")
    return record


def _migrated(raw: object, path: Path) -> dict[str, Any]:
    """The decoded JSON as the current schema has it."""
    if not isinstance(raw, dict) or "schema" not in raw:
        raise ConfigError(f"{path} is not a record of the profiler: $.schema is missing")
    schema = raw["schema"]
    if type(schema) is not int or schema < 1:
        raise ConfigError(f"{path}: $.schema: {schema!r} is not the number of a schema")
    if schema > SCHEMA:
        raise ConfigError(
            f"{path} has schema {schema}, and this program knows {SCHEMA}; "
            "run: pip install --upgrade whisperq-edge"
        )
    for step in range(schema, SCHEMA):
        raw = {**MIGRATIONS[step](raw), "schema": step + 1}
    return raw


def _contradictions(record: Record) -> Iterator[tuple[str, str]]:
    """What the types allow and the figures would stumble over: the field, and what is wrong."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)", record.created):
        yield "$.created", f"{record.created!r} is not a time in UTC"
    for index, clip in enumerate(record.protocol.clips):
        if clip.duration_s <= 0:
            yield f"$.protocol.clips[{index}].duration_s", f"{clip.duration_s} is no length"
    clips = {clip.name for clip in record.protocol.clips}
    for index, outcome in enumerate(record.outcomes):
        for field, complaint in _outcome_contradictions(outcome, clips):
            yield f"$.outcomes[{index}].{field}", complaint


def _outcome_contradictions(outcome: Outcome, clips: set[str]) -> Iterator[tuple[str, str]]:
    if outcome.status != "measured" and not outcome.reason:
        yield "reason", f"is missing, and the status is {outcome.status!r}"
    for index, one in enumerate(outcome.passes):
        field = f"passes[{index}]"
        if one.clip not in clips:
            yield f"{field}.clip", f"{one.clip!r} is no clip of the protocol"
        for stage in ("total", *(("decode",) if one.n_tokens else ())):
            if stage not in one.stages:
                yield f"{field}.stages.{stage}", "is missing"
        for stage, took in one.stages.items():
            if stage != "other" and min(took.wall_s, took.cpu_s) < 0:
                yield f"{field}.stages.{stage}", "is less than nothing"
    if outcome.memory and not outcome.memory.peaks:
        yield "memory.peaks", "is empty"
