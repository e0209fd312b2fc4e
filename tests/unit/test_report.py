"""What a record says: the advice with its doubts, the tables, and what no report may do."""

from __future__ import annotations

import csv
import html.parser
import io
import subprocess
import sys

import msgspec
import pytest

from whisperq_edge.edge.profiling.comparison import Named
from whisperq_edge.edge.profiling.record_file import write_record
from whisperq_edge.edge.profiling.summary import Spread
from whisperq_edge.edge.reports import wording
from whisperq_edge.edge.reports.csv_table import csv_table
from whisperq_edge.edge.reports.markdown import markdown
from whisperq_edge.edge.reports.pareto import pareto_front
from whisperq_edge.edge.reports.rows import rows_of
from whisperq_edge.edge.reports.verdict import verdict

from ..records import (
    BOARD,
    PROTOCOL_HERE,
    absent,
    configuration,
    energy,
    errors,
    many,
    one_pass,
    outcome,
    record,
    stand_in,
    sustained,
)


def judged(*outcomes, **more):
    one = record(*outcomes, **more)
    return verdict(one, rows_of(one))


def of(target, speed, wrong=41, **more):
    """A configuration of this target, with so many words wrong of a thousand."""
    given = configuration(target=target)
    return outcome(speed, given, **{"errors": errors(wrong), **more})


def test_the_advice_is_one_sentence_with_its_figures():
    found = judged(of("openvino", 0.21), of("onnx", 0.4))
    assert found.sentence == (
        "Use tiny int8 openvino with 2 threads: 0.21 of real time, 118 MB, 4.1 % words wrong."
    )
    assert found.doubts == ()


def test_fewer_words_wrong_come_before_speed():
    assert judged(of("onnx", 0.1, 62), of("openvino", 0.5, 41)).row.number == 2


def test_words_that_cannot_tell_two_apart_leave_it_to_speed():
    # One standard error of 4.1 % of 1000 words is 0.63 %: 4.7 % is within it, and 4.8 % is not.
    assert judged(of("onnx", 0.1, 47), of("openvino", 0.5, 41)).row.number == 1
    assert judged(of("onnx", 0.1, 48), of("openvino", 0.5, 41)).row.number == 2


def test_what_does_not_keep_up_loses_to_what_does():
    accurate = of("openvino", 0.98, 20)  # its slowest round takes 1.03
    assert judged(accurate, of("onnx", 0.4, 60)).row.number == 2


def test_where_nothing_keeps_up_that_is_said():
    found = judged(of("openvino", 3.0), of("onnx", 2.0))
    assert found.row.number == 2
    assert found.doubts[0] == (
        "It does not keep up with live sound: its slowest round took 2.10 of real time."
    )


def test_the_slowest_round_counts():
    steady, wild = of("onnx", 0.2, spread=0.01), of("openvino", 0.19, spread=0.3)
    found = judged(steady, wild)
    assert found.row.number == 1
    assert found.doubts == ("No clear difference in speed from tiny int8 openvino with 2 threads.",)


def test_of_many_equals_some_are_named():
    names = ("onnx", "openvino", "tflite", "coreml", "qualcomm")
    (doubt,) = judged(*(of(name, 0.2) for name in names)).doubts
    assert doubt.endswith("tiny int8 coreml with 2 threads and 1 more.")


def test_only_those_as_good_in_words_are_equals():
    # One standard error of 4.1 % of 1000 words is 0.63 %.
    (doubt,) = judged(of("onnx", 0.2), of("openvino", 0.2, 47, peak=120_000_000)).doubts
    assert doubt == "No clear difference in speed from tiny int8 openvino with 2 threads."
    assert judged(of("onnx", 0.2), of("openvino", 0.2, 48)).doubts == ()


def test_of_equal_speeds_less_memory_wins():
    assert judged(of("onnx", 0.2, peak=120_000_000), of("openvino", 0.2)).row.number == 2


def test_doubts_are_told():
    found = judged(of("openvino", 0.2, doubts=("the clock fell from 2400 to 1500 MHz",)))
    assert found.doubts == ("Its figures are doubtful: the clock fell from 2400 to 1500 MHz.",)


