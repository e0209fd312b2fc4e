"""Records beside each other: ratios worked out by hand, and refusals."""

from __future__ import annotations

import json

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.profiling.comparison import Named, Ratio, compare
from whisperq_edge.edge.profiling.record import Protocol
from whisperq_edge.edge.profiling.record_file import write_record
from whisperq_edge.edge.profiling.summary import Spread
from whisperq_edge.edge.reports.comparison_table import comparison_notes
from whisperq_edge.edge.reports.wording import TIMES

from ..records import (
    CLIPS,
    PROTOCOL_HERE,
    absent,
    configuration,
    errors,
    outcome,
    record,
    stand_in,
)


def beside(*records):
    names = "abcd"
    return compare([Named(names[index], one) for index, one in enumerate(records)])


def measure(comparison, name, row=0):
    (found,) = (one for one in comparison.rows[row].measures if one.measure == name)
    return found


def test_a_ratio_and_what_the_spreads_allow():
    ratio = Ratio.of(Spread(2.0, 1.0, 4.0), Spread(3.0, 2.0, 5.0))
    assert ratio == Ratio(1.5, 0.5, 5.0)
    assert not ratio.is_clear
    assert Ratio.of(Spread(2.0, 1.9, 2.1), Spread(3.0, 2.9, 3.1)).is_clear
    assert Ratio.of(Spread(0.0, 0.0, 0.0), Spread(1.0, 1.0, 1.0)) is None


