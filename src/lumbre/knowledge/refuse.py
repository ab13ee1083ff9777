"""Tell from what was found, before any model is asked, how likely it is that it answers.

A person's question has its answer in one of the best passages, or the documents do not hold
it. What tells the two apart is the passage's score. Its closeness in meaning counts less than
it does for the score, for other paragraphs about the same thing are close too; and the more
words a question has, the less of them even the right passage shares.
"""

from collections.abc import Sequence
from math import exp, log

from lumbre.knowledge.fusion import Evidence

WEIGHTS = (10.99, -6.13, 0.558, -5.79)
WEIGHTS_ACROSS = (8.21, -2.39, 0.165, -3.78)
"""Of the score, the whole passage's closeness, the logarithm of the number of words, and none:
a logistic rule, in the question's language and in another. Source: benchmarks/refusal.py on
the XQuAD dev half, answers there and taken away with their paragraph or their article."""

OUTRIGHT = 0.08
"""Below it nothing that was found has to do with the question. In one language four answers of
a thousand are lost, and of questions whose article is away seven in ten are told; across two
none is lost and one in ten told."""
BALANCED = 0.45
"""Above it the answer is there more likely than not, where half of all questions have one."""


def answerable(evidence: Sequence[Evidence]) -> float:
    """The probability, 0 to 1, that one of these passages holds the answer; 0 for none.

    As if half of all questions had one: the rule cannot know how a person asks.
    """
    return max(map(likely, evidence), default=0.0)


def likely(evidence: Evidence) -> float:
    """The probability that this passage holds the answer; it grows with the score."""
    weights = WEIGHTS if evidence.same_language else WEIGHTS_ACROSS
    told = sum(weight * part for weight, part in zip(weights, (*told_by(evidence), 1), strict=True))
    return 1 / (1 + exp(-told))


def told_by(evidence: Evidence) -> tuple[float, float, float]:
    """What the rule looks at, in the order of its weights."""
    return evidence.score, evidence.whole, log(max(1, evidence.asked_words))
