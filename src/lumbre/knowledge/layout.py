"""Write paragraphs, list items and table rows down as one text.

Paragraphs stand apart by an empty line, items and rows by a line end; a row is one line,
"| a | b |", so that what belongs together stays together when the text is cut.
"""

from collections import deque
from itertools import islice
from typing import Self

_LONGEST_CELL = 200
"""Code points; more of it is a text laid out with a table, not a cell of data."""


class Layout:
    """A text under construction."""

    def __init__(self) -> None:
        self._parts: deque[tuple[str, bool]] = deque()
        """Each with whether an empty line comes before it."""
        self._next_is_apart = False
        self._has_rows = False

    def add(self, text: str, *, apart: bool) -> None:
        """A block; `apart`: with an empty line before and after it. Blank ones leave no trace."""
        if text.strip():
            self._parts.append((text, apart or self._next_is_apart))
            self._next_is_apart = apart

    def add_row(self, cells: list[Self]) -> None:
        """A table row; one that only arranges long texts side by side becomes those texts."""
        if len(cells) == 1 or any(cell.is_long() for cell in cells):
            for cell in cells:
                self._take(cell, apart=len(cells) > 1)
            return
        flat = [" ".join(cell.text().split()) for cell in cells]
        if any(flat):
            self.add(f"| {' | '.join(flat)} |", apart=False)
            self._has_rows = True

    def _take(self, cell: Self, *, apart: bool) -> None:
        """The cell's blocks after ours. The fewer are moved: tables may lie in tables in tables."""
        if not cell._parts:
            return
        text, _ = cell._parts.popleft()
        cell._parts.appendleft((text, apart or self._next_is_apart))
        if len(self._parts) < len(cell._parts):
            cell._parts.extendleft(reversed(self._parts))
            self._parts = cell._parts
        else:
            self._parts.extend(cell._parts)
        self._next_is_apart = apart or cell._next_is_apart
        self._has_rows |= cell._has_rows

    def close(self) -> None:
        """The next block stands apart from what is here."""
        self._next_is_apart = True

    def is_long(self) -> bool:
        """Whether this is more than a cell of a table holds."""
        return (
            self._has_rows or sum(len(text) for text, _ in islice(self._parts, 50)) > _LONGEST_CELL
        )

    def text(self) -> str:
        """All of it, without a line end after the last line."""
        pieces: list[str] = []
        for text, apart in self._parts:
            if pieces:
                pieces.append("\n\n" if apart else "\n")
            pieces.append(text)
        return "".join(pieces)
