"""Plain text files, whatever bytes their author's program wrote."""

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.decode import decoded, is_binary
from lumbre.knowledge.tidy import tidy

ENDINGS = (".txt", ".text", ".rst", ".org", ".adoc", ".tex")


def parse(data: bytes, bounds: Bounds) -> Parsed:
    """One text without pages."""
    if not data.strip():
        raise DocumentUnreadable(document="", reason="empty")
    if is_binary(data):
        raise DocumentUnreadable(document="", reason="binary")
    text = tidy(decoded(data))
    if not text.strip():
        raise DocumentUnreadable(document="", reason="empty")
    return Parsed(text)
