"""Which numbers a text states, however its language writes them: 1.250, 1,250, 1 250, twelve."""

import re
from functools import lru_cache

from lumbre.knowledge.spelt import figures
from lumbre.words import LANGUAGES, Language

_GROUPED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?P<mark>[.,\u00a0\u202f ])\d{3})(?:(?P=mark)\d{3})*"
    r"(?P<part>[.,]\d{1,2})?(?![.,]?\d)"
)
"""Thousands with marks between them, all of one kind, and perhaps a decimal part."""
_DECIMAL = re.compile(r"(?<![\d.,])\d+[.,]\d+(?![.,]?\d)")
_DIGITS = re.compile(r"\d+")


def written(text: str) -> frozenset[str]:
    """Numbers in digits, in one spelling: no marks between thousands, a dot for decimals.

    What is neither (10.03.2025, 1.1.2, 23:00) gives each of its parts.
    """
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        part = match.groupdict().get("part") or ""
        whole = match.group()[: len(match.group()) - len(part)]
        found.add(_plain(re.sub(r"\D", "", whole) + part))
        return " "

    def take_decimal(match: re.Match[str]) -> str:
        found.add(_plain(match.group()))
        return " "

    rest = _DECIMAL.sub(take_decimal, _GROUPED.sub(take, text))
    return frozenset(found | {_plain(digits) for digits in _DIGITS.findall(rest)})


@lru_cache(maxsize=512)  # each sentence of an answer is held against the same passages
def stated(text: str, language: Language | None = None) -> frozenset[str]:
    """Numbers in digits or in words; words of one language, or of any."""
    languages = LANGUAGES if language is None else (language,)
    return frozenset().union(*(written(figures(text, one)) for one in languages))


def _plain(number: str) -> str:
    whole, _, part = number.replace(",", ".").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
