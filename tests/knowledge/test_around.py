"""What is shown around a place holds the place, and no more than a person wants to read."""

from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.around import around

LINES = "\n".join(f"Line {number} of a text that has no pages." for number in range(200))


def test_a_place_on_a_page_is_shown_with_its_page() -> None:
    parsed = Parsed("one\ntwo\nthree", (Span(0, 4), Span(4, 8), Span(8, 13)))
    assert around(parsed, Span(5, 6)) == Span(4, 8)


def test_a_place_across_pages_is_shown_with_both() -> None:
    parsed = Parsed("one\ntwo\nthree", (Span(0, 4), Span(4, 8), Span(8, 13)))
    assert around(parsed, Span(2, 8)) == Span(0, 8)


def test_without_pages_whole_lines_are_shown() -> None:
    start = LINES.index("Line 100")
    shown = around(Parsed(LINES), Span(start, start + 8))
    text = LINES[shown.start : shown.end]
    assert text.startswith("Line ")
    assert text.endswith("no pages.")
    assert 1200 < len(text) < 1400


@given(st.text("ab \n", max_size=6000), st.integers(0, 6000), st.integers(0, 300))
def test_the_place_is_always_in_what_is_shown(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    place = Span(start, min(len(text), start + length))
    shown = around(Parsed(text), place)
    assert 0 <= shown.start <= place.start
    assert place.end <= shown.end <= len(text)
    assert shown.end - shown.start <= (place.end - place.start) + 2 * 1200
