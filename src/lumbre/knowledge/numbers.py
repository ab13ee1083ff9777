"""Which numbers a text states, however its language writes them: 1.250, 1,250, 1 250, twelve."""

import re

_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f  ]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f  ]\d{3})+")
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
    """Numbers in digits, in one spelling: no marks between thousands, a dot for decimals."""
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        found.update(_plain(match.group()))
    return frozenset(found)


def stated(text: str) -> frozenset[str]:
    """Numbers in digits or in words."""
    words = (_VALUES.get(word) for word in _WORD.findall(text.lower()))
    return written(text) | frozenset(word for word in words if word)


def _plain(number: str) -> list[str]:
    if _THOUSANDS.fullmatch(number):
        return [re.sub(r"\D", "", number)]
    pieces = re.split(r"[\u00a0\u202f  ]", number)
    plain = []
    for piece in pieces:
        if _THOUSANDS.fullmatch(piece):
            plain.append(re.sub(r"\D", "", piece))
        elif re.fullmatch(r"\d+[.,]\d+", piece):
            plain.append(_decimal(piece))
        else:  # 1.1.2, 10.03.2025
            plain.extend(_whole(part) for part in re.split(r"[.,]", piece))
    return plain


def _decimal(number: str) -> str:
    whole, _, part = number.replace(",", ".").partition(".")
    part = part.rstrip("0")
    return f"{_whole(whole)}.{part}" if part else _whole(whole)


def _whole(digits: str) -> str:
    return digits.lstrip("0") or "0"
