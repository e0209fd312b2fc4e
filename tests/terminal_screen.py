"""What a terminal shows of the bytes that a program wrote, as far as captions need it."""

from __future__ import annotations

import re

CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
DIM = "2"


class TerminalScreen:
    """A terminal that wraps nothing by itself in time: captions have to do that.

    Attributes:
        width: In columns.
        rows: What is shown, each letter with whether it is dim.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[list[tuple[str, bool]]] = [[]]
        self._row = self._column = 0
        self._dim = False

    def feed(self, text: str) -> None:
        """Take what a program writes."""
        while text:
            if code := CODE.match(text):
                self._obey(code[2], code[1])
                text = text[code.end() :]
                continue
            letter, text = text[0], text[1:]
            if letter == "\n":
                self._go_down()
            elif letter == "\r":
                self._column = 0
            else:
                assert letter.isprintable(), repr(letter)
                self._put(letter)

    def resize(self, width: int) -> None:
        """Another width: longer rows flow on in the next one, as in most terminals."""
        self.width = width
        rows: list[list[tuple[str, bool]]] = []
        for number, row in enumerate(self.rows):
            parts = [row[start : start + width] for start in range(0, len(row), width)] or [[]]
            rows += parts
            if number == self._row:
                self._row, self._column = len(rows) - 1, len(parts[-1])
        self.rows = rows

    @property
    def lines(self) -> list[str]:
        """The text of each row."""
        return ["".join(letter for letter, _ in row).rstrip() for row in self.rows]

    @property
    def dim(self) -> str:
        """All dim letters."""
        return "".join(letter for row in self.rows for letter, dim in row if dim)

    def _put(self, letter: str) -> None:
        if self._column == self.width:
            self._go_down()
        row = self.rows[self._row]
        row += [(" ", False)] * (self._column - len(row))
        row[self._column : self._column + 1] = [(letter, self._dim)]
        self._column += 1

    def _go_down(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self.rows):
            self.rows.append([])

    def _obey(self, command: str, numbers: str) -> None:
        if command == "A":
            assert int(numbers or 1) <= self._row, "above the first row"
            self._row -= int(numbers or 1)
        elif command == "K":
            del self.rows[self._row][self._column :]
        elif command == "J":
            del self.rows[self._row][self._column :]
            del self.rows[self._row + 1 :]
        elif command == "m":
            self._dim = DIM in numbers.split(";")
        else:
            raise AssertionError(f"unknown code {numbers}{command}")
