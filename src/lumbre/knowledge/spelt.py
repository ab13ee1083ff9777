"""Numbers written in words, put together: dos mil quinientos, сорок тысяч, 2.5 million."""

import re
from dataclasses import dataclass

from lumbre.words import Language

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
100 hundred hundreds
1000 thousand thousands
1000000 million millions mln
1000000000 billion billions bn
1000000000000 trillion trillions
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
23 veintitrés
24 veinticuatro
25 veinticinco
26 veintiséis
27 veintisiete
28 veintiocho
29 veintinueve
30 treinta
40 cuarenta
50 cincuenta
60 sesenta
70 setenta
80 ochenta
90 noventa
100 cien ciento
200 doscientos doscientas
300 trescientos trescientas
400 cuatrocientos cuatrocientas
500 quinientos quinientas
600 seiscientos seiscientas
700 setecientos setecientas
800 ochocientos ochocientas
900 novecientos novecientas
1000 mil
1000000 millón millones
1000000000000 billón billones
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
200 двести двухсот
300 триста трёхсот трехсот
400 четыреста четырёхсот четырехсот
500 пятьсот пятисот
600 шестьсот шестисот
700 семьсот семисот
800 восемьсот восьмисот
900 девятьсот девятисот
1000 тысяча тысячи тысяч тысячу тыс
1000000 миллион миллиона миллионов млн
1000000000 миллиард миллиарда миллиардов млрд
1000000000000 триллион триллиона триллионов
""",
}
_VALUES: dict[Language, dict[str, int]] = {
    language: {
        word: int(line.split()[0])
        for line in spelt.strip().splitlines()
        for word in line.split()[1:]
    }
    for language, spelt in _SPELT.items()
}
_ONES = re.compile(r"one|una?|uno|один|одн(?:а|о|ого|ой|у|ом)")
"""Parts of a number; alone they are mostly articles and pronouns."""
_JOINS = ("and", "y", "-")
_HUNDRED, _THOUSAND = 100, 1000
_MULTIPLIERS = (_THOUSAND, 10**6, 10**9, 10**12)
_PIECE = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|\S")
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_APART = "\u2003"
"""So that a number put in is not read together with the digits beside it."""


@dataclass(slots=True)
class _Number:
    """A number as its words come."""

    start: int
    end: int
    whole: float = 0
    """Of the thousands and millions that are complete."""
    last: float = 0
    """The multiplier that came last; a greater one after it multiplies all before."""
    part: float = 0
    joined: str = ""

    def begin(self, value: float) -> None:
        """Take the first word, or the digits before "million"."""
        if value in _MULTIPLIERS:
            self.whole = self.last = value
        else:
            self.part = value

    def takes(self, value: float) -> bool:
        """Go on with one more word, where it fits."""
        if value in _MULTIPLIERS:
            return self._multiplies(value)
        tens = self.part % _HUNDRED
        if value == _HUNDRED and 1 < self.part < 10 and not self.joined:
            self.part *= value
            return True
        if value < 10:
            fits = (tens >= 20 and not tens % 10) if tens else bool(self.part or self.whole)
            fits = fits and bool({"y": tens, "-": tens, "and": not tens}.get(self.joined, True))
        elif value < _HUNDRED:
            fits = not tens and bool(self.part or self.whole) and self.joined in ("", "and")
        else:
            fits = not self.part and bool(self.whole) and not self.joined
        if fits:
            self.part, self.joined = self.part + value, ""
        return fits

    def _multiplies(self, value: float) -> bool:
        if self.joined or value == self.last or (value < self.last and not self.part):
            return False
        if self.last and value > self.last:  # mil millones
            self.whole = (self.whole + self.part) * value
        else:
            self.whole += self.part * value
        self.part, self.last = 0, value
        return True

    @property
    def value(self) -> str:
        whole = self.whole + self.part
        return f"{whole:.10g}" if whole % 1 else str(int(whole))


def figures(text: str, language: Language) -> str:
    """The text in small letters, its numbers in words of one language put in figures."""
    text = text.lower()
    done, start = [], 0
    for number in _numbers(text, _VALUES[language]):
        done += [text[start : number.start], _APART, number.value, _APART]
        start = number.end
    return "".join([*done, text[start:]])


def _numbers(text: str, values: dict[str, int]) -> list[_Number]:
    found: list[_Number] = []
    now: _Number | None = None
    pieces = list(_PIECE.finditer(text))
    for at, piece in enumerate(pieces):
        said = piece.group()
        value, begins = _value(said, pieces[at + 1].group() if at + 1 < len(pieces) else "", values)
        if value is None:
            if now and said in _JOINS and not now.joined:
                now.joined = said
            else:
                now = None
        elif now and not said[0].isdigit() and now.takes(value):
            now.end = piece.end()
        elif begins:
            now = _Number(piece.start(), piece.end())
            now.begin(value)
            found.append(now)
        else:
            now = None
    return found


def _value(said: str, after: str, values: dict[str, int]) -> tuple[float | None, bool]:
    """What a piece of text is worth as a part of a number, and whether one may begin with it."""
    if said in values:
        return values[said], True
    if _ONES.fullmatch(said):
        return 1, False
    is_multiplied = said[0].isdigit() and values.get(after, 0) in _MULTIPLIERS
    amount = _amount(said) if is_multiplied else None
    return amount, amount is not None


def _amount(digits: str) -> float | None:
    """What stands before "million": 2.5 and 2,5 are the same, and 10.000 is ten thousand."""
    if _GROUPED.fullmatch(digits):
        return float(re.sub(r"\D", "", digits))
    try:
        return float(digits.replace(",", "."))
    except ValueError:
        return None
