"""Tell from a question what would answer it: a number, a sum of money, a word about what.

Of two sentences about the same thing, the one with a price answers "how much is it"; of
two about the same flat, the one with "deposit" answers "how much is the deposit".
"""

import re

from lumbre.knowledge.calendar_words import named
from lumbre.knowledge.numbers import stated
from lumbre.knowledge.terms import stems
from lumbre.words import Language

_ASKS_MONEY = re.compile(
    r"\bhow much (?:does|do|is|are|was|were|did|will|would)\b|\b(?:costs?|price|fee|fine|rent)\b|"
    r"\bcu[aá]nto (?:cuesta|costaba|costó|costará|vale|se paga|pag\w+|cobra\w*|sube)\b|"
    r"\b(?:de|a) cu[aá]nto\b|\b(?:precio|importe|coste|tarifa|multa)\b|"
    r"\bсколько (?:сто\w+|(?:нужно |надо )?(?:за)?плат\w+)|\b(?:цена|цену|стоимость|штраф)\b|"
    r"\bкакая (?:сумма|плата)\b",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|often|far|old|big|high|large|heavy|tall|fast|late|early|soon)\b|"
    r"\bwh(?:at|ich) (?:percentage|number|time|temperature|date|day|year|weight|speed|age|size)\b|"
    r"\bwhen\b|\bcu[aá]nt[oa]s?\b|\bcu[aá]ndo\b|"
    r"\bqu[eé] (?:porcentaje|d[ií]as?|fecha|hora|temperatura|n[uú]mero|a[ñn]o|edad|peso|tamaño)\b|"
    r"\bсколько\b|\bкогда\b|\bскольк\w+|\bкак (?:часто|долго|давно)\b|"
    r"\bкак(?:ой|ого|ому|ом|ая|ую|им) "
    r"(?:процент|год|числ|скорост|температур|возраст|размер|вес)\w*|"
    r"\b(?:до|с|к|в) как\w+ (?:час|дн|числ|год|врем|срок)\w*",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"[€$£₽%]|\b(?:euros?|eur|dollars?|usd|rubles?|rublos?|roubles?|pounds?|libras?|d[oó]lar\w*|"
    r"руб\w*|евро|доллар\w*|фунт\w*)\b|\bр\.",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:how (?:many|much|long|often|old|far)|what|which|who|whom|whose|where|when|why|how|"
    r"qu[eé]|cu[aá]l(?:es)?|cu[aá]nt[oa]s?|qui[eé]n(?:es)?|d[oó]nde|cu[aá]ndo|c[oó]mo|"
    r"что|как\w*|сколько|кто|кому|кого|где|когда|почему|чей|чем)\b",
    re.IGNORECASE,
)
_EACH = 0.3


def asks_number(question: str) -> bool:
    """Whether what answers it is a number, a date or a sum of money."""
    return bool(_ASKS_MONEY.search(question) or _ASKS_NUMBER.search(question))


def answers_kind(question: str, sentence: str) -> float:
    """0 to 0.6: whether the sentence has what the question asks for.

    A number or date that the question did not bring, and a sum of money. 0 where the
    question asks for neither.
    """
    money = bool(_ASKS_MONEY.search(question))
    if not money and not _ASKS_NUMBER.search(question):
        return 0.0
    new = (stated(sentence) - stated(question)) | (named(sentence) - named(question))
    return _EACH * bool(new) + _EACH * (money and bool(new) and bool(_MONEY.search(sentence)))


def asked_about(question: str, language: Language) -> str:
    """The stem of the first telling word after the question word; empty where there is none."""
    asks = _ASKS.search(question)
    return next(iter(stems(question[asks.end() :] if asks else question, language)), "")
