"""The lab's parts: the journal, the table, the path of mixtures, the search, the picture."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ConfigError, MissingDependencyError, WhisperqError
from whisperq_edge.edge.evaluation import listening, teacher
from whisperq_edge.edge.evaluation.lab_journal import Cell, LabJournal, MixPoint, Subject
from whisperq_edge.edge.evaluation.listening import Listener
from whisperq_edge.edge.evaluation.mix_limit import MixLimit
from whisperq_edge.edge.evaluation.mix_search import (
    MixPath,
    MixSearch,
    Step,
    chosen,
    recipe_of,
    steps_of,
)
from whisperq_edge.edge.evaluation.ranking import divergences
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.evaluation.sensitivity import Sensitivity, measure_sensitivity
from whisperq_edge.edge.parity import CurvePoint
from whisperq_edge.edge.reports.heat_map import check_format, save_heat_map
from whisperq_edge.edge.types import AudioContexts, Precision, no_progress
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint

SUBJECT = Subject("a" * 64, "b" * 64)
PRECISIONS = ("int4:32", "int8")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniature")
    return load_checkpoint(write_random_checkpoint(folder, MINIATURE))


@pytest.fixture(scope="module")
def heard(checkpoint):
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    listener = Listener(checkpoint.dimensions, checkpoint.generation, tokenizer)
    exact = prepare(checkpoint, Recipe.of("fp32"))
    shortest = min(bundled_recordings(), key=lambda recording: len(recording.samples))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "OPTIONS", replace(teacher.OPTIONS, sample_len=4))
        return listener.listen(exact, [shortest], AudioContexts(1500))


def cell(matrix, precision="int8", divergence=0.5):
    return Cell(matrix, precision, divergence, 100)


def point(n, *, wer=0.1, divergence=0.01, passed=False):
    return CurvePoint(n, 1000 + n, divergence, 1.0, wer, passed)


# --- the journal


def test_what_was_found_outlives_the_program(tmp_path):
    with LabJournal(tmp_path / "new", SUBJECT) as journal:
        journal.append(cell("a"))
        journal.append(cell("a", "int4:32", 0.7))
        journal.append(MixPoint("m" * 64, point(3)))
    with LabJournal(tmp_path / "new", SUBJECT) as again:
        assert again.cells == {
            ("a", "int8"): cell("a"),
            ("a", "int4:32"): cell("a", "int4:32", 0.7),
        }
        assert again.mixes == {"m" * 64: point(3)}
        assert len(again.path.read_text().splitlines()) == 4


def test_a_torn_line_is_cut_off_and_written_again(tmp_path):
    with LabJournal(tmp_path, SUBJECT) as journal:
        journal.append(cell("a"))
        journal.append(cell("b"))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-9])
    with LabJournal(tmp_path, SUBJECT) as again:
        assert list(again.cells) == [("a", "int8")]
        again.append(cell("b"))
    assert journal.path.read_bytes() == whole


def test_a_torn_first_line_begins_anew(tmp_path):
    with LabJournal(tmp_path, SUBJECT) as journal:
        path = journal.path
    path.write_bytes(path.read_bytes()[:20])
    with LabJournal(tmp_path, SUBJECT) as again:
        again.append(cell("a"))
    with LabJournal(tmp_path, SUBJECT) as third:
        assert list(third.cells) == [("a", "int8")]


@pytest.mark.parametrize("field", Subject.__struct_fields__)
def test_other_contents_have_another_journal(tmp_path, field):
    others = {"rounding": "gptq", "method": 999}
    values = {name: getattr(SUBJECT, name) for name in Subject.__struct_fields__}
    other = Subject(**{**values, field: others.get(field, "c" * 64)})
    assert other.key != SUBJECT.key


def test_two_programs_do_not_write_one_journal(tmp_path):
    with LabJournal(tmp_path, SUBJECT), pytest.raises(ConfigError, match="another program"):
        LabJournal(tmp_path, SUBJECT)


def test_a_damaged_or_foreign_journal_is_not_believed(tmp_path):
    with LabJournal(tmp_path, SUBJECT) as journal:
        path = journal.path
    good = path.read_bytes()
    path.write_bytes(good + b'{"type": "cell", "matrix": 3}\n')
    with pytest.raises(ConfigError, match="damaged"):
        LabJournal(tmp_path, SUBJECT)
    path.write_bytes(good.replace(b"aaaa", b"ffff"))
    with pytest.raises(ConfigError, match="another measurement"):
        LabJournal(tmp_path, SUBJECT)
    (tmp_path / "file").write_text("")
    with pytest.raises(WhisperqError, match="cannot write"):
        LabJournal(tmp_path / "file", SUBJECT)


# --- the table


class Stops(LabJournal):
    """As a kill would: after some figures nothing more is written."""

    left = 5

    def append(self, entry):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().append(entry)


def test_the_table_is_what_divergences_say_and_goes_on_after_a_kill(checkpoint, heard, tmp_path):
    with Stops(tmp_path, SUBJECT) as journal, pytest.raises(KeyboardInterrupt):
        measure_sensitivity(checkpoint, PRECISIONS, heard, journal)
    said = []
    with LabJournal(tmp_path, SUBJECT) as journal:
        assert len(journal.cells) == 5
        table = measure_sensitivity(
            checkpoint, PRECISIONS, heard, journal, progress=lambda *now: said.append(now)
        )
        n_lines = len(journal.path.read_text().splitlines())
    exact = prepare(checkpoint, Recipe.of("fp32"))
    assert said[0] == ("measure the matrices", 5 / (2 * len(exact.matrices)))
    assert said[-1] == ("measure the matrices", 1.0)
    assert n_lines == 1 + 2 * len(exact.matrices)
    assert list(table.losses) == list(exact.matrices)
    for text, stored in zip(PRECISIONS, (Precision("int4", 32), Precision("int8")), strict=True):
        coarse = prepare(checkpoint, Recipe(stored, stored, stored))
        wanted = divergences(exact, coarse, MINIATURE, heard, no_progress)
        found = {name: losses[text] for name, losses in table.losses.items()}
        wanted = {name: max(0.0, loss) for name, loss in wanted.items()}
        assert found == pytest.approx(wanted, abs=1e-9)
        assert table.n_bytes["encoder.0.fc1"][text] == coarse.matrices["encoder.0.fc1"].nbytes


def test_what_is_known_is_not_measured_again(checkpoint, heard, tmp_path):
    names = list(prepare(checkpoint, Recipe.of("fp32")).matrices)
    with LabJournal(tmp_path, SUBJECT) as journal:
        for name in names:
            journal.append(cell(name, "int8", 42.0))
        table = measure_sensitivity(checkpoint, ("int8",), heard, journal)
    assert {losses["int8"] for losses in table.losses.values()} == {42.0}


# --- the path of mixtures


def table_of(**matrices):
    """From name=[(precision, bytes, loss), ...]."""
    return Sensitivity(
        tuple(p for p, _, _ in next(iter(matrices.values()))),
        {name: {p: loss for p, _, loss in row} for name, row in matrices.items()},
        {name: {p: size for p, size, _ in row} for name, row in matrices.items()},
    )


def test_the_path_takes_the_cheapest_gain_first():
    start, steps = steps_of(
        table_of(
            a=[("int4:32", 10, 0.9), ("int8", 20, 0.1), ("fp16", 40, 0.0)],
            b=[("int4:32", 10, 0.3), ("int8", 20, 0.1), ("fp16", 40, 0.0)],
        )
    )
    assert start == {"a": "int4:32", "b": "int4:32"}
    assert [(s.matrix, s.precision) for s in steps] == [
        ("a", "int8"),
        ("b", "int8"),
        ("a", "fp16"),
        ("b", "fp16"),
    ]
    assert steps[0].gain == pytest.approx(0.08)
    path = MixPath(start, steps)
    assert path.mixture(0) == start
    assert path.mixture(2) == {"a": "int8", "b": "int8"}
    assert path.mixture(3) == {"a": "fp16", "b": "int8"}


def test_a_precision_that_is_no_gain_is_passed_over():
    start, steps = steps_of(
        table_of(
            worse=[("int4:32", 10, 0.5), ("int4:64", 9, 0.4), ("int8", 20, 0.1)],
            # int8 saves less a byte than fp16 does from int4: below the line between them.
            bent=[("int4:32", 10, 1.0), ("int8", 20, 0.9), ("fp16", 40, 0.0)],
        )
    )
    assert start == {"worse": "int4:64", "bent": "int4:32"}
    assert sorted((s.matrix, s.precision) for s in steps) == [("bent", "fp16"), ("worse", "int8")]


def test_a_recipe_without_int4_is_not_said_to_be_rounded_by_recordings():
    names = ("encoder.0.fc1", "decoder.0.fc1", "decoder.embedding")
    start = dict.fromkeys(names, "int4:32")
    steps = [Step(name, "int8", 1.0) for name in names]
    path = MixPath(start, steps)
    assert recipe_of(path.mixture(1), "gptq").rounding == "gptq"
    assert recipe_of(path.mixture(1), "nearest").rounding == "nearest"
    assert recipe_of(path.mixture(3), "gptq") == Recipe.of("int8")


# --- the search


class Measures:
    """Says what a mixture would be found to get wrong, by the matrices that are int8 in it."""

    def __init__(self, wer):
        self.wer = wer
        self.asked = []

    def point(self, recipe, n_raises):
        finer = frozenset(name for name in NAMES if recipe.precision(name).name == "int8")
        self.asked.append(finer)
        return point(len(finer), wer=self.wer(finer))


NAMES = [f"encoder.{layer}.fc1" for layer in range(32)]


def by_number(wers):
    """A rate for each number of finer matrices, whichever they are."""
    return lambda finer: wers[len(finer)]


def searched(tmp_path, wer, most=0.1):
    start = {
        **dict.fromkeys(NAMES, "int4:32"),
        "decoder.0.fc1": "int8",
        "decoder.embedding": "int8",
    }
    judge = Measures(wer)
    with LabJournal(tmp_path, SUBJECT) as journal:
        search = MixSearch(judge, journal, MixLimit(max_wer=most).passes(0.05))
        return search.run(MixPath(start, [Step(name, "int8", 1.0) for name in NAMES])), judge


def n_finer(tried):
    return sum(tried.mixture[name] == "int8" for name in NAMES)


@pytest.mark.parametrize("first", [0, 1, 7, 8, 9, 16, 25, 32])
def test_the_search_finds_the_first_that_keeps_the_limit(tmp_path, first):
    tried, judge = searched(tmp_path, by_number([0.2] * first + [0.1] * (33 - first)))
    assert n_finer(chosen(tried, "the limit")) == first
    assert {0, 8, 16, 24, 32} <= {len(finer) for finer in judge.asked}
    assert len(judge.asked) == len(set(judge.asked)) <= 18


def test_a_lucky_mixture_is_not_taken(tmp_path):
    wers = [0.2] * 17 + [0.1] * 16
    wers[8] = 0.05
    tried, _ = searched(tmp_path, by_number(wers))
    assert tried[1].point.passed
    assert n_finer(chosen(tried, "the limit")) == 17


def test_what_a_large_step_makes_needless_is_undone(tmp_path):
    """Nothing helps but the matrix that comes late; then nothing else is needed."""
    tried, _ = searched(tmp_path, lambda finer: 0.1 if NAMES[20] in finer else 0.2)
    taken = chosen(tried, "the limit")
    assert [name for name in NAMES if taken.mixture[name] == "int8"] == [NAMES[20]]


def test_the_search_goes_on_where_it_was(tmp_path):
    wer = by_number([0.2] * 9 + [0.1] * 24)
    before, judge = searched(tmp_path, wer)
    after, again = searched(tmp_path, wer)
    assert judge.asked
    assert not again.asked
    assert after == before
    # Another limit asks for other mixtures, and takes what is known as it is.
    other, third = searched(tmp_path, wer, most=0.3)
    assert not third.asked
    assert n_finer(chosen(other, "it")) == 0


def test_a_limit_that_nothing_keeps_is_refused_with_figures(tmp_path):
    tried, _ = searched(tmp_path, by_number([0.2] * 33))
    with pytest.raises(ConfigError, match=r"not even the finest mixture keeps x.*0\.2000"):
        chosen(tried, "x")


def test_limits():
    assert not MixLimit().is_given
    by_wer = MixLimit(max_wer=0.08).passes(0.5)
    assert by_wer(point(0, wer=0.08))
    assert not by_wer(point(0, wer=0.0801))
    by_rise = MixLimit(wer_increase=0.01).passes(0.07)
    assert by_rise(point(0, wer=0.07 + 0.01))
    assert not by_rise(point(0, wer=0.0801))
    by_loss = MixLimit(max_loss=0.002).passes(0.0)
    assert by_loss(point(0, wer=1.0, divergence=0.002))
    assert not by_loss(point(0, divergence=0.0021))
    as_auto = MixLimit().passes(0.0)
    assert as_auto(point(0, passed=True))
    assert not as_auto(point(0, passed=False))
    for limit in (MixLimit(0.08), MixLimit(wer_increase=0.01), MixLimit(max_loss=0.002)):
        assert limit.is_given
        assert any(number in str(limit) for number in ("0.08", "0.01", "0.002"))


# --- the picture

LOSSES = {
    "encoder.conv1": {"int4:32": 1e-3, "int8": 0.0},
    "encoder.0.fc1": {"int4:32": 2.5e-2, "int8": 3e-5},
    "decoder.0.cross_q": {"int4:32": 1e-4, "int8": 1e-6},
    "decoder.embedding": {"int4:32": 1.0, "int8": 1e-9},
}


def test_a_heat_map_has_every_figure_as_text(tmp_path):
    pytest.importorskip("matplotlib")
    save_heat_map(tmp_path / "heat.svg", LOSSES, "a $title$ & more")
    text = (tmp_path / "heat.svg").read_text()
    for losses in LOSSES.values():
        for loss in losses.values():
            assert f">{loss:.1e}<" in text
    for word in ("encoder 0", "decoder", "fc1", "cross_q", "embedding", "int4:32", "int8", "nats"):
        assert f">{word}" in text or word in text, word
    save_heat_map(tmp_path / "again.svg", LOSSES, "a $title$ & more")
    assert (tmp_path / "again.svg").read_text() == text
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.svg", "heat.svg"]


def test_a_heat_map_can_be_a_picture_of_points(tmp_path):
    pytest.importorskip("matplotlib")
    save_heat_map(tmp_path / "heat.PNG", LOSSES, "title")
    assert (tmp_path / "heat.PNG").read_bytes().startswith(b"\x89PNG")
    alike = {name: {"int8": 0.0} for name in LOSSES}
    save_heat_map(tmp_path / "flat.png", alike, "nothing is lost")


def test_a_heat_map_that_cannot_be_drawn_is_refused_early(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        check_format(tmp_path / "heat.pdf")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"whisperq-edge\[report\]"):
        check_format(tmp_path / "heat.svg")


def test_a_heat_map_is_written_whole_or_not_at_all(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "heat.svg").mkdir()
    with pytest.raises(WhisperqError, match="cannot write"):
        save_heat_map(tmp_path / "heat.svg", LOSSES, "title")
    assert [entry.name for entry in tmp_path.iterdir()] == ["heat.svg"]


def test_figures_in_the_journal_are_plain_json(tmp_path):
    with LabJournal(tmp_path, SUBJECT) as journal:
        journal.append(cell("a"))
    first, second = map(json.loads, journal.path.read_text().splitlines())
    assert first["checkpoint"] == "a" * 64
    assert second["divergence"] == 0.5
