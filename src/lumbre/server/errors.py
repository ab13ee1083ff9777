"""How an error looks on the wire: the same words as in the terminal, and its facts."""

import math

from lumbre.core.errors import CapacityError, LumbreError, UsageError, by_code
from lumbre.core.text import escaped
from lumbre.words import Language, Sentence


def as_json(error: LumbreError, language: Language = "en") -> dict[str, object]:
    """`{"error": {"code", "message", "hint", "facts"}}`."""
    return {
        "error": {
            "code": error.code,
            "message": escaped(error.message(language)),
            "hint": escaped(error.hint(language)),
            "facts": {name: _plain(value) for name, value in error.facts.items()},
        }
    }


def from_json(data: dict[str, object]) -> LumbreError | None:
    """The error that was sent, as what it was; None for a code we do not know."""
    told = data.get("error")
    if not isinstance(told, dict):
        return None
    leaf = by_code(str(told.get("code")))
    facts = told.get("facts")
    if leaf is None or not isinstance(facts, dict):
        return None
    return leaf(**{name: _read(value) for name, value in facts.items()})


def status_of(error: LumbreError) -> int:
    """The HTTP status: whose move it is decides."""
    if isinstance(error, UsageError):
        return 400
    return 503 if isinstance(error, CapacityError) else 502


def headers_of(error: LumbreError) -> dict[str, str]:
    """When to come again, where the error knows it. Source: RFC 9110, 10.2.3."""
    wait_s = error.facts.get("retry_after_s")
    return {"Retry-After": str(math.ceil(wait_s))} if isinstance(wait_s, int | float) else {}


def _plain(value: object) -> object:
    if isinstance(value, Sentence):  # said again in the reader's language at the other end
        return {"say": value.key, "facts": {k: _plain(v) for k, v in value.facts.items()}}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else escaped(str(value))


def _read(value: object) -> object:
    match value:
        case {"say": str(key), "facts": dict(facts)}:
            return Sentence(key, **{name: _read(fact) for name, fact in facts.items()})
        case _:
            return value
