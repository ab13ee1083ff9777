"""Fit the few weights of a rule to questions whose answer is known; small and regular.

Weights are fitted on one half of the articles and judged on the other, then the halves
change places: a figure is never of questions that its weights have seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """One question: what is known of each passage found, which are right, what it counts."""

    parts: Numbers
    """(passages, features)"""
    right: NDArray[np.bool_]
    counts: float = 1.0


def listwise(questions: list[Ranked], *, keep_small: float = 1e-4, rounds: int = 25) -> Numbers:
    """Weights under which the right passage is the likeliest, by Newton's method.

    Source: Z. Cao and others, Learning to rank: from pairwise to listwise approach, 2007,
    with one right passage: the best of the right ones at the weights of the round before.
    """
    width = questions[0].parts.shape[1]
    weights = np.full(width, 3.0)
    total = sum(question.counts for question in questions)
    for _ in range(rounds):
        slope = -keep_small * total * weights
        bend = keep_small * total * np.eye(width)
        for question in questions:
            scores = question.parts @ weights
            best = int(np.where(question.right, scores, -np.inf).argmax())
            among = ~question.right
            among[best] = True
            parts = question.parts[among]
            likely = np.exp(scores[among] - scores[among].max())
            likely /= likely.sum()
            mean = likely @ parts
            slope += question.counts * (question.parts[best] - mean)
            apart = parts - mean
            bend += question.counts * (apart.T * likely) @ apart
        step = np.linalg.solve(bend, slope)
        weights += step * min(1.0, 15 / np.abs(step).max())
        if np.abs(step).max() < 1e-2:
            break
    return weights


@dataclass(frozen=True)
class Logistic:
    """p = 1 / (1 + exp(-(parts @ weights + bias)))."""

    weights: Numbers
    bias: float

    def of(self, parts: Numbers) -> Numbers:
        """p of each row."""
        found: Numbers = 1 / (1 + np.exp(-(parts @ self.weights + self.bias)))
        return found


def logistic(parts: Numbers, is_so: NDArray[np.bool_], counts: Numbers) -> Logistic:
    """Fitted by Newton's method; the features are brought to one scale while it is."""
    middle, spread = parts.mean(axis=0), parts.std(axis=0) + 1e-6
    columns = np.column_stack([(parts - middle) / spread, np.ones(len(parts))])
    counts = counts / counts.sum()
    small = np.diag([*np.full(parts.shape[1], 3e-3), 1e-9])
    weights = np.zeros(columns.shape[1])
    for _ in range(40):
        likely = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (counts * (is_so - likely)) - small @ weights
        bend = (columns.T * (counts * likely * (1 - likely))) @ columns + small
        weights += np.linalg.solve(bend, slope)
    scaled = weights[:-1] / spread
    return Logistic(scaled, float(weights[-1] - scaled @ middle))


def balanced(yes: Numbers, no: Numbers, bound: float) -> float:
    """Balanced accuracy of "at least the bound"."""
    return float(((yes >= bound).mean() + (no < bound).mean()) / 2)


def best_bound(yes: Numbers, no: Numbers) -> float:
    """The middle of the bounds that are about the best, for the best itself is chance."""
    bounds = np.unique(np.concatenate([yes, no]))
    found = np.array([balanced(yes, no, bound) for bound in bounds])
    return float(bounds[found >= found.max() - 0.004].mean())
