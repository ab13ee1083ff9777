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

VERSION = 3
"""Raised with every change of what a text's terms are: files are then read again when
they are added again, for terms of two versions do not meet."""

_WORD = re.compile(r"\w+")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zа-яñáéíóúüё])")
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщыэюя"
_LATIN_FOR_IT = "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch y e yu ya"
_LATIN = dict(zip(_CYRILLIC, _LATIN_FOR_IT.split(), strict=True)) | {"ъ": "", "ь": ""}
_TO_LATIN = str.maketrans(_LATIN)
_SOUNDS = (
    ("ch", "ч"), ("sh", "ш"),  # kept out of the way of h and c
    ("dzh", "j"), ("zh", "j"), ("kh", "h"), ("ph", "f"), ("th", "t"), ("ck", "k"), ("qu", "kv"),
    ("x", "ks"), ("w", "v"), ("y", "i"), ("ce", "se"), ("ci", "si"), ("c", "k"), ("q", "k"),
    ("ч", "ch"), ("ш", "sh"),
)  # fmt: skip
"""Spellings that our three languages give the same sound in names, in this order."""
_DOUBLED = re.compile(r"([^\d ])\1")
_SNOWBALL: dict[Language, str] = {"en": "english", "es": "spanish", "ru": "russian"}
_GRAM = 4
LONGEST_WORD = 40
"""Letters; what is longer is no word, and its pieces would drown the others."""


def words(text: str) -> list[str]:
    """The words and numbers of a text in small letters, a word broken by a line end as one."""
    whole = _HYPHENATED.sub("", text) if "-\n" in text else text
    return _WORD.findall(whole.lower())


def stems(text: str, language: Language) -> list[str]:
    """The stems of the words that say something, in order, repeated as in the text."""
    stopped = stop_words(language)
    kept = [word for word in words(text) if word not in stopped]
    if not kept:
        return []
    return plain(" ".join(_stemmer(language).stemWords([w.replace("ё", "е") for w in kept]))).split(
        " "
    )


def stem(word: str, language: Language) -> str:
    """The stem of one small-letter word, whether it says something or not."""
    return plain(_stemmer(language).stemWord(word.replace("ё", "е")))


def grams(text: str) -> list[str]:
    """Pieces of four letters of each word, `_` at its ends; numbers whole, after `n`."""
    found: list[str] = []
    if not (said := words(text)):
        return found
    for latin in by_sound(" ".join(said)).split(" "):
        if latin.isdigit():
            found.append(f"n{latin}_")
        elif len(latin) <= LONGEST_WORD:
            edged = f"_{latin}_"
            found += [edged[at : at + _GRAM] for at in range(max(1, len(edged) - _GRAM + 1))]
    return found


def by_sound(text: str) -> str:
    """Small-letter words in Latin letters as they sound: вашингтон and washington meet.

    Source: benchmarks/retrieval.py: 0.3 points of nDCG@10 across languages over plain
    transliteration, none lost within one.
    """
    latin = plain(text if text.isascii() else text.translate(_TO_LATIN))
    for spelling, sound in _SOUNDS:
        latin = latin.replace(spelling, sound)
    return _DOUBLED.sub(r"\1", latin)


class _NoAccents(dict[int, int | None]):
    """For `str.translate`: what is no accent stays; each letter is looked up once."""

    def __missing__(self, letter: int) -> int | None:
        self[letter] = None if unicodedata.combining(chr(letter)) else letter
        return self[letter]


_NO_ACCENTS = _NoAccents()


def plain(text: str) -> str:
    """Words without accents; й and ё keep theirs out of the way as и and е."""
    return text if text.isascii() else unicodedata.normalize("NFD", text).translate(_NO_ACCENTS)


@cache
def _stemmer(language: Language) -> "Stemmer.Stemmer":
    import Stemmer

    return Stemmer.Stemmer(_SNOWBALL[language], 0)  # its cache costs more than a stem