def test_few_words_and_none_are_told():
    assert judged(of("onnx", 0.2, errors=errors(4, 99))).doubts == (
        "Words wrong are of 99 words only.",
    )
    found = judged(of("onnx", 0.2, errors=None))
    assert found.sentence == "Use tiny int8 onnx with 2 threads: 0.20 of real time, 118 MB."
    assert found.doubts == ("Words were not counted: nothing here says how good the text is.",)


def test_a_stand_in_is_never_advised():
    found = judged(stand_in(), of("onnx", 0.2), absent())
    assert found.row.number == 2
    assert found.doubts == ("Left out: 1 skipped, 1 run by a stand-in.",)
    alone = judged(stand_in())
    assert alone.row is None
    assert alone.sentence == "No advice: only stand-ins ran here, and their times are nobody's."


def test_uncounted_words_lose_to_counted_ones():
    found = judged(of("onnx", 0.1, errors=None), of("openvino", 0.2))
    assert found.row.number == 2
    assert found.doubts == ("Left out: 1 without counted words.",)


def test_an_emulated_processor_gives_no_advice():
    found = judged(of("onnx", 0.2), labels=("emulated: times mean nothing",))
    assert found.row is None
    assert "emulated" in found.sentence
    assert not any(character.isdigit() for character in found.sentence)


def test_costs_of_nobody_are_in_no_row():
    emulated = record(outcome(energy=energy()), labels=("emulated: times mean nothing",))
    for one in (emulated, record(stand_in())):
        (row,) = rows_of(one)
        costs = (row.real_time_factor, row.token_s, row.load_s, row.cold_s, row.peak_bytes)
        assert costs == (None,) * 5
        assert (row.stages, row.energy_j, row.memory, row.waited) == ({}, {}, None, None)
        assert row.error_rate == 0.041


def test_nothing_measured_gives_no_advice():
    found = judged(absent(), absent("failed", "killed by SIGKILL", configuration()))
    assert found.sentence == "No advice: none of 2 configurations was measured."
    empty = msgspec.structs.replace(record(), outcomes=())
    assert verdict(empty, rows_of(empty)).sentence == "No advice: nothing was measured."


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 1)], [0]),
        ([(1, 3), (2, 2), (3, 1)], [0, 1, 2]),
        ([(1, 1), (1, 2), (2, 1), (2, 2)], [0]),
        ([(1, 1), (1, 1)], [0, 1]),
        ([(3, 1), (1, 3), (2, 4), (2, 2)], [1, 3, 0]),
    ],
)
def test_the_front_is_what_nothing_beats_in_both(points, front):
    assert pareto_front(points) == front


def test_figures_of_a_row():
    (row,) = rows_of(record(outcome(0.2, energy=energy())))
    assert row.real_time_factor == pytest.approx((0.2, 0.19, 0.21))
    assert dict(row.totals)["10s"] == pytest.approx((2.0, 1.9, 2.1))
    assert row.load_s == pytest.approx((0.65, 0.4, 0.9))
    # Python, then the artifact, then the first clip, at twice the time of later ones.
    assert row.cold_s == pytest.approx((2.05, 0.6 + 0.4 + 0.8, 0.6 + 0.9 + 0.8))
    assert row.energy_j == {"VDD_IN": 3.0}


def test_stages_are_of_one_pass_and_add_up():
    """Medians of stages would be of several passes, and their sum of none."""
    passes = [one_pass("10s", total) for total in (5.0, 1.0, 2.0, 9.0)]
    (row,) = rows_of(record(outcome(passes=tuple(passes))))
    assert sum(row.stages.values()) == pytest.approx(2.0)
    assert row.stages["encode"] == pytest.approx(1.2)


def test_configurations_of_one_name_are_told_apart():
    one, other = (outcome(given=configuration(digest=letter * 64)) for letter in "ab")
    assert [row.name for row in rows_of(record(one, other))] == [
        "tiny int8 openvino, 2 threads [aaaaaaaa]",
        "tiny int8 openvino, 2 threads [bbbbbbbb]",
    ]


