"""What a number in a text is a number of: 870 euros, 5 %, two months, 12 March 2027.

A model that keeps a number and changes its unit, or puts a day to another month, is caught
by comparing these.
"""

import re
from functools import lru_cache

from lumbre.knowledge.calendar_words import month_of, named
from lumbre.knowledge.numbers import stated, written
from lumbre.knowledge.spelt import figures
from lumbre.words import LANGUAGES, Language

_UNITS = {
    word: unit
    for unit, words in {
        "euro": "€ eur euro euros евро",
        "dollar": "$ usd dollar dollars dólar dólares доллар доллара долларов долларах",
        "rouble": "₽ руб рубль рубля рублей рублях rublo rublos ruble rubles rouble roubles",
        "pound": "£ gbp",
        "percent": "% percent процент процента процентов процентах",
        "second": "second seconds segundo segundos секунда секунды секунду секунд",
        "minute": "min minute minutes minuto minutos мин минута минуты минуту минут",
        "hour": "hour hours hora horas час часа часов часам",
        "day": "day days día días день дня дней дням сутки суток",
        "week": "week weeks semana semanas неделя недели неделю недель неделям",
        "month": "month months mes meses месяц месяца месяцев месяцам",
        "year": "year years año años год года году лет годам",
        "kilogram": "kg kilo kilos kilogram kilograms kilogramo kilogramos кг килограмм"
        " килограмма килограммов",
        "gram": "gram grams gramo gramos грамм грамма граммов",
        "litre": "litre litres liter liters litro litros литр литра литров",
        "millilitre": "ml millilitre millilitres mililitro mililitros мл миллилитр миллилитров",
        "kilometre": "km kilometre kilometres kilometer kilometers kilómetro kilómetros"
        " км километр километра километров",
        "metre": "metre metres meter meters metro metros метр метра метров",
        "centimetre": "cm centimetre centimetres centímetro centímetros см сантиметр"
        " сантиметра сантиметров",
        "millimetre": "mm millimetre millimetres milímetro milímetros мм миллиметр"
        " миллиметра миллиметров",
    }.items()
    for word in words.split()
}
"""Forms of one letter (5 m, 2024 г.) stand for several units and are none."""

_ONE = "1"
_ONES = frozenset(
    ["one", "un", "una", "uno", "один", "одна", "одно", "одного", "одной", "одну", "одном", "одним"]
)
_NUMBER = r"\d+(?:[.,\u00a0\u202f ]\d{3}(?!\d))*(?:[.,]\d+)?"
_PIECE = re.compile(rf"(?P<number>{_NUMBER})|(?P<word>[^\W\d_]+)|(?P<sign>[€$£₽%])|(?P<other>\S)")
_WORDS_BETWEEN = frozenset("to or and a o y и или до".split())  # noqa: SIM905
_BETWEEN = _WORDS_BETWEEN | {"-", "–", "—"}
"""Two numbers with one of these between them share the unit of the second."""
_OF = frozenset(["de", "del", "of", ","])
_ORDINAL = re.compile(r"(?<=\d)-?(?:st|nd|rd|th|º|го|е|ое)\b", re.IGNORECASE)
_DAYS, _MONTHS = 31, 12
_NUMERIC = re.compile(r"(?<![\d.,/])(\d{1,2})[./](\d{1,2})[./]((?:19|20)\d\d)(?!\d)")
_ISO = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d{2})-(\d{2})(?!\d)")
_YEAR = re.compile(r"(?:19|20)\d\d")


def measures(text: str, language: Language) -> frozenset[tuple[str, str]]:
    """(number, unit) for each number of a text that has a unit right beside it."""
    return _measures(figures(text, language))[0]


@lru_cache(maxsize=512)
def _in_any_language(text: str) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """The same whatever the language, and the units that stand somewhere without a number."""
    every = [_measures(figures(text, language)) for language in LANGUAGES]
    known = frozenset[tuple[str, str]]().union(*(known for known, _ in every))
    return known, frozenset[str].intersection(*(alone for _, alone in every))


