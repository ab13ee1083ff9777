"""Markdown files, kept as their author typed them so that quotes stand in the file too."""

from lumbre.core.document import Bounds, Parsed
from lumbre.knowledge.parsers import text

ENDINGS = (".md", ".markdown", ".mdown")


def parse(data: bytes, bounds: Bounds) -> Parsed:
    """One text without pages."""
    return text.parse(data, bounds)