def test_numbers_are_never_powers_of_ten():
    texts = [wording.number(value) for value in (0, 0.000123, 0.2, 1, 12, 123, 12345.6)]
    assert texts == ["0", "0.00012", "0.20", "1.0", "12", "120", "12000"]
    assert wording.megabytes(1_234_567_890) == "1230 MB"
    assert wording.seconds(Spread(0.0123, 0, 0)) == "12.3 ms"
    assert wording.spread(Spread(2, 2, 2)) == "2.0"


def test_markdown_has_the_advice_and_every_configuration():
    one = many()
    text = markdown([Named("many.json", one)])
    assert text.startswith("## Raspberry Pi 5 Model B Rev 1.0\n\n**Use tiny int8 openvino with 4")
    table = [
        line for line in text.splitlines() if line.startswith(tuple(f"| {n}" for n in range(10)))
    ]
    names = [row.name.replace("[", "&#91;").replace("]", "&#93;") for row in rows_of(one)]
    assert [line.split(" | ")[1] for line in table] == names
    assert all(line.count(" | ") == 7 for line in table)
    assert "waited for a processor 31 % of the time" in text


def test_markdown_takes_nothing_for_markup():
    evil = msgspec.structs.replace(BOARD, model="a|b *c* <img src=x>\n# d [e](f)")
    heading = markdown([Named("x", record(board=evil))]).splitlines()[0]
    assert not set("|*<>[]\n") & set(heading)


def test_csv_has_a_line_for_each_configuration():
    text = csv_table([Named("many.json", many()), Named("one.json", record(outcome(0.25)))])
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(many().outcomes) + 1
    last = lines[-1]
    assert (last["record"], last["target"], last["threads"]) == ("one.json", "openvino", "2")
    assert float(last["real_time_factor"]) == 0.25
    assert float(last["total_s[10s]_high"]) == pytest.approx(2.625)
    assert (last["peak_bytes"], last["word_error_rate"]) == ("118000000", "0.041")
    assert (last["energy_j_per_s[VDD_IN]"], last["hottest_c_after"]) == ("", "48.2")
    (skipped,) = (line for line in lines if line["status"] == "skipped")
    assert skipped["reason"] == "the budget of 3 minutes was spent"
    assert skipped["real_time_factor"] == ""


@pytest.mark.parametrize("start", "=+-@")
def test_a_spreadsheet_computes_nothing_from_csv(start):
    given = configuration(model=f"{start}1+1")
    (line,) = csv.DictReader(io.StringIO(csv_table([Named("x", record(outcome(given=given)))])))
    assert line["model"] == f"'{start}1+1"


