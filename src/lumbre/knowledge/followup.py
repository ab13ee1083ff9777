"""What to search for when a question leans on the one before it."""

import re
from collections.abc import Sequence

from lumbre.core.messages import Message
from lumbre.knowledge.stopwords import stop_words
from lumbre.knowledge.terms import words
from lumbre.words import LANGUAGES

_LEANING = re.compile(
    r"^\W*(?:"
    r"y|e|pero|entonces|también|tampoco|o|además|"
    r"and|but|so|then|also|what about|how about|or|"
    r"а|и|но|тогда|ну|или|а\s+если|тоже"
    r")\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:"
    r"eso|esto|ese|esa|esos|esas|ello|él|ella|ellos|ellas|allí|lo mismo|"
    r"it|its|that|this|those|these|they|them|he|she|him|her|there|one|"
    r"это|этот|эта|эти|этого|этой|этом|он|она|они|его|её|ее|их|им|ему|ей|нём|нем|там|тот|та|те"
    r")\b",
    re.IGNORECASE,
)
_SMALL_TALK = re.compile(
    r"^\W*(?:"
    r"hola|buen[oa]s|gracias|muchas gracias|adiós|hasta luego|qué tal|cómo est[áa]s?|quién eres|"
    r"vale|perfecto|de acuerdo|"
    r"hello|hi|hey|thanks|thank you|bye|goodbye|how are you|who are you|good (?:morning|evening)|"
    r"ok|okay|great|"
    r"привет|здравствуйте?|спасибо|пока|до свидания|как дела|кто ты|добрый (?:день|вечер)|"
    r"доброе утро|хорошо|ладно|понятно"
    r")\b",
    re.IGNORECASE,
)
_FEW = 2
"""Words that say something; a question with no more stands on the one before."""

_FURTHEST = 2
"""Questions further back than this are what the talk was about before."""


def leans_back(question: str) -> bool:
    """Whether a question can hardly be understood without the one before it."""
    stopped = frozenset().union(*(stop_words(language) for language in LANGUAGES))
    telling = [word for word in words(question) if word not in stopped]
    if _SMALL_TALK.match(question) and len(telling) <= _FEW:
        return False
    return bool(_LEANING.match(question) or _POINTING.search(question)) or len(telling) <= _FEW


def search_text(question: str, history: Sequence[Message]) -> str:
    """The question after those it leans on: back to one that stands by itself, a few at most."""
    asked = [question]
    for before in (said.text for said in reversed(history) if said.role == "user"):
        if len(asked) > _FURTHEST or not leans_back(asked[0]):
            break
        asked.insert(0, before)
    return " ".join(asked)
