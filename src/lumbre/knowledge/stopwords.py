"""The words that say which language a text is in, and nothing about what it says."""

from collections.abc import Mapping
from functools import cache

from lumbre.words import LANGUAGES, Language


@cache
def stop_words(language: Language) -> frozenset[str]:
    """Function words of a language, lower case.

    Source: the lists of the package `stop-words`, numbers and fragments taken out.
    """
    from stop_words import get_stop_words

    return frozenset(word for word in get_stop_words(language) if word.isalpha())


@cache
def telling() -> Mapping[str, Language]:
    """Words that only one of our languages has among its function words."""
    lists = {language: stop_words(language) for language in LANGUAGES}
    return {
        word: language
        for language, words in lists.items()
        for word in words
        if not any(word in other for name, other in lists.items() if name != language)
    }
