"""How lumbre looks in a terminal: plain columns, and one line that moves while work goes on.

Not a terminal: no moving line and no colour, so that output can be read by anything.
"""

import json
import os
import re
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Container, Sequence
from types import TracebackType
from typing import Self

_QUIET_S = 0.3
"""Work shorter than this shows nothing: a line that flashes says nothing."""

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""C0, DEL and C1: what a terminal obeys. Line break and tab are not among them."""


def visible(text: str) -> str:
    """The text with nothing in it that a terminal obeys, wherever it came from."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def as_json(value: object, indent: int | None = 2) -> str:
    """For scripts. Letters as they are where the output is UTF-8, else as escapes."""
    takes_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    told = json.dumps(value, ensure_ascii=not takes_all, indent=indent)
    return re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", told)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, two spaces apart."""
    return "\n".join(columns([header, *rows]))


def columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """A line for each row, its cells in columns two spaces apart; `right` ones end together."""
    everything = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, cells)) for cells in zip(*everything, strict=True)]
    return [
        "  ".join(
            _padded(cell, width, to_the_right=number in right)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in everything
    ]


def folded(text: str, width: int, indent: int, further: int | None = None) -> list[str]:
    """A text on lines of at most `width`; those after the first stand further in."""
    lines = textwrap.wrap(
        visible(text),
        max(width, 20),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if further is None else further),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]


def wrapped(text: str, indent: int) -> str:
    """A text on lines that fit the terminal, its own line breaks gone."""
    width = min(100, shutil.get_terminal_size().columns)
    space = " " * indent
    lines = textwrap.fill(
        text,
        width,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return visible(lines)


def beside(text: str) -> None:
    """Print on standard error; in a terminal, lines that would be cut are broken at words."""
    lines = visible(text).split("\n")
    if sys.stderr.isatty():
        try:
            here = os.get_terminal_size(sys.stderr.fileno())
        except OSError:
            here = os.terminal_size((80, 24))
        width = shutil.get_terminal_size(here).columns
        lines = [part for line in lines for part in _at_words(line, width)]
    print("\n".join(lines), file=sys.stderr, flush=True)


def _at_words(line: str, width: int) -> list[str]:
    if width_of(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip(" "))
    return folded(line[indent:], width, indent, indent + 2)


class Moving:
    """One line on standard error that is written over until the work is done.

    In a terminal only. As a context manager it leaves nothing behind.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        self._enabled = sys.stderr.isatty() if enabled is None else enabled
        self._begun = time.monotonic()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Say what goes on now, cut to the terminal's width."""
        if self._enabled and time.monotonic() - self._begun > _QUIET_S:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[2K{_cut(visible(text), width)}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._shown = False


def bar(share: float, width: int = 24) -> str:
    """How much is done, as a bar."""
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "░" * (width - full)


def width_of(text: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _padded(text: str, width: int, *, to_the_right: bool) -> str:
    blanks = " " * (width - width_of(text))
    return blanks + text if to_the_right else text + blanks


def _cut(text: str, width: int) -> str:
    return text if width_of(text) <= width else text[: max(0, width - 1)] + "…"
