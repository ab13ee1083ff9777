"""What a text is searched by besides its meaning: stems of its words, pieces of its names.

Stems bring the forms of a word together inside one language. Pieces of four letters of
words written as they sound, in Latin letters without accents, bring names, loan words
and numbers together across languages.

Source: the recipe and its figures are those of benchmarks/retrieval.py.
"""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from lumbre.knowledge.stopwords import stop_words
from lumbre.words import Language

if TYPE_CHECKING:
    import Stemmer

VERSION = 1
"""Raised with every change of what a text's terms are: files are then read again when
they are added again, for terms of two versions do not meet."""

_WORD = re.compile(r"\w+")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zа-яñáéíóúüё])")
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщыэюя"
_LATIN_FOR_IT = "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch y e yu ya"
_LATIN = dict(zip(_CYRILLIC, _LATIN_FOR_IT.split(), strict=True)) | {"ъ": "", "ь": ""}
_SOUNDS = (
    ("ch", "ч"), ("sh", "ш"),  # kept out of the way of h and c
    ("dzh", "j"), ("zh", "j"), ("kh", "h"), ("ph", "f"), ("th", "t"), ("ck", "k"), ("qu", "kv"),
    ("x", "ks"), ("w", "v"), ("y", "i"), ("ce", "se"), ("ci", "si"), ("c", "k"), ("q", "k"),
    ("ч", "ch"), ("ш", "sh"),
)  # fmt: skip
"""Spellings that our three languages give the same sound in names, in this order."""
_DOUBLED = re.compile(r"(\D)\1")
_SNOWBALL: dict[Language, str] = {"en": "english", "es": "spanish", "ru": "russian"}
_GRAM = 4
_LONGEST_WORD = 40
"""Letters; what is longer is no word, and its pieces would drown the others."""


def words(text: str) -> list[str]:
    """The words and numbers of a text in small letters, a word broken by a line end as one."""
    return _WORD.findall(_HYPHENATED.sub("", text).lower())


def stems(text: str, language: Language) -> list[str]:
    """The stems of the words that say something, in order, repeated as in the text."""
    stopped = stop_words(language)
    kept = [word for word in words(text) if word not in stopped]
    return [
        plain(stem) for stem in _stemmer(language).stemWords([w.replace("ё", "е") for w in kept])
    ]


def grams(text: str) -> list[str]:
    """Pieces of four letters of each word, `_` at its ends; numbers whole, after `n`."""
    found: list[str] = []
    for word in words(text):
        latin = by_sound(word)
        if latin.isdigit():
            found.append(f"n{latin}_")
        elif len(latin) <= _LONGEST_WORD:
            edged = f"_{latin}_"
            found.extend(edged[at : at + _GRAM] for at in range(max(1, len(edged) - _GRAM + 1)))
    return found


def by_sound(word: str) -> str:
    """A small-letter word in Latin letters as it sounds: вашингтон and washington meet.

    Source: benchmarks/retrieval.py: 0.3 points of nDCG@10 across languages over plain
    transliteration, none lost within one.
    """
    latin = plain("".join(_LATIN.get(letter, letter) for letter in word))
    for spelling, sound in _SOUNDS:
        latin = latin.replace(spelling, sound)
    return _DOUBLED.sub(r"\1", latin)


def plain(word: str) -> str:
    """A word without accents; й and ё keep theirs out of the way as и and е."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@cache
def _stemmer(language: Language) -> "Stemmer.Stemmer":
    import Stemmer

    return Stemmer.Stemmer(_SNOWBALL[language])
