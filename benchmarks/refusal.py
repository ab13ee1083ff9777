"""How well "not in your documents" is told from what a search found, no model asked.

XQuAD's dev half, each paragraph a .txt document in a real index. Every question is asked
three times: with everything there, with its whole article removed, with its paragraph
removed. Balanced accuracy: the mean of the share of answerable questions let through and
the share of the others refused. The rule is fitted on one half of the articles and judged
on the other, then the halves change places; once with the bound that is best for each of
the two situations, once with one bound for both.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fitting import Logistic, Numbers, balanced, best_bound, logistic
from numpy.typing import NDArray
from retrieval import Half, InProcess, added, index_of, read

from lumbre.knowledge.fusion import Evidence
from lumbre.knowledge.index import Index
from lumbre.knowledge.refuse import BALANCED, OUTRIGHT, answerable, told_by
from lumbre.knowledge.retrieve import search
from lumbre.words import LANGUAGES, Language
from recording import about, keep

TOP = 3
THERE, NO_PARAGRAPH, NO_ARTICLE = range(3)
AT_LEAST = {NO_PARAGRAPH: 0.80, NO_ARTICLE: 0.90}
NAMES = {NO_PARAGRAPH: "only the paragraph removed", NO_ARTICLE: "whole article removed"}
ACROSS_EVERY = 3
"""Of the questions asked in another language, for information."""


@dataclass(frozen=True)
class Asking:
    """What was found for a question in one situation."""

    asked: Language
    held: Language
    situation: int
    article: int
    evidence: tuple[Evidence, ...]


async def askings(held: Language, halves: dict[Language, Half], vectors: InProcess) -> list[Asking]:
    half = halves[held]
    texts = {f"{at:03}.txt": text for at, text in enumerate(half.paragraphs)}
    found: list[Asking] = []

    async def ask(index: Index, situation: int, paragraphs: Sequence[int]) -> None:
        for asked in LANGUAGES:
            cases = [case for case in halves[asked].cases if case.paragraph in paragraphs]
            for case in cases[:: 1 if asked == held else ACROSS_EVERY]:
                hits = await search(case.question, index, vectors, top=TOP, fallback=asked)
                article = half.articles[case.paragraph]
                found.append(Asking(asked, held, situation, article, hits.evidence))

    with tempfile.TemporaryDirectory() as folder:
        index = await index_of(texts, vectors, Path(folder))
        everything = range(len(half.paragraphs))
        await ask(index, THERE, everything)
        of_article = [
            [at for at in everything if half.articles[at] == article]
            for article in dict.fromkeys(half.articles)
        ]
        groups = [(NO_ARTICLE, one) for one in of_article]
        groups += [(NO_PARAGRAPH, [at]) for at in everything]
        for situation, gone in groups:
            paths = [Path(folder) / "papers" / f"{at:03}.txt" for at in gone]
            index.remove([str(path) for path in paths])
            await ask(index, situation, gone)
            await added(index, paths, vectors)
    return found


def _parts(of: Sequence[Asking]) -> Numbers:
    """Of the best passage of each."""
    return np.array([told_by(one.evidence[0]) for one in of], np.float64)


def fitted(of: Sequence[Asking]) -> Logistic:
    """Half of the weight on questions with an answer, a quarter on each way to have none."""
    counts = np.array([1.0 if one.situation == THERE else 0.5 for one in of])
    return logistic(_parts(of), np.array([one.situation == THERE for one in of]), counts)


def halved(every: Sequence[Asking]) -> dict[tuple[str, int], float]:
    """Balanced accuracy by bound ("own" or "one") and situation, mean of halves and languages."""
    found: dict[tuple[str, int], list[float]] = {}
    for at in (0, 1):
        seen = [one for one in every if one.article % 2 != at]
        rule = fitted(seen)

        def of(which: Sequence[Asking], situation: int, rule: Logistic = rule) -> Numbers:
            return rule.of(_parts([one for one in which if one.situation == situation]))

        there = of(seen, THERE)
        gone = {situation: of(seen, situation) for situation in NAMES}
        both = best_bound(there, np.concatenate(list(gone.values())))
        for language in LANGUAGES:
            judged = [one for one in every if one.article % 2 == at and one.asked == language]
            if not judged:
                continue
            for situation in NAMES:
                own = best_bound(there, gone[situation])
                for name, bound in (("own", own), ("one", both)):
                    value = balanced(of(judged, THERE), of(judged, situation), bound)
                    found.setdefault((name, situation), []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def report(every: Sequence[Asking]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    same = [one for one in every if one.asked == one.held]
    across = [one for one in every if one.asked != one.held]
    for name, group in (("in one language", same), ("across two", across)):
        for (bound, situation), value in halved(group).items():
            least = AT_LEAST[situation] if name == "in one language" else None
            rows.append(_row(f"{name}, {NAMES[situation]}", f"{bound} bound", value, least))
        shipped = {
            situation: np.array(
                [answerable(one.evidence) for one in group if one.situation == situation]
            )
            for situation in range(3)
        }
        for situation, told in NAMES.items():
            value = balanced(shipped[THERE], shipped[situation], BALANCED)
            rows.append(_row(f"{name}, {told}", "shipped, BALANCED", value, None))
        for situation, p in shipped.items():
            told = NAMES.get(situation, "answer there")
            rows.append(
                _row(f"{name}, {told}", "refused outright", float((p < OUTRIGHT).mean()), None)
            )
    return rows


def _row(figure: str, how: str, value: float, least: float | None) -> dict[str, object]:
    holds = least is None or value >= least
    bound = "" if least is None else f" (at least {least})"
    print(f"{figure}, {how}: {value:.4f}{bound}{'' if holds else '  MISSED'}", flush=True)
    return {
        "figure": figure,
        "how": how,
        "measured": round(value, 4),
        "at_least": least,
        "holds": holds,
    }


def to_ship(every: Sequence[Asking]) -> dict[str, object]:
    """Weights fitted on every question, and the bounds that go with them."""
    kept: dict[str, object] = {}
    for name, group in (
        ("same", [one for one in every if one.asked == one.held]),
        ("across", [one for one in every if one.asked != one.held]),
    ):
        rule = fitted(group)
        p = [rule.of(_parts([one for one in group if one.situation == at])) for at in range(3)]
        kept[name] = {
            "weights": [*np.round(rule.weights, 3).tolist(), round(rule.bias, 3)],
            "best_for_both": round(best_bound(p[0], np.concatenate(p[1:])), 3),
            "loses_1_percent": round(float(np.quantile(p[0], 0.01)), 4),
            "loses_2_percent": round(float(np.quantile(p[0], 0.02)), 4),
            "calibration": _calibration(p),
        }
    return kept


def _calibration(p: Sequence[Numbers]) -> list[list[float]]:
    """[p said, share that was so], both situations without an answer counting half."""
    every = np.concatenate(p)
    is_so = np.concatenate([np.ones(len(p[0])), np.zeros(len(p[1]) + len(p[2]))])
    counts = np.where(is_so == 1, 1.0, 0.5)
    bins: NDArray[np.int64] = np.minimum((every * 5).astype(np.int64), 4)
    rows = []
    for at in range(5):
        chosen = bins == at
        if chosen.any():
            weight = counts[chosen]
            said, so = (
                float(np.average(values[chosen], weights=weight)) for values in (every, is_so)
            )
            rows.append([round(said, 3), round(so, 3)])
    return rows


async def main() -> int:
    data = os.environ.get("LUMBRE_TEST_DATA")
    if not data:
        print("LUMBRE_TEST_DATA is not set: no XQuAD at hand, nothing measured")
        return 0
    halves = {language: read(Path(data) / "retrieval", language) for language in LANGUAGES}
    vectors = InProcess()
    facts = about()
    every: list[Asking] = []
    for language in LANGUAGES:
        every += await askings(language, halves, vectors)
    rows = report(every)
    ship = to_ship(every)
    print(json.dumps(ship))
    print(keep("refusal", facts, {"figures": rows, "fitted_on_all": ship}))
    return 0 if all(figure["holds"] for figure in rows) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
