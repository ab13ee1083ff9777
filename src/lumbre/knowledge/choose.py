"""Choose between a model's words and the document's own, sentence by sentence.

Pure: it sees how a sentence is borne out and how well the best extracted one answers.
"""

from typing import Literal

from lumbre.knowledge.cite import Borne
from lumbre.knowledge.extract import Extract
from lumbre.knowledge.numbers import stated
from lumbre.knowledge.terms import stems
from lumbre.words import Language

Verdict = Literal[
    "answers", "beside", "supported", "unsupported", "contradicts", "denies", "empty"
]  # fmt: skip
"""Of a sentence: borne out and about the question; borne out, while another sentence of the
documents answers better, or its own source does; borne out; borne out by nothing; the same,
while stating numbers, dates or names that no source has; says that it is not there; says
nothing that the question had not said ("Here is the answer:")."""

_BESIDE = 0.5
"""How much better another sentence answers than the quoted one, in the scores of `extract`."""
_CLOSE = 1.0
"""Support above which a sentence is nearly its source's own. One that is not, and states no
fact that could be checked, is worth less than the source itself. Source of both: 180 answers
on XQuAD and 76 on the examples, docs/decisions/009-generated-or-extracted.md."""


def verdict(borne: Borne | None, extract: Extract, *, invents: bool) -> Verdict:
    """What a sentence of a model is worth."""
    if borne is None:
        return "contradicts" if invents else "unsupported"
    if not borne.answers:
        return "supported"
    quoted = extract.scores.get((borne.line.hit.document, borne.line.span.start), extract.score)
    if extract.score - quoted > _BESIDE:
        return "beside"
    loose = borne.same_language and borne.support < _CLOSE and not borne.is_fact
    return "beside" if loose else "answers"


def says_nothing(sentence: str, question: str, language: Language) -> bool:
    """Whether a sentence has no telling word or number that its question had not."""
    mine = set(stems(sentence, language)) | stated(sentence, language)
    return not mine - set(stems(question, language)) - stated(question, language)
