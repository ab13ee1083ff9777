"""Name a file as the household keeps it, and as a person in this folder reads it."""

import os

from lumbre.cli.render import visible


def absolute(path: str) -> str:
    """As the household keeps paths: absolute, whoever's folder it runs in."""
    home = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser fails on "~$report.docx"
    return os.path.abspath(home)  # noqa: PTH100 - resolves ".." without links


def shown(path: str) -> str:
    """A path on one line, as short as it can be said here."""
    try:
        here = os.path.relpath(path)
    except FileNotFoundError:  # "here" was deleted
        here = ".."
    short = path if here.startswith("..") else here
    return visible(short).replace("\n", "\N{REPLACEMENT CHARACTER}")
