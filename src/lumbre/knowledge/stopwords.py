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


_ASKING: dict[Language, str] = {
    "en": "what which who whom whose when where why how many much",
    "es": "qué cuál cuáles quién quiénes cómo cuándo dónde adónde cuánto cuánta cuántos cuántas",
    "ru": (
        "что какой какая какое какие какого какому каким каком какую каких какими"
        " каков какова каково каковы кто кого кому кем чей чья чьё чье чьи чьего чьей чьих"
        " когда где куда откуда почему зачем как чем сколько скольких скольким"
        " который которая которое которые которого которой которую которым которых"
    ),
}


@cache
def asking(language: Language) -> frozenset[str]:
    """Words that ask, in small letters: they stand in questions, not in what answers them."""
    return frozenset(_ASKING[language].split())


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
