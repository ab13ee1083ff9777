"""Choose between a model's words and the document's own, sentence by sentence.

Pure: it sees how a sentence is borne out and how well the best extracted one answers.
"""

from typing import Literal

from lumbre.knowledge.cite import Borne
from lumbre.knowledge.extract import Extract

Verdict = Literal["answers", "supported", "unsupported", "contradicts", "denies", "empty"]
"""Of a sentence: borne out and about the question; borne out; borne out by nothing; the
same, while stating numbers, dates or names that no source has; says that it is not there;
says nothing ("Here is the answer:")."""


def verdict(borne: Borne | None, extract: Extract, *, invents: bool) -> Verdict:
    """What a sentence of a model is worth."""
    if borne is None:
        return "contradicts" if invents else "unsupported"
    return "answers" if borne.answers else "supported"