def _measures(text: str) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    alone: set[str] = set()
    pieces = list(_PIECE.finditer(text.lower()))
    found: set[tuple[str, str]] = set()
    waiting: list[str] = []
    for at, piece in enumerate(pieces):
        number = _number(piece)
        if number is not None:
            before = pieces[at - 1].group() if at else ""
            if before in "€$£₽" and before:
                found.add((number, _UNITS[before]))
                waiting = []
            else:
                shares = waiting and before in _BETWEEN
                waiting = [*waiting, number] if shares else [number]
        elif unit := _UNITS.get(piece.group()):
            beside = pieces[at - 1].group() not in _WORDS_BETWEEN if at else False
            if waiting and beside:
                found |= {(number, unit) for number in waiting}
            else:
                alone.add(unit)
            waiting = []
        elif piece.group() not in _BETWEEN:
            waiting = []
    return frozenset(found), frozenset(alone)


def is_measured_so(number: str, unit: str, text: str) -> bool:
    """Whether nothing speaks against it: the text has the number with this unit, or with none.

    "One month" is also "a month"; beside nothing but "two months" it is not.
    """
    known, alone = _in_any_language(text)
    if (number, unit) in known:
        return True
    if number == _ONE and unit in alone:
        return True
    return number in stated(text) and all(number != other for other, _ in known)


def says_another(claim: str, language: Language, text: str) -> bool:
    """Whether a claim has one of something of which a text has some other number alone."""
    ones = {unit for number, unit in measures(claim, language) if number == _ONE}
    if not ones:
        return False
    known, alone = _in_any_language(text)
    counted = {unit for _, unit in known} - {unit for number, unit in known if number == _ONE}
    return bool((ones & counted) - alone)


def days(text: str) -> frozenset[tuple[int, int, int]]:
    """(day, month, year) for each date of a text, in words or figures; year 0 where it has none."""
    numeric = [tuple(map(int, date)) for date in _NUMERIC.findall(text)]
    found = {(a, b, year) if b <= _MONTHS else (b, a, year) for a, b, year in numeric}
    found |= {(int(day), int(month), int(year)) for year, month, day in _ISO.findall(text)}
    pieces = [piece.group() for piece in _PIECE.finditer(_ORDINAL.sub(" ", text))]
    words = [word for word in pieces if word.lower() not in _OF]
    for at, word in enumerate(words):
        if month := month_of(word):
            before, after = words[at - 1 : at] if at else [], words[at + 1 : at + 2]
            if _is_day(before):
                year = _year(after)
                found |= {(day, month, year) for day in (int(before[0]), *_run(words, at - 1))}
            elif _is_day(after):
                found.add((int(after[0]), month, _year(words[at + 2 : at + 3])))
    return frozenset(found)


def is_dated_so(day: int, month: int, year: int, text: str) -> bool:
    """Whether a text puts these together, as far as its dates say; else whether it has both."""
    known = days(text)
    if not known:
        return str(day) in stated(text) and f"month{month}" in named(text)
    same = {of for d, m, of in known if (d, m) == (day, month)}
    return bool(same and (not year or year in same or 0 in same))


def _run(words: list[str], at: int) -> list[int]:
    """Days that share the month of the one at a place: 5 and 6 March, с 5 по 9 марта."""
    found = []
    while at >= 2 and words[at - 1].lower() in _BETWEEN | {"по", "al", "through"}:
        at -= 2
        if not _is_day(words[at : at + 1]):
            break
        found.append(int(words[at]))
    return found


def _year(words: list[str]) -> int:
    return int(words[0]) if words and _YEAR.fullmatch(words[0]) else 0


def _is_day(words: list[str]) -> bool:
    return bool(words) and words[0].isdecimal() and 1 <= int(words[0]) <= _DAYS


def _number(piece: re.Match[str]) -> str | None:
    if piece["word"] in _ONES:
        return _ONE
    return next(iter(written(piece["number"])), None) if piece["number"] else None
