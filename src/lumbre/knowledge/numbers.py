"""Which numbers a text states, however its language writes them: 1.250, 1,250, 1 250, twelve."""

import re

from lumbre.words import Language

_GROUPED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?P<mark>[.,\u00a0\u202f ])\d{3})(?:(?P=mark)\d{3})*"
    r"(?P<part>[.,]\d{1,2})?(?![.,]?\d)"
)
"""Thousands with marks between them, all of one kind, and perhaps a decimal part."""
_DECIMAL = re.compile(r"(?<![\d.,])\d+[.,]\d+(?![.,]?\d)")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_SPELT: dict[Language, str] = {
    "en": """
2 two
3 three
4 four
5 five
6 six
7 seven
8 eight
9 nine
10 ten
11 eleven
12 twelve
13 thirteen
14 fourteen
15 fifteen
16 sixteen
17 seventeen
18 eighteen
19 nineteen
20 twenty
30 thirty
40 forty
50 fifty
60 sixty
70 seventy
80 eighty
90 ninety
100 hundred
1000 thousand
""",
    "es": """
2 dos
3 tres
4 cuatro
5 cinco
6 seis
7 siete
8 ocho
9 nueve
10 diez
11 once
12 doce
13 trece
14 catorce
15 quince
16 dieciséis
17 diecisiete
18 dieciocho
19 diecinueve
20 veinte
21 veintiún veintiuno veintiuna
22 veintidós
24 veinticuatro
25 veinticinco
30 treinta
40 cuarenta
50 cincuenta
60 sesenta
70 setenta
80 ochenta
90 noventa
100 cien ciento
1000 mil
""",
    "ru": """
2 два две двух двум двумя
3 три трёх трех трём трем тремя
4 четыре четырёх четырех четырём четырем
5 пять пяти пятью
6 шесть шести шестью
7 семь семи семью
8 восемь восьми восемью
9 девять девяти девятью
10 десять десяти десятью
11 одиннадцать одиннадцати
12 двенадцать двенадцати
13 тринадцать тринадцати
14 четырнадцать четырнадцати
15 пятнадцать пятнадцати
16 шестнадцать шестнадцати
17 семнадцать семнадцати
18 восемнадцать восемнадцати
19 девятнадцать девятнадцати
20 двадцать двадцати
30 тридцать тридцати
40 сорок сорока
50 пятьдесят пятидесяти
60 шестьдесят шестидесяти
70 семьдесят семидесяти
80 восемьдесят восьмидесяти
90 девяносто девяноста
100 сто ста
1000 тысяча тысячи тысяч
""",
}
_VALUES: dict[Language, dict[str, str]] = {
    language: {
        word: line.split()[0] for line in spelt.strip().splitlines() for word in line.split()[1:]
    }
    for language, spelt in _SPELT.items()
}


def written(text: str) -> frozenset[str]:
    """Numbers in digits, in one spelling: no marks between thousands, a dot for decimals.

    What is neither (10.03.2025, 1.1.2, 23:00) gives each of its parts.
    """
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        part = match.groupdict().get("part") or ""
        whole = match.group()[: len(match.group()) - len(part)]
        found.add(_plain(re.sub(r"\D", "", whole) + part))
        return " "

    def take_decimal(match: re.Match[str]) -> str:
        found.add(_plain(match.group()))
        return " "

    rest = _DECIMAL.sub(take_decimal, _GROUPED.sub(take, text))
    return frozenset(found | {_plain(digits) for digits in _DIGITS.findall(rest)})


def stated(text: str, language: Language | None = None) -> frozenset[str]:
    """Numbers in digits or in words; words of one language, or of any."""
    tables = _VALUES.values() if language is None else [_VALUES[language]]
    said = _WORD.findall(text.lower())
    spelt = {table[word] for table in tables for word in said if word in table}
    return written(text) | frozenset(spelt)


def value_of(word: str) -> str | None:
    """The number a small-letter word is, in any language; None where it is none."""
    return next((table[word] for table in _VALUES.values() if word in table), None)


def _plain(number: str) -> str:
    whole, _, part = number.replace(",", ".").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
