"""Captions: what a reader in front of a terminal sees."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from whisperq_edge.edge.cli.captions import Captions
from whisperq_edge.edge.cli.event_output import JsonLines, UtteranceLines
from whisperq_edge.edge.cli.screen import Screen
from whisperq_edge.edge.streaming.events import Event
from whisperq_edge.tests.terminal_screen import TerminalScreen


class Terminal:
    """Captions in a terminal of a given width."""

    def __init__(self, width=30, height=10):
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=width, height=height, force_terminal=True)
        self.captions = Captions(Screen(), self.console)
        self.screen = TerminalScreen(width)

    def resize(self, width):
        self.console.width = width
        self.screen.resize(width)

    @property
    def shown(self):
        self.screen.feed(self.file.getvalue())
        self.file.seek(0)
        self.file.truncate()
        return self.screen


def event(kind, text):
    return Event(kind, text, (), 0.0, 1.0, 1.0, 1.0)


def show(terminal, *events):
    for kind, text in events:
        terminal.captions.show(event(kind, text))
    return terminal.shown


def test_committed_text_is_solid_and_partial_text_dim():
    shown = show(Terminal(), ("committed", " may i have"), ("partial", " a coff"))
    assert shown.lines == ["may i have a coff"]
    assert shown.dim == " a coff"


def test_a_partial_replaces_the_one_before():
    terminal = Terminal()
    assert show(terminal, ("partial", " may i have a coffin")).lines == ["may i have a coffin"]
    assert show(terminal, ("partial", " may")).lines == ["may"]
    assert show(terminal, ("partial", "")).lines == [""]


def test_what_is_committed_of_a_partial_is_not_shown_twice():
    terminal = Terminal()
    shown = show(terminal, ("partial", " may i have a"), ("committed", " may i"))
    assert (shown.lines, shown.dim) == (["may i have a"], " have a")
    shown = show(terminal, ("committed", " had"))
    assert (shown.lines, shown.dim) == (["may i had"], "")


def test_long_text_is_wrapped_and_drawn_over_itself():
    terminal = Terminal(width=12)
    show(terminal, ("committed", " one two three"), ("partial", " four"))
    shown = show(terminal, ("committed", " four five six"), ("partial", " seven"))
    assert shown.lines == ["one two", "three four", "five six", "seven"]
    assert shown.dim.strip() == "seven"


def test_an_utterance_becomes_a_paragraph_of_its_own():
    terminal = Terminal()
    first = (("committed", " stop"), ("partial", " go"), ("endpoint", " stop"))
    shown = show(terminal, *first, ("committed", " left"), ("partial", " no"))
    assert shown.lines == ["stop", "left no"]
    assert shown.dim == " no"


def test_an_empty_utterance_leaves_no_line():
    shown = show(Terminal(), ("partial", " a"), ("partial", ""), ("endpoint", ""))
    assert shown.lines == [""]


@pytest.mark.parametrize("width", [10, 17, 60])
def test_a_window_may_change_its_width(width):
    terminal = Terminal(width=30)
    show(terminal, ("committed", " zero"), ("endpoint", " zero"))
    show(terminal, ("committed", " one two three four five six seven eight nine ten eleven"))
    terminal.resize(width)
    shown = show(terminal, ("committed", " twelve"))
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert shown.lines[0] == "zero"
    assert " ".join(shown.lines[1:]) == text
    assert max(map(len, shown.lines)) < width


def test_a_paragraph_may_be_longer_than_the_window():
    terminal = Terminal(width=10, height=4)
    words = [f"word{number}" for number in range(10)]
    for word, later in zip(words, [*words[1:], "end"], strict=True):
        show(terminal, ("committed", f" {word}"), ("partial", f" {later} and more of it"))
        # Nothing above the window can be drawn again.
        assert len(terminal.captions._drawn) < 4
    shown = show(terminal, ("endpoint", ""))
    assert shown.lines == [*words, ""]
    assert shown.dim.strip() == ""


def test_wide_letters_count_double():
    shown = show(Terminal(width=9), ("committed", "你好世界你好世界"), ("committed", "你"))
    assert shown.lines == ["你好世界", "你好世界", "你"]


def test_notes_stand_above_the_paragraph(capsys):
    terminal = Terminal(width=12)
    show(terminal, ("committed", " one two three"))
    terminal.captions.note("1.6 s behind the sound")
    terminal.shown  # noqa: B018 (takes what was written)
    assert capsys.readouterr().err == "1.6 s behind the sound\n"
    assert show(terminal, ("committed", " four")).lines == ["one two", "three four"]


def test_closing_keeps_what_is_committed_alone():
    terminal = Terminal()
    show(terminal, ("committed", " one"), ("partial", " two"))
    terminal.captions.close()
    terminal.captions.close()
    assert terminal.shown.lines == ["one", ""]


def test_a_model_cannot_control_the_terminal():
    assert show(Terminal(), ("committed", " a\x1b[2Jb\nc\a")).lines == ["a [2Jb c"]


def test_without_colours_partial_text_is_still_dim():
    file = io.StringIO()  # NO_COLOR is set for every test
    captions = Captions(Screen(), Console(file=file, width=30, force_terminal=True))
    captions.show(event("partial", " go"))
    assert "\x1b[2mgo\x1b[0m" in file.getvalue()


def test_a_pipe_gets_a_line_for_each_utterance(capsys):
    lines = UtteranceLines(Screen())
    for text in (" may i", " have"):
        lines.show(event("partial", " may"))
        lines.show(event("committed", text))
    assert capsys.readouterr().out == ""
    lines.show(event("endpoint", " may i have"))
    assert capsys.readouterr().out == "may i have\n"
    lines.show(event("endpoint", ""))
    lines.show(event("committed", " stop"))
    lines.close()
    lines.close()
    assert capsys.readouterr().out == "stop\n"


def test_json_is_one_event_per_line(capsys):
    lines = JsonLines(Screen())
    lines.show(event("partial", " a\nb"))
    assert capsys.readouterr().out == (
        '{"kind":"partial","text":" a\\nb","words":[],"start":0.0,"end":1.0,"audio_time":1.0,'
        '"emission_time":1.0}\n'
    )
