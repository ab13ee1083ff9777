"""Answer with the document's own sentences, for when a model's words cannot be stood by.

Needs no chat model: the best sentence of the passages that were found, and the next best
of the same document where it is nearly as good, as quotes.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumbre.knowledge.cite import Quote, quoted
from lumbre.knowledge.lines import Line, Sources, of_the_year
from lumbre.knowledge.terms import grams, stems
from lumbre.knowledge.wanted import answers_kind, asked_about
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORDS_WEIGHT = 0.7
_NEIGHBOURS_WEIGHT = 0.3
_GRAMS_WEIGHT = 0.3
_NOW = 2
_HEADING = 0.2
_SENTENCE = re.compile(r"[.!?…;»\"”)|]\s*$")
"""How a sentence ends, or a row of a table; a line that does not names what comes after it."""
_NEARLY = 0.15
"""How much worse than the best a second sentence of its document may be. More of them hold
more of the expected words (0.85 of answers at 0.3, 0.82 at 0.15, 0.76 with none), and more
that nobody asked for. Source of the five: XQuAD dev half, as decision 009 says."""


@dataclass(frozen=True, slots=True)
class Extract:
    """The best sentences, in the order of the document."""

    quotes: tuple[Quote, ...]
    best: Line
    score: float
    """Of the best sentence: its passage's score, a cosine and coverages of the question."""
    scores: dict[tuple[str, int], float]
    """By document and start of each sentence there was."""


def extracted(
    question: str,
    language: Language,
    asked: "NDArray[np.float32]",
    sources: Sources,
    *,
    now: str = "",
) -> Extract | None:
    """The sentences that answer a question best; None where there are none.

    `asked`: the question's vector, unit length. `now`: the end of it that is asked now, where
    the rest was asked before: its words weigh more.
    """
    candidates = of_the_year(question, sources.lines) or sources.lines
    if not candidates:
        return None
    scores = scored(question, language, asked, candidates, now or question)
    ranked = sorted(zip(scores, candidates, strict=True), key=lambda row: -row[0])
    (best_score, best), *others = ranked
    beside = [row for row in others if row[1].hit.document == best.hit.document][:1]
    kept = [best] + [line for score, line in beside if score > best_score - _NEARLY]
    ordered = sorted(kept, key=lambda line: line.span.start)
    return Extract(
        quotes=tuple(quoted(line, sources, frozenset(), question) for line in ordered),
        best=best,
        score=best_score,
        scores={(line.hit.document, line.span.start): score for score, line in ranked},
    )


def scored(
    question: str,
    language: Language,
    asked: "NDArray[np.float32]",
    candidates: Sequence[Line],
    now: str,
) -> list[float]:
    """How well each sentence answers, higher is better; each by itself but for its neighbours."""
    about = asked_about(now, language)
    words = Counter({word: 1 + (word == about) for word in stems(question, language)})
    if now != question:
        words += Counter(dict.fromkeys(stems(now, language), _NOW))
    pieces = Counter(set(grams(question)))
    line_words = [
        set(stems(line.text, language)) if line.hit.language == language else set()
        for line in candidates
    ]
    found = []
    for at, line in enumerate(candidates):
        around = set(line_words[at])
        for beside in (at - 1, at + 1):
            if 0 <= beside < len(candidates) and candidates[beside].hit is line.hit:
                around |= line_words[beside]
        found.append(
            line.hit.score
            + float(asked @ line.vector)
            + _WORDS_WEIGHT * _share(words, line_words[at])
            + _NEIGHBOURS_WEIGHT * _share(words, around)
            + _GRAMS_WEIGHT * _share(pieces, set(grams(line.text)))
            + answers_kind(question, line.text)
            - _HEADING * (_SENTENCE.search(line.text) is None)
        )
    return found


def _share(wanted: Counter[str], there: set[str]) -> float:
    """The share of the weight of the wanted terms that are there."""
    whole = wanted.total()
    return sum(weight for term, weight in wanted.items() if term in there) / whole if whole else 0.0
