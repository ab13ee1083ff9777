"""Rows of a plan in columns; in a terminal too narrow for those, each figure after its name."""

from collections.abc import Sequence

from lumbre.cli.render import columns, folded
from lumbre.words import Language, say

NOTHING = "-"
TIED = "\N{NO-BREAK SPACE}"
"""Stands for a blank at which a line must not end."""


def laid_out(
    rows: Sequence[Sequence[str]], language: Language, width: int
) -> Sequence[Sequence[str]]:
    """Lines for each row. The first row names the columns, the first cell of the others a device.

    Where the columns are too wide, the row of names is left out but for its first cell.
    """
    in_columns = columns(rows, right=range(1, len(rows[0])))
    if max(map(len, in_columns)) <= width:
        return [[line] for line in in_columns]
    labels = rows[0]
    head = [labels[0]] if labels[0] else []
    return [head, *(_one_by_one(labels, row, language, width) for row in rows[1:])]


def side_by_side(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Columns without names; too wide ones become folded rows."""
    in_columns = columns(rows)
    if max(map(len, in_columns), default=0) <= width:
        return in_columns
    folds = (
        folded("  ".join((*row[:-1], tied(row[-1], width - 4))).strip(), width, 2, further=4)
        for row in rows
    )
    return untied([line for lines in folds for line in lines])


def tied(text: str, width: int) -> str:
    """The text so that no line ends within it, where a line can hold it."""
    return text.replace(" ", TIED) if len(text) <= width else text


def untied(lines: Sequence[str]) -> list[str]:
    """The lines with their blanks back."""
    return [line.replace(TIED, " ") for line in lines]


def _one_by_one(
    labels: Sequence[str], row: Sequence[str], language: Language, width: int
) -> list[str]:
    device, *cells = row
    figures = [
        (label, cell)
        for label, cell in zip(labels[1:], cells, strict=True)
        if cell not in ("", NOTHING)
    ]
    if len(figures) == 1:
        told = figures[0][1]
    else:
        told = ", ".join(
            tied(say("plan_view.cell", language, label=label, value=cell), width - 4)
            for label, cell in figures
        )
    return untied(folded(f"{device.strip()}  {told}", width, 2, further=4))
