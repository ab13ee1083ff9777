"""Read what a request asks for, and refuse what cannot be meant."""

from collections.abc import Mapping
from typing import Any

from lumbre.core.errors import BadArguments
from lumbre.core.text import is_text
from lumbre.words import LANGUAGES, Language


def text(body: Mapping[str, Any], name: str) -> str:
    """A text with something in it.

    Raises:
        BadArguments: it is missing, empty or no text.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or not is_text(value):
        raise BadArguments(reason=f"{name}: {value!r}")
    return value


def paths(value: object) -> tuple[str, ...]:
    """Absolute paths; none for None.

    Raises:
        BadArguments: it is no list of texts.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadArguments(reason=f"docs: {value!r}")
    return tuple(value)


def number(body: Mapping[str, Any], name: str, default: int | None, least: int = 0) -> int | None:
    """A whole number of at least `least`; `default` where there is none.

    Raises:
        BadArguments: it is something else.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadArguments(reason=f"{name}: {value!r}")
    return value


def language(body: Mapping[str, Any]) -> Language:
    """The language of whoever asks."""
    return next((known for known in LANGUAGES if known == body.get("language")), "en")
