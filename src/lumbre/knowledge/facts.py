"""The facts of a sentence that a quote must have: its numbers, dates and names.

A model that changes a price, a month or a person is caught by comparing these, not by
how near two sentences are in meaning.
"""

import re

from lumbre.knowledge.calendar_words import named
from lumbre.knowledge.measures import days, is_dated_so, is_measured_so, measures
from lumbre.knowledge.numbers import stated
from lumbre.knowledge.terms import by_sound, words
from lumbre.words import Language

_LETTERS = re.compile(r"[^\W\d_]+")
_ROOT = 5
_SHORTEST_NAME = 2
_TOGETHER = ("measure ", "date ")


def facts(sentence: str, language: Language, *, names: bool = True) -> frozenset[str]:
    """What a sentence states, each under a key that other sentences can be asked for.

    `names`: without them where the quote is in another language, which may write them in
    its own way (London, Лондон, Londres).
    """
    found = {f"number {number}" for number in stated(sentence, language)} | named(sentence)
    found |= {f"measure {number} {unit}" for number, unit in measures(sentence, language)}
    found |= {f"date {day} {month} {year}" for day, month, year in days(sentence)}
    if names:
        months = {root_of(word.lower()) for word in _LETTERS.findall(sentence) if named(word)}
        found |= {f"name {root}" for root in names_of(sentence) - months}
    return frozenset(found)


def having(wanted: frozenset[str], text: str) -> frozenset[str]:
    """Those of the wanted facts that a text states, in any language's way of writing them."""
    found = {f"number {number}" for number in numbers_in(text)} | named(text)
    found |= {fact for fact in wanted if fact.startswith(_TOGETHER) and _says(fact, text)}
    if any(fact.startswith("name ") for fact in wanted):
        found |= {f"name {root_of(word)}" for word in (*words(text), *letters(text))}
    return wanted & found


def _says(fact: str, text: str) -> bool:
    """Whether a text puts a number and its unit, or a day and its month, together like this."""
    kind, *parts = fact.split()
    if kind == "measure":
        number, unit = parts
        return is_measured_so(number, unit, text)
    day, month, year = map(int, parts)
    return is_dated_so(day, month, year, text)


def numbers_in(text: str) -> frozenset[str]:
    """The numbers a text states, in digits or words of any language, and those of its months."""
    months = {date.removeprefix("month") for date in named(text) if date.startswith("month")}
    return stated(text) | months


def letters(text: str) -> list[str]:
    """The words of a text without the figures in or beside them, in small letters."""
    return [word.lower() for word in _LETTERS.findall(text)]


def names_of(sentence: str) -> frozenset[str]:
    """Roots of the words written with a capital letter, the first word apart."""
    return frozenset(
        root_of(word.lower())
        for word in _LETTERS.findall(sentence)[1:]
        if word[0].isupper() and len(word) >= _SHORTEST_NAME
    )


def root_of(word: str) -> str:
    """The beginning of a word as it sounds: the same in its forms and in both scripts."""
    return by_sound(word)[:_ROOT]