def test_ratios_are_to_the_first_record():
    found = beside(
        record(outcome(0.2, spread=0.1, peak=100_000_000, errors=errors(40))),
        record(outcome(0.1, spread=0.1, peak=150_000_000, errors=errors(50))),
        record(outcome(0.4, spread=0.0, peak=100_000_000, errors=errors(40))),
    )
    speed = measure(found, "real_time_factor")
    assert speed.values[1] == pytest.approx((0.1, 0.09, 0.11))
    none, half, double = speed.ratios
    assert none is None
    assert (half.median, half.low, half.high) == pytest.approx((0.5, 0.09 / 0.22, 0.11 / 0.18))
    assert (double.median, double.low) == pytest.approx((2.0, 0.4 / 0.22))
    assert measure(found, "peak_bytes").ratios[1].median == 1.5
    assert measure(found, "error_rate").ratios[1].median == pytest.approx(1.25)
    # A pass of 2 s takes 0.4 s, of which 30 % are spent on 20 tokens; one of 10 s five times that.
    assert measure(found, "token_s").values[0].low == pytest.approx(0.9 * 0.3 * 0.4 / 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "protocol.version is 1 and 2"),
        ({"clips": CLIPS[:1]}, "protocol.clips is 2s, 10s and 2s"),
        (
            {"clips": (CLIPS[0], msgspec.structs.replace(CLIPS[1], digest="b" * 64))},
            f"protocol.clips[10s].digest is {'a' * 16} and {'b' * 16}",
        ),
        (
            {"clips": (msgspec.structs.replace(CLIPS[0], duration_s=2.5), CLIPS[1])},
            "protocol.clips[2s].duration_s is 2.0 and 2.5",
        ),
        ({"warm_ups": 0}, "protocol.warm_ups is 1 and 0"),
        ({"repeats": 5}, "protocol.repeats is 3 and 5"),
        ({"cold_starts": 0}, "protocol.cold_starts is 2 and 0"),
        ({"words": None}, f"protocol.words is {'f' * 64} and None"),
        ({"sustain_s": 600.0}, "protocol.sustain_s is 0.0 and 600.0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_unlike_protocols_are_refused_by_the_field(change, message):
    other = msgspec.structs.replace(PROTOCOL_HERE, **change)
    with pytest.raises(ConfigError) as refused:
        beside(record(), record(), record(protocol=other))
    assert str(refused.value).startswith(f"a and c cannot be compared: {message};")


def test_every_field_of_a_protocol_is_compared():
    tested = {"version", "clips", "warm_ups", "repeats", "cold_starts", "words", "sustain_s"}
    assert set(Protocol.__struct_fields__) == tested


def test_what_only_one_has_is_named():
    other = outcome(0.1, configuration("float32"))
    found = beside(record(outcome(), absent(given=other.configuration)), record(outcome(), other))
    assert [row.name for row in found.rows] == ["tiny int8 openvino, 2 threads"]
    assert found.alone == (("tiny float32 openvino, 2 threads", "b"),)
    assert comparison_notes(found) == ["only in b: tiny float32 openvino, 2 threads"]


def test_other_artifacts_and_libraries_are_the_same_configuration_with_a_note():
    other = outcome(given=configuration(digest="b" * 64), tools={"openvino": "2027.0"})
    found = beside(record(), record(other))
    assert found.rows[0].notes == (
        "the artifacts differ",
        "the libraries differ: openvino 2026.4.1 and 2027.0",
    )


def test_doubts_and_labels_are_told():
    doubted = outcome(doubts=("it waited for a processor 31% of the time: other programs ran",))
    found = beside(record(doubted), record(labels=("at -10 °C",)))
    assert found.notes == ("b: at -10 °C",)
    assert found.rows[0].notes == (f"a: {doubted.doubts[0]}",)


@pytest.mark.parametrize(
    "other", [record(stand_in()), record(labels=("emulated: times mean nothing",))]
)
def test_costs_that_are_nobodys_are_not_compared(other):
    given = other.outcomes[0].configuration
    found = beside(record(outcome(given=given)), other)
    for name in ("real_time_factor", "token_s", "load_s", "peak_bytes"):
        compared = measure(found, name)
        assert compared.values[0] and not compared.values[1]
        assert compared.ratios == (None, None)
    assert measure(found, "error_rate").ratios[1].median == 1


@pytest.fixture
def paths(tmp_path):
    records = {
        "before": record(outcome(0.2)),
        "after": record(outcome(0.1)),
        "other": record(protocol=msgspec.structs.replace(PROTOCOL_HERE, repeats=9)),
    }
    for name, one in records.items():
        write_record(one, tmp_path / f"{name}.json")
    return {name: tmp_path / f"{name}.json" for name in records}


def test_the_command_prints_tables(call, paths):
    ended = call("compare", paths["before"], paths["after"])
    assert ended.status == 0
    assert "configuration                  before.json          after.json" in ended.out
    assert f"0.10 (0.095 to 0.10), {TIMES} 0.50 (0.45 to 0.55)" in ended.out


def test_the_command_prints_markdown(call, paths):
    lines = call("compare", "--markdown", paths["before"], paths["after"]).out.splitlines()
    assert lines[:5] == [
        "### Time computed per second of sound",
        "",
        "| configuration | before.json | after.json |",
        "| --- | --- | --- |",
        "| tiny int8 openvino, 2 threads | 0.20 (0.19 to 0.21) | "
        f"0.10 (0.095 to 0.10), {TIMES} 0.50 (0.45 to 0.55) |",
    ]


def test_the_command_prints_json(call, paths):
    found = json.loads(call("compare", "--json", paths["before"], paths["after"]).out)
    assert found["names"] == ["before.json", "after.json"]
    speed = found["rows"][0]["measures"][0]
    assert speed["measure"] == "real_time_factor"
    assert speed["ratios"][1]["median"] == pytest.approx(0.5)


def test_the_command_refuses(call, paths):
    ended = call("compare", paths["before"], paths["other"])
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "error: before.json and other.json cannot be compared: protocol.repeats is 3 and 9; "
        "profile both in the same way\n"
    )
    assert call("compare", paths["before"]).status == 2
    assert call("compare", "--json", "--markdown", paths["before"], paths["after"]).status == 2


def test_files_of_one_name_keep_their_folders(call, tmp_path):
    paths = [tmp_path / name / "profile.json" for name in ("one", "two")]
    for path in paths:
        write_record(record(), path)
    found = json.loads(call("compare", "--json", *paths).out)
    assert found["names"] == [str(path) for path in paths]
