"""Notice that a sentence says the opposite of the one it would be quoted from.

"Pets are allowed" is near "Pets are not allowed" in meaning and in words: what differs is
one small word. Only sentences of one language that share nearly all their words are
compared; where an exception is made in one of them alone, nothing is said.
"""

import re

from lumbre.knowledge.terms import stems
from lumbre.words import Language

_SAME = 0.8
"""Of the claim's words: with fewer in common the two may well tell of different things."""
_MOST_CLAUSES = 6
"""Read as one; a claim is rarely spread over more."""

_LEAD = re.compile(r"^\W*(?:yes|no|sí|да|нет)\s*[,.;:!—–-]\s*", re.IGNORECASE)
_CONTRAST = re.compile(r",\s*(?:not|no|не)\s+[\w ]{1,20}(?=[,.;!]|$)", re.IGNORECASE)
"""What a claim tells apart from what it says: "on the 3rd, not the 5th"."""
_LIMIT = re.compile(
    r"\b(?:not?|no|не)\s+(?:more|less|later|earlier|fewer|longer|higher|lower|only|just|"
    r"más|menos|mayor(?:es)?|menor(?:es)?|superior(?:es)?|inferior(?:es)?|antes|después|s[oó]lo|"
    r"solamente|únicamente|"
    r"более|менее|позднее|позже|ранее|раньше|больше|меньше|старше|младше|выше|ниже|свыше|только)\b|"
    r"\b(?:no|n\.?º|№)\.?\s*(?=\d)",
    re.IGNORECASE,
)
"""A limit or a number is no denial: "no more than five", "No. 5"."""
_NOT = re.compile(
    r"\b(?:not|never|cannot|no|nobody|neither|nor|nunca|jamás|ni|nadie|tampoco|ning[uú]n\w*|"
    r"не|нет|никогда|ни|нельзя|никто)\b|n['’]t\b",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(
    r"\b(?:forbid\w*|prohibit\w*|prohíb\w*|prohib\w*|запрещ\w*|запрет\w*)\b", re.IGNORECASE
)
_ALLOWED = re.compile(
    r"\b(?:allow\w*|permit\w*|permis\w*|permite\w*|autoriz\w*|admit\w*|"
    r"разреш\w*|допуска\w*|можно|нельзя)\b",
    re.IGNORECASE,
)
_EXCEPTION = re.compile(
    r"\b(?:except\w*|unless|without|only|other than|salvo|excepto|a menos que|sin|s[oó]lo|"
    r"únicamente|кроме|если|без|только|лишь|исключени\w+)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\s*[,;:—–()|]\s*|\s-\s|\b(?:but|although|while|and|or|pero|sino|aunque|y|o|но|хотя|а|и|или)\b",
    re.IGNORECASE,
)


def turned(claim: str, text: str, language: Language) -> bool:
    """Whether a claim affirms what a sentence of its language denies, or denies what it affirms."""
    said = _CONTRAST.sub("", _LEAD.sub("", claim))
    wanted = _terms(said, language)
    enough = _SAME * len(wanted)
    if not wanted or len(wanted & _terms(text, language)) < enough:
        return False
    clauses = [clause for clause in _CLAUSE.split(text) if clause.strip()]
    runs = [
        " , ".join(clauses[first : last + 1])
        for first in range(len(clauses))
        for last in range(first, min(first + _MOST_CLAUSES, len(clauses)))
    ]
    shared = [(len(wanted & _terms(run, language)), -len(run), run) for run in runs]
    common, _, nearest = max(shared, default=(0, 0, ""))
    if common < enough:
        return False
    if bool(_EXCEPTION.search(said)) != bool(_EXCEPTION.search(text)):
        return False
    return _denies(said) != _denies(nearest)


def _denies(text: str) -> bool:
    plain = _LIMIT.sub(" ", text)
    return bool(_NOT.search(plain)) != bool(_FORBIDDEN.search(plain))


def _terms(text: str, language: Language) -> set[str]:
    """Stems of what a text is about; allowing and forbidding are one."""
    about = _NOT.sub(" ", _ALLOWED.sub(" permit ", _FORBIDDEN.sub(" permit ", text)))
    return set(stems(about, language))
