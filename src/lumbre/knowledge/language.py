"""Which of our languages a text is in: by its letters, then by its small words.

docs/decisions/002-language-by-stop-words.md has the figures and what was refused.
"""

import re

from lumbre.knowledge.stopwords import telling
from lumbre.words import Language

_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile("[\u0400-\u052f]")
_LETTER = re.compile(r"[^\W\d_]")
_SPANISH_SIGN = re.compile("[ñ¿¡áíóúü]", re.IGNORECASE)
_SAMPLE = 4000
"""Code points looked at; a page is enough."""
_CYRILLIC_SHARE = 0.3
"""Names stay Latin in Russian texts far more often than the other way round."""

_SIGN_WEIGHT = 1.0


def language_of(text: str, fallback: Language) -> Language:
    """The language of a text, `fallback` where nothing in it tells."""
    sample = text[:_SAMPLE]
    letters = len(_LETTER.findall(sample))
    if not letters:
        return fallback
    if len(_CYRILLIC.findall(sample)) >= letters * _CYRILLIC_SHARE:
        return "ru"
    known = telling()
    words = [known.get(word) for word in _WORD.findall(sample.lower())]
    spanish = words.count("es") + _SIGN_WEIGHT * len(_SPANISH_SIGN.findall(sample))
    english = words.count("en")
    if spanish == english:
        return fallback if fallback != "ru" else "en"
    return "es" if spanish > english else "en"
