"""Make a document's name in the terminal one that opens it when it is clicked."""

import os
import sys

from lumbre.cli.viewer import uri


def linked(text: str, path: str, page: int | None = None) -> str:
    """The text, in a terminal as a hyperlink to the file at its page.

    Source: OSC 8, as terminals that know it describe it; others show the text alone.
    """
    if not sys.stdout.isatty() or not os.path.isabs(path):  # noqa: PTH117
        return text
    return f"\x1b]8;;{uri(path, page)}\x1b\\{text}\x1b]8;;\x1b\\"
