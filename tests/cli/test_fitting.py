"""A table is no wider than its terminal, and what is left out of it or moved is never a name."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.cli.fitting import fitting, on_lines
from lumbre.words import LANGUAGES, say

MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
CELL = st.text("abcdefgh", min_size=1, max_size=18)


def test_a_table_that_fits_stays_a_table() -> None:
    told = fitting(["A", "B"], [["1", "2"]], droppable=(1,), width=10)
    assert told.splitlines() == ["A  B", "1  2"]


def test_columns_go_in_their_order_until_the_rest_fits() -> None:
    heads, row = ["A", "B", "C"], ["one", "two", "three"]
    assert fitting(heads, [row], droppable=(1, 2), width=10).splitlines() == [
        "A    C",
        "one  three",
    ]
    assert fitting(heads, [row], droppable=(1, 2), width=9).splitlines() == ["A", "one"]


def test_a_table_that_cannot_fit_becomes_a_line_and_what_belongs_to_it() -> None:
    told = fitting(["MODEL", "FROM"], [[MODEL, "a folder"]], width=30)
    assert told.splitlines() == [MODEL, "  a folder"]


def test_nothing_is_left_out_where_no_terminal_is() -> None:
    cells = [MODEL * 3, "secondary", "x"]
    assert all(cell in fitting(["A", "B", "C"], [cells], droppable=(2, 1)) for cell in cells)
    assert "\n" not in on_lines("word " * 100, indent=2, further=4, width=None)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5), width=st.integers(24, 60)
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    told = fitting(["A", "B", "C"], rows, droppable=(2,), width=width)
    assert max(map(len, told.splitlines())) <= width
    assert all(first in told for first, *_ in rows)


def test_what_runs_is_told_within_eighty_columns() -> None:
    """`ps`, with a long id and large figures, in every language."""
    for language in LANGUAGES:
        row = [MODEL, "lightweight", say("cli.ps.stopping", language), "gpu0", "12,5 GB"]
        row.append("12,5 GB")
        row += ["1", "12 345 s", "4194303"]
        heads = say("cli.ps.columns", language).split("|")
        told = fitting(heads, [row], droppable=(8, 6, 1, 5, 3), width=80)
        assert max(map(len, told.splitlines())) <= 80
        assert row[4] in told
