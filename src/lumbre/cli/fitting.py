"""Tables and lines that fit the terminal they are shown in; what is piped stays one line each."""

import shutil
import sys
from collections.abc import Sequence

from lumbre.cli.render import columns, folded, visible


def fitting(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    droppable: Sequence[int] = (),
    width: int | None = None,
) -> str:
    """A table no wider than the terminal, as far as names allow.

    Where it is too wide, `droppable` columns go one after the other, then each row becomes
    its first cell and the others on lines below it. `width`: None means any.
    """
    kept = list(range(len(header)))
    for gone in (None, *droppable):
        kept = [number for number in kept if number != gone]
        lines = columns([[row[number] for number in kept] for row in (header, *rows)])
        if width is None or max(map(len, lines)) <= width:
            return "\n".join(lines)
    blocks = []
    for first, *others in rows:
        blocks += [visible(first), *folded(", ".join(filter(None, others)), width or 0, 2)]
    return "\n".join(blocks)


def on_lines(text: str, *, indent: int, further: int, width: int | None) -> str:
    """A text broken between words where it is wider than the terminal; None: never."""
    if width is None:
        return " " * indent + visible(text)
    return "\n".join(folded(text, width, indent, further))


def terminal_width() -> int | None:
    """Columns of the terminal that output goes to; None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
