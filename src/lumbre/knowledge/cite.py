"""Find the sentence of a document that bears out a sentence of an answer, or none.

Two things are asked of a quote. It supports the claim: it is near in meaning, shares words,
and states the numbers; a model that changes a price gets no citation. And it has to do with
the question: a true sentence about something else is no answer. The figures behind the
bounds stand in docs/decisions/007-what-makes-an-answer-stand.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbre.core.document import Hit, Span
from lumbre.knowledge.index import Index
from lumbre.knowledge.numbers import stated, written
from lumbre.knowledge.terms import by_sound, grams, stems
from lumbre.knowledge.terms import words as words_of
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORDS_WEIGHT = 0.3
_FACTS_WEIGHT = 0.3
_NUMBERS_AND_WORDS = 0.1
_SUPPORTS = 0.45
_ANSWERS = 0.2
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_COUNTED = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)*)\s+([^\W\d_]{3,})")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
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
class Quote:
    """A sentence of a retrieved passage."""

    hit: Hit
    span: Span
    page: int | None
    text: str
    vector: "NDArray[np.float32]"
    before: "NDArray[np.float32]"
    """The vector of the sentence before it, which may name what this one tells of."""
    years: frozenset[str]
    """Years that its document speaks of anywhere, or has in its name."""


def quotes(index: Index, hits: Sequence[Hit]) -> list[Quote]:
    """Every sentence of these passages once, in order of the hits."""
    found: list[Quote] = []
    seen: set[tuple[str, int]] = set()
    for hit in hits:
        stored = index.stored(hit.document)
        if stored is None:
            continue
        years = frozenset(_YEAR.findall(f"{Path(hit.document).name} {stored.parsed.text}"))
        pieces = index.sentences(hit.document, Span(hit.start, hit.end))
        for before, piece in zip(pieces[:1] + pieces, pieces, strict=False):
            text = stored.parsed.text[piece.span.start : piece.span.end]
            page = stored.parsed.page_of(piece.span.start)
            if (hit.document, piece.span.start) not in seen:
                seen.add((hit.document, piece.span.start))
                found.append(Quote(hit, piece.span, page, text, piece.vector, before.vector, years))
    return found


def stands(quote: Quote, index: Index) -> bool:
    """Whether the quote is, letter by letter, at its place in the text kept now."""
    stored = index.stored(quote.hit.document)
    if stored is None:
        return False
    return stored.parsed.text[quote.span.start : quote.span.end] == quote.text


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


@dataclass(frozen=True, slots=True)
class Borne:
    """A claim that is borne out."""

    quote: Quote
    answers: bool
    """Whether the quote has to do with the question too."""


def bear_out(claim: Claim, candidates: Sequence[Quote]) -> Borne | None:
    """The quote that supports a claim best, with the question in mind; None if none does."""
    found = [
        (support(claim, quote), relevance(claim, quote), quote)
        for quote in of_the_year(claim.question, candidates)
        if could_say(claim, quote)
    ]
    supported = [row for row in found if row[0] >= _SUPPORTS]
    if not supported:
        return None
    _, relevant, quote = max(supported, key=lambda row: row[0] + row[1] / 2)
    return Borne(quote, relevant >= _ANSWERS)


def of_the_year(question: str, candidates: Sequence[Quote]) -> list[Quote]:
    """The quotes from documents that speak of a year the question names, all if it names none.

    In a passage that was found or in their name; where none does, anywhere in them.
    """
    asked = set(_YEAR.findall(question))
    if not asked:
        return list(candidates)
    near = {
        quote.hit.document
        for quote in candidates
        if asked & set(_YEAR.findall(f"{Path(quote.hit.document).name} {quote.hit.text}"))
    }
    return [
        quote
        for quote in candidates
        if (quote.hit.document in near if near else asked & quote.years)
    ]


def support(claim: Claim, quote: Quote) -> float:
    """How well a quote bears a claim out: a cosine, up to 0.6 more for words and facts."""
    cosine = float((claim.readings @ quote.vector).mean())
    words = shared(claim.sentence, claim.language, quote)
    return cosine + _WORDS_WEIGHT * words + _FACTS_WEIGHT * _facts_told(claim, quote)


def relevance(claim: Claim, quote: Quote) -> float:
    """How much a quote has to do with the question: a cosine, up to 0.4 more for words."""
    words = shared(claim.question, claim.language, quote)
    claimed = written(claim.sentence)
    told = bool(words and claimed and claimed <= stated(quote.text))
    alone = float(claim.asked @ quote.vector)
    after_its_lead = (alone + float(claim.asked @ quote.before)) / 2
    return max(alone, after_its_lead) + _WORDS_WEIGHT * words + _NUMBERS_AND_WORDS * told


def could_say(claim: Claim, quote: Quote) -> bool:
    """Whether nothing in the claim is missing from the quote and its passage.

    The passage states every number of the claim, the quote one at least of those that the
    question did not bring; in one language, the passage also has the word the question
    wants counted ("300 channels" is not borne out by "300 Mbit/s").
    """
    claimed = stated(claim.sentence, claim.language)
    here = stated(quote.text)
    around = here | stated(quote.hit.text)
    new = claimed - stated(claim.question)
    if not claimed <= around or (new and not new & here):
        return False
    return quote.hit.language != claim.language or _counts_the_same(claim, quote)


def shared(text: str, language: Language, quote: Quote) -> float:
    """The share of a text's terms, numbers apart, that stand in a quote too."""
    mine = _terms(text, language, quote)
    return len(mine & _terms(quote.text, language, quote)) / len(mine) if mine else 0.0


def _facts_told(claim: Claim, quote: Quote) -> float:
    """The share of a claim's numbers, and names that the question did not bring, in a quote."""
    numbers = written(claim.sentence)
    names = _names(claim.sentence) - {_root(word) for word in words_of(claim.question)}
    if not numbers and not names:
        return 0.0
    there = {_root(word) for word in words_of(quote.text)}
    return (len(numbers & stated(quote.text)) + len(names & there)) / (len(numbers) + len(names))


def _names(sentence: str) -> set[str]:
    """Roots of the words written with a capital letter, the first word apart."""
    return {_root(word.lower()) for word in _LETTERS.findall(sentence)[1:] if word[0].isupper()}


def _root(word: str) -> str:
    """The beginning of a word as it sounds: the same in its forms and in both scripts."""
    return by_sound(word)[:5]


def _terms(text: str, language: Language, quote: Quote) -> set[str]:
    bare = _DIGITS.sub(" ", text)
    return set(stems(bare, language) if quote.hit.language == language else grams(bare))


def _counts_the_same(claim: Claim, quote: Quote) -> bool:
    """Whether what the question wants counted is counted here: no number was put to its word."""
    counted = " ".join(word for _, word in _COUNTED.findall(claim.sentence))
    wanted = set(stems(counted, claim.language)) & set(stems(claim.question, claim.language))
    here = f"{quote.text} {quote.hit.text}"
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
