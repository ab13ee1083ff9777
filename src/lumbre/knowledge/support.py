"""How well a line of a document supports a sentence of an answer, and answers its question.

Two things are asked. The line supports the claim: it is near in meaning, shares words and
states its facts. And it has to do with the question: a true sentence about something else
is no answer. docs/decisions/007-what-makes-an-answer-stand.md has the figures.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.knowledge.facts import names_of, numbers_in, root_of
from lumbre.knowledge.lines import Line
from lumbre.knowledge.measures import says_another
from lumbre.knowledge.numbers import stated, written
from lumbre.knowledge.terms import grams, stems
from lumbre.knowledge.terms import words as words_of
from lumbre.knowledge.turned import turned
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORDS_WEIGHT = 0.3
_FACTS_WEIGHT = 0.3
_NUMBERS_AND_WORDS = 0.1
_COUNTED = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)\s+([^\W\d_]{3,})")
_DIGITS = re.compile(r"\d+")


_SIGNS = {
    re.compile(pattern): words
    for pattern, words in {
        r"€|\b(?:EUR|eur)\b": "euro euros евро",
        r"\$|\bUSD\b": "dollar dollars dólar dólares доллар долларов",
        r"₽|\bруб\b|\bр\.": "рубль рубля рублей rublos rubles",
        r"£": "pound pounds libra libras",
        r"%|процент|por ciento|percent": "percent ciento porcentaje процент процента процентов",
        r"°|º": "degrees grados градус градуса градусов celsius",
        r"\b(?:kg|кг|kilo|кило)": "kg kilo kilos kilograms kilogramos килограмм килограмма кг",
        r"\b(?:g|gr|г)\b": "grams gramos грамм грамма граммов",
        r"\b(?:km|км)\b": "km kilometres kilometers kilómetros километр километра километров",
        r"\b(?:cm|см)\b": "cm centimetres centimeters centímetros сантиметр сантиметров",
        r"\b(?:mm|мм)\b": "mm millimetres millimeters milímetros миллиметр миллиметров",
        r"\b(?:m|м)\b": "metres meters metros метр метра метров",
        r"\b(?:l|л)\b": "litres liters litros литр литра литров",
        r"\b(?:ml|мл)\b": "millilitres milliliters mililitros миллилитр миллилитров",
        r"\b(?:h|ч)\b": "hour hours hora horas час часа часов",
        r"\b(?:min|мин)\b": "minute minutes minuto minutos минута минуты минут",
        r"\b(?:s|seg|sec|с|сек)\b": "second seconds segundo segundos секунда секунд",
    }.items()
}
"""Signs and short forms that a document may have where an answer has the word."""


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A sentence of an answer, and the question it answers."""

    sentence: str
    question: str
    language: Language
    readings: "NDArray[np.float32]"
    """(readings, dimensions), unit length: the sentence alone and after its question."""
    asked: "NDArray[np.float32]"
    """The question's vector."""


def support(claim: Claim, line: Line) -> float:
    """How well a line bears a claim out: a cosine, up to 0.6 more for words and facts."""
    cosine = float((claim.readings @ line.vector).mean())
    words = shared(claim.sentence, claim.language, line)
    return cosine + _WORDS_WEIGHT * words + _FACTS_WEIGHT * _facts_told(claim, line)


def relevance(claim: Claim, line: Line) -> float:
    """How much a line has to do with the question: a cosine, up to 0.4 more for words."""
    words = shared(claim.question, claim.language, line)
    claimed = written(claim.sentence)
    told = bool(words and claimed and claimed <= stated(line.text))
    alone = float(claim.asked @ line.vector)
    after_its_lead = (alone + float(claim.asked @ line.before)) / 2
    return max(alone, after_its_lead) + _WORDS_WEIGHT * words + _NUMBERS_AND_WORDS * told


def could_say(claim: Claim, line: Line) -> bool:
    """Whether nothing in the claim is missing from the line and its passage.

    The passage states every number of the claim, the line one at least of those that the
    question did not bring; in one language, the passage also has the word the question
    wants counted ("300 channels" is not borne out by "300 Mbit/s"), and the line does not say
    the opposite.
    """
    claimed = stated(claim.sentence, claim.language)
    here = numbers_in(line.text)
    around = here | numbers_in(line.hit.text)
    new = claimed - stated(claim.question)
    if not claimed <= around or (new and not new & here):
        return False
    if says_another(claim.sentence, claim.language, line.text):
        return False
    if line.hit.language != claim.language:
        return True
    return _counts_the_same(claim, line) and not turned(claim.sentence, line.text, claim.language)


def shared(text: str, language: Language, line: Line) -> float:
    """The share of a text's terms, numbers apart, that stand in a line too."""
    mine = _terms(text, language, line)
    return len(mine & _terms(line.text, language, line)) / len(mine) if mine else 0.0


def _facts_told(claim: Claim, line: Line) -> float:
    """The share of a claim's numbers, and names that the question did not bring, in a line."""
    numbers = written(claim.sentence)
    names = names_of(claim.sentence) - {root_of(word) for word in words_of(claim.question)}
    if not numbers and not names:
        return 0.0
    there = {root_of(word) for word in words_of(line.text)}
    return (len(numbers & stated(line.text)) + len(names & there)) / (len(numbers) + len(names))


def _terms(text: str, language: Language, line: Line) -> set[str]:
    bare = _DIGITS.sub(" ", text)
    return set(stems(bare, language) if line.hit.language == language else grams(bare))


def _counts_the_same(claim: Claim, line: Line) -> bool:
    """Whether what the question wants counted is counted here: no number was put to its word."""
    counted = " ".join(word for _, word in _COUNTED.findall(claim.sentence))
    wanted = set(stems(counted, claim.language)) & set(stems(claim.question, claim.language))
    here = f"{line.text} {line.hit.text}"
    there = set(stems(here, claim.language))
    return not wanted - there - (_signs_in(here, claim.language) if wanted - there else set())


def _signs_in(text: str, language: Language) -> set[str]:
    """Stems of the words for which a text has a sign or a short form."""
    return {
        stem
        for sign, words in _SIGNS.items()
        if sign.search(text)
        for stem in stems(words, language)
    }