class Reader(html.parser.HTMLParser):
    """What a page is made of: its elements, text, and identifiers."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.addresses, self.names = [], [], [], [], []
        self.text = self.drawn = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.names += [given["aria-label"]] if "aria-label" in given else []
        self.addresses += [value for name, value in given.items() if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "svg" in self.open:
            self.drawn += data


@pytest.fixture(scope="module")
def page():
    pytest.importorskip("matplotlib", reason="a report as HTML needs matplotlib")
    pytest.importorskip("jinja2", reason="a report as HTML needs Jinja2")
    from whisperq_edge.edge.reports.html import page

    return page


def test_the_page_is_whole_and_asks_for_nothing(page):
    text = page([Named("many.json", many()), Named("one.json", record())])
    read = Reader(text)
    assert len(read.ids) == len(set(read.ids))
    assert not {"script", "img", "iframe"} & set(read.tags)
    assert all(one.startswith(("#", "data:")) for one in read.addresses)
    assert read.tags.count("figure") == read.tags.count("svg") == 4 + 3
    assert "#0102" not in text  # a colour that stands for a role


def test_the_page_says_what_a_record_says(page):
    text = Reader(page([Named("many.json", many())])).text
    for expected in (
        "Use tiny int8 openvino with 4 threads",
        "Nothing beats those on the line in both",
        "skipped: the budget of 3 minutes was spent",
        "Cortex-A76",
        "passes that count",
        "Kept busy: tiny int8 openvino, 4 threads",
        "ondemand",
        "VDD_IN: 3.0 J",
    ):
        assert expected in text, expected


def test_the_page_shows_labels_first(page):
    text = Reader(page([Named("x", record(labels=("emulated: times mean nothing",)))])).text
    assert text.index("emulated: times mean nothing") < text.index("No advice")
    assert "Where the time goes" not in text


def test_the_page_compares_only_what_can_be(page):
    both = page([Named("a", record()), Named("b", record(outcome(0.1)))])
    assert f"{wording.TIMES} 0.50" in Reader(both).text
    other = record(protocol=msgspec.structs.replace(PROTOCOL_HERE, repeats=9))
    text = Reader(page([Named("a", record()), Named("b", other)])).text
    assert "a and b cannot be compared: protocol.repeats is 3 and 9" in text
    assert wording.TIMES not in text.split("How was measured")[0]


@pytest.mark.parametrize(
    "one",
    [
        record(absent()),
        record(stand_in()),
        record(outcome(errors=None, memory=None, starts=(), before=None, after=None)),
        record(outcome(passes=())),
        record(outcome(sustained=sustained(1)[:1])),
        msgspec.structs.replace(record(), outcomes=()),
        record(
            outcome(passes=()),
            protocol=msgspec.structs.replace(PROTOCOL_HERE, clips=()),
            board=msgspec.structs.replace(BOARD, model=None, cores=(), memory_bytes=None),
        ),
    ],
    ids=["skipped", "stand-in", "bare", "no passes", "one moment", "empty", "nothing known"],
)
def test_what_is_missing_breaks_no_report(page, one):
    named = [Named("x", one)]
    Reader(page(named))
    assert markdown(named)
    assert csv_table(named)


def test_names_are_text_in_every_part(page):
    name = '<script>$x$"</script>'  # as short as a bar can name it whole
    one = record(
        outcome(given=configuration(model=name), doubts=(name,), sustained=sustained(1)),
        board=msgspec.structs.replace(BOARD, model=name),
        labels=(name,),
    )
    read = Reader(page([Named(name, one)]))
    assert "script" not in read.tags
    assert read.text.count(name) > 5
    assert read.drawn.count(f"{name} int8") == 2  # the bars of stages and of memory
    assert any(f"Speed over time of {name}" in one for one in read.names)


def test_the_page_is_the_same_each_time(page):
    assert page([Named("x", many())]) == page([Named("x", many())])


@pytest.fixture
def path(tmp_path):
    write_record(many(), tmp_path / "many.json")
    return tmp_path / "many.json"


def test_the_command_writes_what_is_asked_for(call, path, tmp_path, page):
    ended = call(
        "report", path, "--html", tmp_path / "r.html", "--markdown", tmp_path / "r.md", "--csv", "-"
    )
    assert ended.status == 0
    assert ended.out == csv_table([Named("many.json", many())])
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "r.md").read_text().startswith("## Raspberry Pi 5")
    assert ended.err == f"wrote {tmp_path / 'r.html'}\nwrote {tmp_path / 'r.md'}\n"


def test_the_command_prints_the_advice(call, path):
    ended = call("report", path)
    lines = ended.out.splitlines()
    assert lines[0] == "Raspberry Pi 5 Model B Rev 1.0 (many.json)"
    assert lines[1].startswith("Use tiny int8 openvino with 4 threads")
    assert sum("openvino" in line for line in lines[2:]) >= 9


def test_only_one_report_goes_to_stdout(call, path):
    ended = call("report", path, "--csv", "-", "--markdown", "-")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: only one of the reports can go to stdout\n"


def test_a_missing_library_is_named_with_its_extra(path, tmp_path):
    """And only the page needs it."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from whisperq_edge.edge.cli import main\n"
        "main(sys.argv[1:])"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
        )

    refused = run("report", path, "--html", tmp_path / "r.html")
    assert refused.returncode == 3
    assert refused.stderr == (
        "error: a report as HTML needs matplotlib, which is not installed; "
        "run: pip install 'whisperq-edge[report]'\n"
    )
    assert not (tmp_path / "r.html").exists()
    assert run("report", path, "--markdown", "-").returncode == 0
