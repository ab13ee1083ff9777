"""Which numbers a text states, however its language writes them: 1.250, 1,250, 1 250, twelve."""

import re

_GROUPED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?P<mark>[.,\u00a0\u202f ])\d{3})(?:(?P=mark)\d{3})*"
    r"(?P<part>[.,]\d{1,2})?(?![.,]?\d)"
)
"""Thousands with marks between them, all of one kind, and perhaps a decimal part."""
_DECIMAL = re.compile(r"(?<![\d.,])\d+[.,]\d+(?![.,]?\d)")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_SPELT = """
2 two dos два две двух двум двумя
3 three tres три трёх трех трём трем тремя
4 four cuatro четыре четырёх четырех четырём четырем
5 five cinco пять пяти пятью
6 six seis шесть шести шестью
7 seven siete семь семи семью
8 eight ocho восемь восьми восемью
9 nine nueve девять девяти девятью
10 ten diez десять десяти десятью
11 eleven once одиннадцать одиннадцати
12 twelve doce двенадцать двенадцати
13 thirteen trece тринадцать тринадцати
14 fourteen catorce четырнадцать четырнадцати
15 fifteen quince пятнадцать пятнадцати
16 sixteen dieciséis шестнадцать шестнадцати
17 seventeen diecisiete семнадцать семнадцати
18 eighteen dieciocho восемнадцать восемнадцати
19 nineteen diecinueve девятнадцать девятнадцати
20 twenty veinte двадцать двадцати
21 veintiún veintiuno veintiuna
24 veinticuatro
30 thirty treinta тридцать тридцати
40 forty cuarenta сорок сорока
50 fifty cincuenta пятьдесят пятидесяти
60 sixty sesenta шестьдесят шестидесяти
70 seventy setenta семьдесят семидесяти
80 eighty ochenta восемьдесят восьмидесяти
90 ninety noventa девяносто девяноста
100 hundred cien ciento сто ста
1000 thousand mil тысяча тысячи тысяч
"""
_VALUES = {
    word: line.split()[0] for line in _SPELT.strip().splitlines() for word in line.split()[1:]
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


def stated(text: str) -> frozenset[str]:
    """Numbers in digits or in words."""
    words = (_VALUES.get(word) for word in _WORD.findall(text.lower()))
    return written(text) | frozenset(word for word in words if word)


def _plain(number: str) -> str:
    whole, _, part = number.replace(",", ".").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
