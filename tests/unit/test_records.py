"""Records on the disk: written whole, read back in every schema, refused in one clear line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError, WhisperqError
from whisperq_edge.edge.profiling import record_file
from whisperq_edge.edge.profiling.comparison import Named
from whisperq_edge.edge.profiling.merge import merge
from whisperq_edge.edge.profiling.record import SCHEMA
from whisperq_edge.edge.profiling.record_file import read_record, write_record
from whisperq_edge.edge.profiling.summary import error_rate, peak_bytes, real_time_factor

from ..records import (
    BOARD,
    PROTOCOL_HERE,
    absent,
    configuration,
    errors,
    many,
    outcome,
    record,
)

# Written by write_record when the schema was new, and never changed since: a file that has to be
# changed for this program to read it is one that its users cannot read any more.
GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "records").glob("schema-*.json"))


EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.json"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.json"


def test_a_record_comes_back_as_it_was(path):
    written = many()
    write_record(written, path)
    assert read_record(path) == written
    assert [one.name for one in path.parent.iterdir()] == ["record.json"]


def test_a_folder_is_made(tmp_path):
    write_record(record(), tmp_path / "new" / "folder" / "record.json")
    assert read_record(tmp_path / "new" / "folder" / "record.json") == record()


def test_a_failed_write_leaves_the_old_record(path, monkeypatch):
    write_record(record(), path)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("whisperq_edge.edge.profiling.whole_file.os.fsync", fail)
    with pytest.raises(WhisperqError, match=r"record\.json: No space left on device"):
        write_record(many(), path)
    monkeypatch.undo()
    assert read_record(path) == record()
    assert [one.name for one in path.parent.iterdir()] == ["record.json"]


def test_whoever_has_the_old_record_open_keeps_it(path, tmp_path):
    write_record(record(), path)
    (tmp_path / "old.json").hardlink_to(path)
    write_record(many(), path)
    assert read_record(tmp_path / "old.json") == record()


def test_a_record_can_be_read_by_others(path):
    write_record(record(), path)
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    assert json.loads(path.read_text())["schema"] == SCHEMA


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_old_schemas_stay_readable(golden, path):
    found = read_record(golden)
    assert found.schema == SCHEMA
    assert found.outcomes
    write_record(found, path)
    assert read_record(path) == found


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_lose_nothing(golden):
    """Of this schema, every value; a default that slips in for one would be a loss."""
    written = json.loads(golden.read_text())
    if written["schema"] == SCHEMA:
        assert json.loads(msgspec.json.encode(read_record(golden))) == written


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_what_they_are_called(example):
    found = read_record(example)
    assert found.outcomes
    is_emulated = example.stem.startswith("emulated")
    assert is_emulated == any(label.startswith("emulated") for label in found.labels)
    page = example.with_suffix(".html").read_text()
    assert ("No advice" in page) == is_emulated


def test_the_first_schema_means_what_it_meant():
    full, bare = (
        read_record(GOLDEN[0].with_name(f"schema-1{name}.json")) for name in ("", "-bare")
    )
    first, second = full.outcomes
    assert full.labels == ("made by hand for a test",)
    assert [clip.duration_s for clip in full.protocol.clips] == [2.0, 10.0]
    assert (full.board.device_id, full.board.cores[0].count) == ("raspberry-pi-5", 4)
    assert first.configuration.name == "tiny int8 openvino, 2 threads"
    assert real_time_factor(first, full.protocol) == pytest.approx((0.2, 0.19, 0.21))
    assert (peak_bytes(first), error_rate(first)) == (118_000_000, 0.041)
    assert (first.energy.joules, len(first.sustained)) == ({"VDD_IN": 108.0}, 20)
    assert (second.status, second.reason) == ("skipped", "the budget of 3 minutes was spent")
    empty = bare.outcomes[0]
    assert (empty.starts, empty.memory, empty.errors, empty.energy) == ((), None, None, None)
    assert (bare.board.model, bare.protocol.words) == (None, None)


def test_every_schema_has_a_golden_file_and_a_way_on():
    assert {int(path.stem.split("-")[1]) for path in GOLDEN} == set(range(1, SCHEMA + 1))
    assert set(record_file.MIGRATIONS) == set(range(1, SCHEMA))


def test_migrations_are_taken_one_after_the_other(path, monkeypatch):
    write_record(record(), path)
    raw = json.loads(path.read_text())
    raw["releases"] = raw.pop("package")
    path.write_text(json.dumps(raw))
    monkeypatch.setattr(record_file, "SCHEMA", 3)
    steps = {
        1: lambda raw: {**raw, "release": raw["releases"], "releases": None},
        2: lambda raw: {
            **{key: value for key, value in raw.items() if key not in ("release", "releases")},
            "package": raw["release"],
        },
    }
    monkeypatch.setattr(record_file, "MIGRATIONS", steps)
    assert read_record(path) == record(schema=3)


def damaged(change):
    raw = json.loads(msgspec.json.encode(record()))
    change(raw)
    return json.dumps(raw)


def _set(*keys, to):
    def change(raw):
        *where, last = keys
        for key in where:
            raw = raw[key]
        raw[last] = to

    return change


def _drop(*keys):
    def change(raw):
        *where, last = keys
        for key in where:
            raw = raw[key]
        del raw[last]

    return change


PASS = ("outcomes", 0, "passes", 2)
DAMAGE = {
    "not JSON": ("{", "is not JSON, or only a part of it"),
    "not text": ("\udcff", "is not JSON"),
    "another JSON": ('{"a": 1}', "is not a record of the profiler: $.schema is missing"),
    "a list": ("[]", "is not a record of the profiler"),
    "no number": (damaged(_set("schema", to="1")), "$.schema: '1' is not the number of a schema"),
    "truth": (damaged(_set("schema", to=True)), "$.schema: True is not the number of a schema"),
    "newer": (damaged(_set("schema", to=SCHEMA + 1)), f"has schema {SCHEMA + 1}, and this program"),
    "a field too many": (damaged(_set("board", "colour", to=1)), "unknown field `colour`"),
    "a field too few": (damaged(_drop("board", "machine")), "$.board: Object missing required"),
    "a wrong type": (
        damaged(_set(*PASS, "stages", "encode", "wall_s", to="x")),
        "$.outcomes[0].passes[2].stages[...].wall_s: Expected `float`, got `str`",
    ),
    "an unknown phase": (damaged(_set(*PASS, "phase", to="hot")), "$.outcomes[0].passes[2].phase"),
    "an unknown clip": (
        damaged(_set(*PASS, "clip", to="7s")),
        "$.outcomes[0].passes[2].clip: '7s' is no clip of the protocol",
    ),
    "no total": (damaged(_drop(*PASS, "stages", "total")), "passes[2].stages.total: is missing"),
    "no decode": (damaged(_drop(*PASS, "stages", "decode")), "passes[2].stages.decode: is missing"),
    "negative": (
        damaged(_set(*PASS, "stages", "encode", "wall_s", to=-1.0)),
        "passes[2].stages.encode: is less than nothing",
    ),
    "no reason": (damaged(_set("outcomes", 0, "status", to="failed")), "$.outcomes[0].reason: is"),
    "no peaks": (damaged(_set("outcomes", 0, "memory", "peaks", to={})), "memory.peaks: is empty"),
    "no length": (
        damaged(_set("protocol", "clips", 1, "duration_s", to=0.0)),
        "$.protocol.clips[1].duration_s: 0.0 is no length",
    ),
    "no date": (damaged(_set("created", to="yesterday")), "$.created: 'yesterday' is not a time"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line_with_the_file_and_the_field(path, kind):
    text, message = DAMAGE[kind]
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError) as refused:
        read_record(path)
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(path):
    with pytest.raises(ConfigError, match=r"record\.json cannot be read: No such file"):
        read_record(path)


EARLY, LATE = {"created": "2026-11-28T08:00:00Z"}, {"created": "2026-11-28T09:00:00Z"}


def test_merging_keeps_the_order_of_measuring():
    one = record(outcome(0.2, configuration("int8")), **LATE)
    other = record(outcome(0.3, configuration("float32")), **EARLY)
    joined, replaced = merge([Named("one", one), Named("other", other)])
    assert joined.outcomes == (*other.outcomes, *one.outcomes)
    assert joined.created == LATE["created"]
    assert replaced == []


def test_of_two_measurements_the_later_stays_as_it_is():
    early, late = record(outcome(0.2), **EARLY), record(outcome(0.3), **LATE)
    for given in ([Named("a", early), Named("b", late)], [Named("b", late), Named("a", early)]):
        joined, (replaced,) = merge(given)
        assert joined.outcomes == late.outcomes
        assert (replaced.kept, replaced.dropped) == ("b", "a")


def test_what_failed_never_replaces_what_was_measured():
    given = configuration()
    early = record(outcome(0.2, given), **EARLY)
    late = record(absent("failed", "killed by SIGKILL", given), **LATE)
    joined, (replaced,) = merge([Named("a", early), Named("b", late)])
    assert joined.outcomes == early.outcomes
    assert (replaced.kept, replaced.dropped) == ("a", "b")
    joined, _ = merge([Named("b", late), Named("a", record(outcome(0.2, given), **LATE))])
    assert joined.outcomes == early.outcomes


def test_another_artifact_is_another_configuration():
    one, other = configuration(), configuration(digest="b" * 64)
    joined, replaced = merge(
        [Named("a", record(outcome(0.2, one))), Named("b", record(outcome(0.2, other), **LATE))]
    )
    assert len(joined.outcomes) == 2
    assert not replaced


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("board.model", {"board": msgspec.structs.replace(BOARD, model="Raspberry Pi 4")}),
        ("board.governor", {"board": msgspec.structs.replace(BOARD, governor="performance")}),
        ("board.memory_bytes", {"board": msgspec.structs.replace(BOARD, memory_bytes=4 * 10**9)}),
        ("package", {"package": "0.2.0"}),
        ("labels", {"labels": ("emulated: times mean nothing",)}),
        ("protocol.repeats", {"protocol": msgspec.structs.replace(PROTOCOL_HERE, repeats=5)}),
    ],
)
def test_unlike_records_are_not_merged(field, other):
    with pytest.raises(ConfigError, match=rf"^a and b cannot be merged: {field} is "):
        merge([Named("a", record()), Named("b", record(**other))])


def test_memory_may_differ_a_little_from_one_start_to_the_next():
    board = msgspec.structs.replace(BOARD, memory_bytes=BOARD.memory_bytes - 40_000)
    joined, _ = merge([Named("a", record()), Named("b", record(absent(), board=board))])
    assert len(joined.outcomes) == 2


def test_merge_stands_beneath_profile(call, tmp_path):
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path, given in zip(paths, (EARLY, LATE), strict=True):
        write_record(record(outcome(errors=errors(50)), **given), path)
    ended = call("profile", "merge", *paths, "--output", tmp_path / "c.json")
    assert (ended.status, ended.out) == (0, "")
    assert read_record(tmp_path / "c.json") == read_record(paths[1])
    assert ended.err == (
        "tiny int8 openvino, 2 threads: kept that of b.json, left out that of a.json\n"
        f"1 configuration in {tmp_path / 'c.json'}\n"
    )


def test_profile_itself_needs_no_name(call):
    """The group takes what names no command of its own for the profiler's options."""
    assert "--sustain" in call("profile", "--help").out
    assert "--output" in call("profile", "merge", "--help").out
    assert "RECORD" not in call("profile", "--help").out
