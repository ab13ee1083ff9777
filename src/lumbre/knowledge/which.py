"""Find the document a person means by a path, a file's name, or the end of a path."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from lumbre.core.errors import SeveralDocuments, UnknownDocument
from lumbre.words import Sentence

_MOST_NAMED = 5


def which(typed: str, absolute: str, paths: Sequence[str]) -> str:
    """The one path among `paths` that is meant; `absolute` is what was typed, from here.

    Raises:
        UnknownDocument: none is; the nearest ones are named.
        SeveralDocuments: more than one ends so.
    """
    if absolute in paths:
        return absolute
    for plain in (_as_is, _alike):
        end = "/" + plain(typed.removeprefix("./").strip("/"))
        found = [path for path in paths if end != "/" and plain(path).endswith(end)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SeveralDocuments(document=typed, found=_named(found))
    near = _near(typed, paths)
    told = Sentence("errors.unknown_document.near", near=_named(near)) if near else ""
    raise UnknownDocument(document=typed, near=told)


def _near(typed: str, paths: Sequence[str]) -> list[str]:
    """Documents whose file name looks like the one typed, or has it in it."""
    name = _alike(PurePath(typed).name)
    names: dict[str, list[str]] = {}
    for path in paths:
        names.setdefault(_alike(PurePath(path).name), []).append(path)
    close = difflib.get_close_matches(name, names, _MOST_NAMED, 0.6)
    inside = [one for one in names if name and name in one]
    return [path for one in dict.fromkeys([*inside, *close]) for path in names[one]]


def _named(paths: Iterable[str]) -> str:
    every = list(paths)
    return ", ".join(every[:_MOST_NAMED]) + (", ..." if len(every) > _MOST_NAMED else "")


def _as_is(path: str) -> str:
    return path


def _alike(path: str) -> str:
    """Capital or small, accents as one character or two."""
    return unicodedata.normalize("NFC", path).casefold()
