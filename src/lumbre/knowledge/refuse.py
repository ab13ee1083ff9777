"""Tell from what was found, before any model is asked, how likely it is that it answers.

A person's question has its answer in one of the best passages, or the documents do not
hold it. What tells the two apart is the passage's score, then its closeness in meaning,
the word of the question that it has the least of, and how much was asked.
"""

from collections.abc import Sequence
from math import exp, log

from lumbre.knowledge.fusion import Evidence

_SCORE, _WHOLE, _WEAKEST, _LENGTH, _BIAS = 9.0, -3.0, 0.5, 0.6, -6.0
_SCORE_ACROSS, _WHOLE_ACROSS, _WEAKEST_ACROSS, _LENGTH_ACROSS, _BIAS_ACROSS = (
    9.0,
    -3.0,
    0.5,
    0.6,
    -6.0,
)
"""Weights of a logistic rule, in the question's language and in another. Source:
benchmarks/refusal.py, fitted on the XQuAD dev half: answers there, their article taken away,
only their paragraph taken away."""

OUTRIGHT = 0.1
"""Below it a question is refused unread: that loses about one answer in a hundred."""
BALANCED = 0.5
"""Above it the answer is there more likely than not, where half of all questions have one."""


def answerable(evidence: Sequence[Evidence]) -> float:
    """The probability, 0 to 1, that one of these passages holds the answer; 0 for none.

    As if half of all questions had one: the rule cannot know how a person asks.
    """
    return max(map(likely, evidence), default=0.0)


def likely(evidence: Evidence) -> float:
    """The probability that this passage holds the answer. A better score makes it greater."""
    return 1 / (1 + exp(-_odds(evidence)))


def told_by(evidence: Evidence) -> tuple[float, float, float, float]:
    """What the rule looks at, in the order of its weights."""
    return evidence.score, evidence.whole, evidence.weakest, log(max(1, evidence.asked_words))


def _odds(evidence: Evidence) -> float:
    score, whole, weakest, length = told_by(evidence)
    if evidence.same_language:
        told = _SCORE * score + _WHOLE * whole + _WEAKEST * weakest + _LENGTH * length
        return told + _BIAS
    told = _SCORE_ACROSS * score + _WHOLE_ACROSS * whole
    return told + _WEAKEST_ACROSS * weakest + _LENGTH_ACROSS * length + _BIAS_ACROSS
