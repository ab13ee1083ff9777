"""Lines made of pieces with a style each: what `lumbre top` shows, before any terminal.

Pure: the same pieces become colours in a terminal and plain text in a file.
"""

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from lumbre.cli.render import visible, width_of

_GAP = 2
_CUT = "…"


class Piece(NamedTuple):
    """A text, and what it is; see `lumbre.cli.live` for how that looks."""

    text: str
    style: str = ""


Line = tuple[Piece, ...]
BLANK: Line = ()


def plain(line: Line) -> str:
    """Without its styles."""
    return "".join(piece.text for piece in line)


def wide(line: Line) -> int:
    """Columns of a terminal it takes."""
    return width_of(plain(line))


def cut(text: str, width: int) -> str:
    """A text on one line, in at most `width` columns; where something is missing, it says so."""
    text = "".join(c if c.isprintable() else " " for c in visible(text))
    if width_of(text) <= width:
        return text
    while text and width_of(text) >= width:
        text = text[:-1]
    return f"{text}{_CUT}" if width > 0 else ""


def cropped(line: Line, width: int) -> Line:
    """A line in at most `width` columns."""
    kept: list[Piece] = []
    for piece in line:
        left = width - wide(tuple(kept))
        text = cut(piece.text, left)
        if text:
            kept.append(Piece(text, piece.style))
        if text != piece.text:
            break
    return tuple(kept)


def between(left: Line, right: Line, width: int) -> Line:
    """One text at each end; where they do not fit beside each other, the left one alone."""
    blanks = width - wide(left) - wide(right)
    if blanks < _GAP:
        return cropped(left, width)
    return (*left, Piece(" " * blanks), *right)


def packed(pieces: Iterable[Line], width: int, indent: int) -> list[Line]:
    """As many of them on a line as it holds whole."""
    lines: list[Line] = []
    for one in pieces:
        if lines and wide(lines[-1]) + _GAP + wide(one) <= width:
            lines[-1] = (*lines[-1], Piece(" " * _GAP), *one)
        else:
            lines.append((Piece(" " * indent), *one))
    return [cropped(line, width) for line in lines]


def tabled(
    rows: Sequence[Sequence[Line]],
    width: int,
    *,
    droppable: Sequence[int],
    right: Container[int],
    least: int,
) -> list[Line]:
    """Rows in columns, the first one cut where it has to be.

    While the first column would be left with fewer than `least`, `droppable` columns go.
    """
    kept = list(range(len(rows[0])))
    gone = list(droppable)
    while True:
        widths = {number: max(wide(row[number]) for row in rows) for number in kept}
        others = sum(widths[number] + _GAP for number in kept[1:])
        if not gone or width - others >= min(least, widths[0]):
            break
        lost = gone.pop(0)
        kept = [number for number in kept if number != lost]
    widths[0] = max(0, min(widths[0], width - others))
    lines = []
    for row in rows:
        line = _filled(cropped(row[0], widths[0]), widths[0])
        for number in kept[1:]:
            blank = Piece(" " * (widths[number] - wide(row[number])))
            cell = (blank, *row[number]) if number in right else (*row[number], blank)
            line = (*line, Piece(" " * _GAP), *cell)
        lines.append(cropped(line, width))
    return lines


def aligned(rows: Sequence[Sequence[Line]], width: int, right: Container[int] = ()) -> list[Line]:
    """Rows in columns that all stay; what is too long is cut at its end."""
    widths = [max(map(wide, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line: Line = ()
        for number, (cell, most) in enumerate(zip(row, widths, strict=True)):
            is_open = number + 1 == len(row) and number not in right
            blank = Piece("" if is_open else " " * (most - wide(cell)))
            gap = (Piece(" " * _GAP),) if number else ()
            line = (*line, *gap, *((blank, *cell) if number in right else (*cell, blank)))
        lines.append(cropped(line, width))
    return lines


def _filled(line: Line, width: int) -> Line:
    return (*line, Piece(" " * (width - wide(line))))
