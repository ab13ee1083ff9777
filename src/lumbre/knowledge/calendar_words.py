"""Which months and days of the week a text names, whatever its language: marzo, марта, 12.03.

A date in figures and one in words are the same date; so are lunes, Monday and понедельник.
"""

import re

_MONTHS = """
1 january enero январь января январе январём
2 february febrero февраль февраля феврале февралём
3 march marzo март марта марте мартом
4 april abril апрель апреля апреле апрелем
5 may mayo май мая мае маем
6 june junio июнь июня июне июнем
7 july julio июль июля июле июлем
8 august agosto август августа августе августом
9 september septiembre setiembre сентябрь сентября сентябре сентябрём
10 october octubre октябрь октября октябре октябрём
11 november noviembre ноябрь ноября ноябре ноябрём
12 december diciembre декабрь декабря декабре декабрём
"""
_DAYS = """
1 monday mondays lunes понедельник понедельника понедельнику понедельникам понедельники
2 tuesday tuesdays martes вторник вторника вторнику вторникам вторники
3 wednesday wednesdays miércoles среду средам среды
4 thursday thursdays jueves четверг четверга четвергу четвергам четверги
5 friday fridays viernes пятница пятницу пятницы пятнице пятницам
6 saturday saturdays sábado sábados суббота субботу субботы субботе субботам
7 sunday sundays domingo domingos воскресенье воскресенья воскресенью воскресеньям
"""


def _table(kind: str, lines: str) -> dict[str, str]:
    rows = [line.split() for line in lines.strip().splitlines()]
    return {word.replace("ё", "е"): f"{kind}{number}" for number, *words in rows for word in words}


_NAMED = _table("month", _MONTHS) | _table("day", _DAYS)
_MODAL = ("may", "march")
"""English words that are months only with a capital letter."""
_WORD = re.compile(r"[^\W\d_]+")
_NUMERIC = re.compile(r"(?<![\d.])\d{1,2}[./](\d{1,2})[./](?:19|20)\d\d(?!\d)")
_ISO = re.compile(r"(?<!\d)(?:19|20)\d\d-(\d{2})-\d{2}(?!\d)")


def month_of(word: str) -> int | None:
    """The month a word names, 1 to 12; None where it names none."""
    name = _NAMED.get(word.lower().replace("ё", "е"), "")
    if not name.startswith("month") or (word in _MODAL):
        return None
    return int(name.removeprefix("month"))


def named(text: str) -> frozenset[str]:
    """`month1` to `month12` and `day1` (Monday) to `day7` as the text names them."""
    found = {
        _NAMED[word]
        for said in _WORD.findall(text)
        if (word := said.lower().replace("ё", "е")) in _NAMED
        and not (word in _MODAL and said.islower())
    }
    for number in (*_NUMERIC.findall(text), *_ISO.findall(text)):
        if 1 <= int(number) <= 12:
            found.add(f"month{int(number)}")
    return frozenset(found)
