"""Choose how much of a document to show around a place in it."""

from lumbre.core.document import Parsed, Span

_BEFORE = 600
_AFTER = 600
"""Code points around a place where the document has no pages; to the ends of their lines."""


def around(parsed: Parsed, place: Span) -> Span:
    """The pages a place stands on, or some lines before and after it."""
    text = parsed.text
    if parsed.pages:
        first, last = parsed.page_of(place.start), parsed.page_of(max(place.start, place.end - 1))
        assert first
        assert last
        return Span(parsed.pages[first - 1].start, parsed.pages[last - 1].end)
    start = text.rfind("\n", 0, max(0, place.start - _BEFORE)) + 1
    end = text.find("\n", min(len(text), place.end + _AFTER))
    return _lines(text, Span(start, len(text) if end < 0 else end), place)


def _lines(text: str, span: Span, place: Span) -> Span:
    """A line may be a whole book: then words are where it is cut."""
    start, end = span.start, span.end
    if place.start - start > 2 * _BEFORE:
        start = text.find(" ", place.start - _BEFORE, place.start) + 1 or place.start - _BEFORE
    if end - place.end > 2 * _AFTER:
        cut = text.rfind(" ", place.end, place.end + _AFTER)
        end = cut if cut >= 0 else place.end + _AFTER
    return Span(start, end)
