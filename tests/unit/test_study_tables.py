"""The tables of a study, and how each writer puts them down."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from whisperq_edge.edge.study.csv_files import csv_of
from whisperq_edge.edge.study.figure import Figure, exact, printed
from whisperq_edge.edge.study.format_table import format_table, precision_label
from whisperq_edge.edge.study.latex import escaped, latex_of
from whisperq_edge.edge.study.markdown import markdown
from whisperq_edge.edge.study.notes import facts_of, notes_of
from whisperq_edge.edge.study.published import published
from whisperq_edge.edge.study.quality_table import quality_table
from whisperq_edge.edge.study.report import report_of
from whisperq_edge.edge.study.stage_table import stage_table
from whisperq_edge.edge.study.table import Column, Table, shown
from whisperq_edge.edge.study.variant_table import variant_table

from ..studies import CONFIG, artifact, study, times

SMALL = Table(
    "table-9",
    "50 % of A & B",
    (
        Column("what", "name"),
        Column("wrong, %", "word_error_rate", "percent"),
        Column("published, MB", "published_size_bytes", "MB", is_published=True),
        Column("of it", "ratio", "ratio"),
    ),
    [
        ("int8 (q8_0)", Figure(0.0412, 0.0331, 0.0504), printed(141.11e6), exact(0.55)),
        ("=int4", Figure(0.05), None, Figure(1.07, 0.965, 1.18)),
    ],
    ("A note about $5_000.",),
)
CSV = """\
name,word_error_rate,word_error_rate_low,word_error_rate_high,published_size_bytes,\
ratio,ratio_low,ratio_high
int8 (q8_0),0.0412,0.0331,0.0504,141110000.0,0.55,0.55,0.55
'=int4,0.05,,,,1.07,0.965,1.18
"""
LATEX = r"""% \usepackage{booktabs,graphicx}
\begin{table*}
\centering
\caption{50 \% of A \& B}
\label{tab:table-9}
\resizebox{\textwidth}{!}{%
\begin{tabular}{lrrr}
\toprule
what & wrong, \% & published, MB & of it \\
\midrule
int8 (q8\_0) & 4.12 (3.31 to 5.04) & 141.11 & $\times$ 0.550 \\
=int4 & 5.00 & -- & $\times$ 1.07 (0.965 to 1.18) \\
\bottomrule
\end{tabular}}
\\[2pt]\footnotesize A note about \$5\_000.
\end{table*}
"""


def test_csv_is_exact():
    assert csv_of(SMALL) == CSV


def test_latex_is_exact():
    assert latex_of(SMALL) == LATEX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\b", r"a\textbackslash{}b"),
        ("100 % & $5 #1 a_b {c} ~ ^", r"100 \% \& \$5 \#1 a\_b \{c\} \textasciitilde{} "
         r"\textasciicircum{}"),
        ("<a> [b]", r"\textless{}a\textgreater{} {[}b{]}"),
        ("\N{EN DASH} \N{MINUS SIGN} \N{MULTIPLICATION SIGN}", r"-- $-$ $\times$"),
        ('said "so" and "so"', "said ``so'' and ``so''"),
        ("two\nlines", "two lines"),
    ],
)  # fmt: skip
def test_latex_takes_text_for_nothing_else(text, expected):
    assert escaped(text) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ms", Figure(0.00205, 0.002, 0.0021), "2.05 (2.00 to 2.10)"),
        ("s", exact(10.64), "10.6"),
        ("s", printed(10.64), "10.64"),
        ("ms", printed(8.61249), "8612.49"),
        ("percent", exact(0.0), "0.00"),
        ("text", "onnx", "onnx"),
        ("percent", None, "\N{EN DASH}"),
    ],
)
def test_values_as_people_read_them(kind, value, expected):
    assert shown(Column("t", "k", kind), value) == expected


@pytest.mark.parametrize(
    ("n", "low", "high"), [(1, 1, 1), (5, 1, 5), (7, 1, 7), (10, 2, 9), (20, 5, 16)]
)
def test_the_median_lies_between_two_of_the_passes(n, low, high):
    """Ranks of order statistics that enclose a median with 97.5 %, by the binomial distribution."""
    found = Figure.median([float(value) for value in range(n, 0, -1)])
    assert (found.low, found.high) == (low, high)
    assert found.value == (n + 1) / 2


def test_a_ratio_goes_as_far_as_both_intervals_allow():
    ratio = Figure(2.0, 1.8, 2.2).over(Figure(4.0, 3.6, 4.4))
    assert ratio == Figure(0.5, 1.8 / 4.4, 2.2 / 3.6)
    assert Figure(2.0).over(Figure(4.0, 3.6, 4.4)) == Figure(0.5)
    assert Figure(2.0).over(exact(0.0)) is None


def cell(table, row, key):
    return row[[column.key for column in table.columns].index(key)]


def test_the_published_figures_are_those_of_the_paper():
    """Copied here a second time, so that a slip in the file is seen."""
    source = published()
    assert source.source == "arXiv 2503.09905"
    assert [(f.word_error_rate, f.size_mib, f.latency_s) for f in source.formats] == [
        (0.0199, 141.11, 10.64),
        (0.0199, 52.75, 11.11),
        (0.0159, 44.33, 10.55),
        (0.0199, 77.99, 9.02),
    ]
    totals = {run.name: (run.encode, run.decode, run.total) for run in source.runs}
    assert totals == {
        "GPU, standard": (4604.79, 226.40, 6786.58),
        "GPU, quantized": (5934.99, 9.75, 7414.24),
        "CPU, standard": (6468.15, 12.56, 8033.38),
        "CPU, quantized": (8612.49, 11.16, 10380.28),
    }


def test_table_iii_has_ours_and_theirs():
    one = study()
    table = format_table(one)
    assert len(table.rows) == len(one.formats)
    int8 = next(row for row, f in zip(table.rows, one.formats, strict=True) if f == artifact())
    assert cell(table, int8, "size_ratio") == exact(0.55)
    assert cell(table, int8, "word_error_rate").value == pytest.approx(0.041)
    assert cell(table, int8, "published_word_error_rate").value == 0.0199
    assert cell(table, int8, "latency_s") == Figure(0.2, 0.19, pytest.approx(0.21))
    assert cell(table, int8, "latency_ratio").value == pytest.approx(2 / 3)
    base = next(
        row for row, f in zip(table.rows, one.formats, strict=True) if f.precision == "fp16"
    )
    assert cell(table, base, "published_latency_s").value == 10.64  # it is the unquantized one
    assert cell(table, base, "latency_ratio") == exact(1.0)


def test_a_random_checkpoint_has_no_words_and_the_latency_of_a_window():
    one = study()
    table = format_table(one)
    rows = [row for row, f in zip(table.rows, one.formats, strict=True) if "random" in f.checkpoint]
    assert rows
    assert all(cell(table, row, "word_error_rate") is None for row in rows)
    assert all(cell(table, row, "latency_s") is not None for row in rows)
    assert any("Random checkpoints have no words" in note for note in table.notes)
    assert not any("random" in row[0] for row in quality_table(one).rows)


def test_table_ii_has_every_configuration_and_the_studys_columns():
    one = study()
    table = stage_table(one)
    ours, theirs = table.rows[: len(one.times)], table.rows[len(one.times) :]
    assert len(theirs) == 4
    assert shown(table.columns[5], cell(table, theirs[2], "encode_s")) == "6468.15"
    first = ours[0]
    assert cell(table, first, "encode_s").value == pytest.approx(0.6 * 0.3)
    load, total = cell(table, first, "load_s"), cell(table, first, "total_s")
    assert total.value == pytest.approx(load.value + 0.3)


def test_a_stand_in_has_no_times():
    stand_in = artifact("int8", "coreml", stand_in=True)
    one = study(formats=(stand_in,), times=(), accuracies=())
    assert len(stage_table(one).rows) == 4  # the study's own
    table = format_table(one)
    assert cell(table, table.rows[0], "latency_s") is None
    assert any(note.startswith("coreml was run by") for note in notes_of(one))


def test_a_step_that_a_runtime_has_not_is_left_out():
    one = artifact()
    given = times(one, 0.3)
    passes = tuple(msgspec.structs.replace(each, batched=None) for each in given.passes)
    found = study(formats=(one,), times=(msgspec.structs.replace(given, passes=passes),))
    table = stage_table(found)
    assert cell(table, table.rows[0], "batched_s") is None
    assert cell(table, table.rows[0], "decode_s") is not None


def test_table_i_says_once_why_a_column_is_empty():
    table = quality_table(study())
    assert table.is_empty("name_errors") and not table.is_empty("word_error_rate[noisy]")
    about = [note for note in table.notes if "names wrong" in note]
    assert about == [
        '"names wrong, %" is empty: the references do not tell names: they have no capitals.'
    ]


def test_variants_are_rows_with_the_difference():
    table = variant_table(study())
    streamed = [row for row in table.rows if "streaming" in cell(table, row, "variant")]
    assert len(streamed) * 2 == len(table.rows)
    assert all(cell(table, row, "word_error_rate_more").value == 0.01 for row in streamed)


def test_labels_say_what_is_stored_and_what_stands_in():
    assert precision_label(artifact()) == "int8 (q8_0)"
    assert precision_label(artifact("int8", "onnx", instead_of=("int5",))) == "int8, for int5 too"


def test_notes_are_honest():
    notes = " ".join(notes_of(study()))
    for part in (
        "9.5 million parameters",
        "nothing of official checkpoints",
        "weights drawn by chance",
        "900 words",
        "30 speakers",
        "onnx has no int5; int8 stands in",
        "demo int8 qualcomm is missing: onnxruntime-qnn is not installed",
    ):
        assert part in notes
    few = msgspec.structs.replace(CONFIG, repeats=3)
    assert "Times rest on 3 passes" in " ".join(notes_of(study(few)))
    doubtful = times(artifact(), 0.3, doubts=("throttled",))
    assert "demo int8 ggml, 1 thread: throttled." in notes_of(study(times=(doubtful,)))


def test_facts_name_machine_and_versions():
    facts = dict(facts_of(study()))
    assert facts["instructions for 8-bit products"] == "asimddp"
    assert facts["libraries"] == "ggml 1.0, jiwer 4.0, onnx 1.0"
    assert "licence cc-by-4.0" in facts["demo"]


def test_markdown_has_everything():
    one = study()
    text = markdown(report_of(one, draws=False), "whisperq-edge study --config studies/x.toml")
    assert text.startswith("# A made-up study\n")
    assert "`whisperq-edge study --config studies/x.toml`" in text
    for heading in ("Table I: ", "Table II: ", "Table III: ", "Plain, streaming", "Which findings"):
        assert f"## {heading}" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) > 1
    assert "q8_0" not in text and "q8&#95;0" in text


def test_csv_can_be_read_back():
    rows = list(csv.DictReader(io.StringIO(csv_of(format_table(study())))))
    first = rows[0]
    assert float(first["word_error_rate_low"]) == pytest.approx(0.03)
    assert float(first["published_size_bytes"]) == pytest.approx(141.11 * 2**20)
    assert first["size_bytes"] == "20000000"


def test_a_study_of_random_checkpoints_alone_has_sizes_and_times():
    config = msgspec.structs.replace(CONFIG, checkpoints=("random:base",), sets=())
    one = study(config, accuracies=(), pairs=(), sets=())
    report = report_of(one, draws=False)
    assert [table.name for table in report.tables] == ["table-2", "table-3"]
