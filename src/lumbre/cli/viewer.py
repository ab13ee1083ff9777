"""Decide which command opens a document at a page, on this machine or as its owner wishes."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from lumbre.core.errors import BadConfig
from lumbre.words import Sentence

_PDF: tuple[tuple[str, ...], ...] = (
    ("okular", "-p", "{page}", "{path}"),
    ("evince", "--page-index={page}", "{path}"),
    ("papers", "--page-index={page}", "{path}"),
    ("xreader", "--page-index={page}", "{path}"),
    ("atril", "--page-index={page}", "{path}"),
    ("zathura", "-P", "{page}", "{path}"),
    ("qpdfview", "{path}#{page}"),
    ("mupdf", "{path}", "{page}"),
    ("xpdf", "{path}", ":{page}"),
)
"""Viewers that can be told a page, the first one there is taken. Source: their manuals."""

_OPENERS: tuple[tuple[str, ...], ...] = (("xdg-open", "{uri}"), ("gio", "open", "{uri}"))


def command(
    path: str,
    page: int | None,
    *,
    platform: str,
    environment: Mapping[str, str],
    has: Callable[[str], bool],
) -> list[str] | None:
    """The words of the command; None where there is nothing to show a document with.

    `platform`: sys.platform. `has`: whether a program of this name can be run. Whatever
    opens files by their kind is given an address that names the page: a browser goes there.
    """
    if platform == "darwin":
        return ["open", uri(path, page)]
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return None
    viewers = _PDF if path.lower().endswith(".pdf") else ()
    for words in (*viewers, *_OPENERS):
        if has(words[0]):
            return _filled(words, path, page)
    return None


def configured(setting: str, path: str, page: int | None, where: str) -> list[str]:
    """The command of the setting documents.viewer; the path comes last if it has no place.

    Raises:
        BadConfig: its quotes do not match, or there is no word in it.
    """
    try:
        words = shlex.split(setting)
    except ValueError as error:
        words, reason = [], str(error)
    else:
        reason = Sentence("config.text")
    if not words:
        raise BadConfig(key="documents.viewer", value=setting, reason=reason, where=where)
    if not any("{path}" in word or "{uri}" in word for word in words):
        words.append("{path}")
    return _filled(words, path, page)


def uri(path: str, page: int | None = None) -> str:
    """A file:// address, with the page as PDF viewers and browsers understand it.

    Source: RFC 8118, section 3: the fragment `page=`.
    """
    return Path(path).as_uri() + (f"#page={page}" if page else "")


def _filled(words: tuple[str, ...] | list[str], path: str, page: int | None) -> list[str]:
    facts = {"{page}": str(page or 1), "{uri}": uri(path, page), "{path}": path}
    return [_with(word, facts) for word in words]


def _with(word: str, facts: Mapping[str, str]) -> str:
    """A path may have braces in it: what was filled in is not looked at again."""
    for place, value in facts.items():
        if place in word:
            return value.join(_with(piece, facts) for piece in word.split(place))
    return word
