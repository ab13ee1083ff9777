"""Markdown files, kept as their author typed them so that quotes stand in the file too."""

from lumbre.core.document import Parsed
from lumbre.knowledge.parsers import text

ENDINGS = (".md", ".markdown", ".mdown")


def parse(data: bytes) -> Parsed:
    """One text without pages."""
    return text.parse(data)
