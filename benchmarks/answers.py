"""Do answers hold what was asked for, name where it stands, and refuse what is not there?

XQuAD's dev half, 60 questions a language with the starter's primary model, each over the
paragraphs of its language: the share of answers with the expected words, of the model's
text, of the documents' own sentences, and of what is shown; the share of citations that
name the right paragraph. Then 17 of them with their paragraph, and with their article,
taken out of reach: how many are refused. Last the example questions: whether a quote
overlaps the expected passage. What the model wrote is kept by its prompt beside the
results, so that a run goes on where it was broken off and rules can be replayed.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumbre.config import load
from lumbre.core.document import Answer
from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message
from lumbre.knowledge.answer import Done, Settings, answer
from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Cut, Ingest
from lumbre.knowledge.language import language_of
from lumbre.knowledge.reading import Reader
from lumbre.runtime import Runtime
from lumbre.store import Store
from lumbre.words import LANGUAGES, Language
from recording import about, keep

EXAMPLES = Path(__file__).parents[1] / "examples"
PRESENT = 60
TAKEN = 17
_WORD = re.compile(r"[^\W_]+")
AT_LEAST = {
    "shown, beside the better of the two": -0.02,
    "citations that name the right paragraph": 0.85,
    "refused or not as it should be, article taken": 0.90,
    "refused or not as it should be, paragraph taken": 0.80,
    "examples: quotes that overlap the expected passage": 0.90,
}


class Remembers:
    """`Speaks` through the real runtime; what the model wrote is kept by its prompt."""

    def __init__(self, runtime: Runtime, kept: Path) -> None:
        self._runtime = runtime
        self._kept = kept
        self._known: dict[str, str] = {}
        if kept.exists():
            rows = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
            self._known = {row["prompt"]: row["text"] for row in rows}
        self.wrote = ""
        """What the model said last, all of it."""

    @property
    def embedding_version(self) -> str:
        return self._runtime.embedding_version

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return await self._runtime.embed(texts)

    async def count(self, messages: Sequence[Message], model: str) -> int:
        return await self._runtime.count(messages, model)

    def window_tokens(self, model: str) -> int:
        return self._runtime.window_tokens(model)

    async def chat(self, request: ChatRequest, model: str) -> AsyncIterator[Delta]:
        """The whole text at once, so that what is checked is what would have come."""
        key = prompt_key(request.messages)
        if key not in self._known:
            deltas = [delta.text async for delta in self._runtime.chat(request, model)]
            self._known[key] = "".join(deltas)
            with self._kept.open("a", encoding="utf-8") as file:
                row = {"prompt": key, "text": self._known[key]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.wrote = self._known[key]
        yield Delta(self.wrote)


def prompt_key(messages: Sequence[Message]) -> str:
    said = json.dumps([[message.role, message.text] for message in messages])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Case:
    """A question with what it should find."""

    question: str
    expected: tuple[str, ...]
    paragraph: int
    article: int


@dataclass(frozen=True)
class Outcome:
    """What became of one question."""

    language: Language
    condition: str
    answered: bool
    generated: bool
    extractive: bool
    shown: bool
    cited: tuple[bool, ...]
    likely: float


def cases(folder: Path, language: Language) -> tuple[list[str], list[Case]]:
    data = json.loads((folder / f"xquad-dev.{language}.json").read_text(encoding="utf-8"))["data"]
    texts: list[str] = []
    found: list[Case] = []
    for article, entry in enumerate(data):
        for paragraph in entry["paragraphs"]:
            for qa in paragraph["qas"]:
                expected = tuple(given["text"] for given in qa["answers"])
                found.append(Case(qa["question"], expected, len(texts), article))
            texts.append(paragraph["context"])
    random.Random(7).shuffle(found)  # the same questions in every language
    return texts, found


def articles(found: Sequence[Case]) -> dict[int, int]:
    """Paragraph -> article."""
    return {case.paragraph: case.article for case in found}


async def index_of(folder: Path, texts: Sequence[str], speaks: Remembers) -> Index:
    papers = folder / "papers"
    papers.mkdir()
    for at, text in enumerate(texts):
        (papers / f"{at:03}.txt").write_text(text, encoding="utf-8")
    return await added(Index(Store(folder / "lumbre.db")), papers, speaks)


async def added(index: Index, papers: Path, speaks: Remembers) -> Index:
    async with Reader() as reader:
        ingest = Ingest(index, speaks, reader, cut=Cut(), fallback="en")
        async for step in ingest.add([papers]):
            if isinstance(step, Added) and step.document.status != "indexed":
                raise SystemExit(f"{step.document.path}: {step.document.reason}")
    return index


async def told(
    question: str,
    index: Index,
    speaks: Remembers,
    model: str,
    language: Language,
    within: Sequence[str] = (),
    history: Sequence[Message] | None = None,
) -> Answer:
    speaks.wrote = ""
    steps = answer(
        question,
        index,
        speaks,
        model=model,
        settings=Settings(),
        within=within,
        history=history,
        fallback=language,
    )
    last = [step async for step in steps][-1]
    assert isinstance(last, Done)
    return last.answer


async def xquad(folder: Path, speaks: Remembers, model: str) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for language in LANGUAGES:
        texts, found = cases(folder, language)
        owner = articles(found)
        with tempfile.TemporaryDirectory() as home:
            index = await index_of(Path(home), texts, speaks)
            paths = {at: f"{home}/papers/{at:03}.txt" for at in range(len(texts))}
            for condition, number in (
                ("present", PRESENT),
                ("paragraph", TAKEN),
                ("article", TAKEN),
            ):
                for case in found[:number]:
                    gone = {
                        "present": set(),
                        "paragraph": {case.paragraph},
                        "article": {at for at in paths if owner.get(at) == case.article},
                    }[condition]
                    within = [path for at, path in paths.items() if at not in gone]
                    given = await told(
                        case.question, index, speaks, model, language, within if gone else ()
                    )
                    outcomes.append(outcome(case, given, speaks.wrote, language, condition))
                    print(f"{language} {condition} {len(outcomes)}", file=sys.stderr, flush=True)
    return outcomes


def outcome(case: Case, given: Answer, wrote: str, language: Language, condition: str) -> Outcome:
    extractive = " ".join(citation.quote for citation in given.extractive)
    return Outcome(
        language=language,
        condition=condition,
        answered=given.answered,
        generated=holds(wrote, case.expected),
        extractive=holds(extractive, case.expected),
        shown=given.answered and holds(given.text, case.expected),
        cited=tuple(int(Path(c.document).stem) == case.paragraph for c in given.citations),
        likely=given.explained.likely if given.explained else 0.0,
    )


def holds(text: str, expected: Sequence[str]) -> bool:
    """Whether one of the expected answers stands in the text, capitals and marks apart."""
    return any(plain(one) in plain(text) for one in expected)


def plain(text: str) -> str:
    return " ".join(["", *_WORD.findall(text.lower().replace("ё", "е")), ""])


async def examples(speaks: Remembers, model: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as home:
        index = await added(Index(Store(Path(home) / "lumbre.db")), EXAMPLES / "documents", speaks)
        quotes: list[bool] = []
        right: list[bool] = []
        answered: dict[bool, list[bool]] = {True: [], False: []}
        for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            history = [Message("user", case["previous"])] if case["previous"] else None
            language = language_of(case["question"], case["language"])
            given = await told(case["question"], index, speaks, model, language, (), history)
            is_there = case["kind"] != "unanswerable"
            answered[is_there].append(given.answered)
            if is_there and given.answered:
                quotes += [
                    overlaps(index, case, c.document, c.start, c.end) for c in given.citations
                ]
                right.append(any(a.casefold() in given.text.casefold() for a in case["answer"]))
            print(f"{case['id']}: {given.origin}", file=sys.stderr, flush=True)
    return {
        "quotes": len(quotes),
        "quotes that overlap": round(float(np.mean(quotes)), 4),
        "answerable": len(answered[True]),
        "answered of them": round(float(np.mean(answered[True])), 4),
        "with an expected answer, of the answered": round(float(np.mean(right)), 4),
        "unanswerable": len(answered[False]),
        "refused of them": round(1 - float(np.mean(answered[False])), 4),
    }


def overlaps(index: Index, case: dict[str, str], document: str, start: int, end: int) -> bool:
    """Whether a quote has letters in common with the expected passage's place."""
    stored = index.stored(document)
    assert stored
    if Path(document).name != case["document"]:
        return False
    kept = [at for at, letter in enumerate(stored.parsed.text) if letter.isalnum()]
    letters = "".join(stored.parsed.text[at] for at in kept)
    wanted = "".join(letter for letter in case["passage"] if letter.isalnum())
    first = letters.find(wanted)
    if first < 0:
        raise SystemExit(f"{case['id']}: the passage is not in the text")
    return start <= kept[first + len(wanted) - 1] and kept[first] < end


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    rows: dict[str, object] = {}
    for language in (*LANGUAGES, "all"):
        mine = [o for o in outcomes if language in (o.language, "all")]
        there = [o for o in mine if o.condition == "present"]
        taken = {
            name: [not o.answered for o in mine if o.condition == name]
            for name in ("paragraph", "article")
        }
        kept = [o.answered for o in there]
        rows[language] = {
            "generated": share([o.generated for o in there]),
            "extractive": share([o.extractive for o in there]),
            "shown": share([o.shown for o in there]),
            "citations that name the right paragraph": share([c for o in there for c in o.cited]),
            "answered, paragraph there": share(kept),
            **{f"refused, {name} taken": share(gone) for name, gone in taken.items()},
            **{
                f"balanced, {name} taken": round((share(kept) + share(gone)) / 2, 4)
                for name, gone in taken.items()
            },
        }
    return rows


def share(values: Sequence[bool]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


async def measured(data: Path | None) -> dict[str, object]:
    config = load(dict(os.environ))
    config.folders.make()
    kept = Path(os.environ.get("KEPT_ANSWERS", config.folders.home / "answers.jsonl"))
    with tempfile.TemporaryDirectory() as home:
        runtime = Runtime(config, Store(Path(home) / "lumbre.db"))
        speaks = Remembers(runtime, kept)
        model = runtime.primary().id
        try:
            found: dict[str, object] = {"model": model}
            if data:
                found["xquad"] = summary(await xquad(data, speaks, model))
            found["examples"] = await examples(speaks, model)
            return found
        finally:
            await runtime.close()


def main() -> None:
    facts = about()
    data = os.environ.get("LUMBRE_TEST_DATA")
    if not data:
        print("LUMBRE_TEST_DATA is not set: the example questions alone")
    result = asyncio.run(measured(Path(data) / "retrieval" if data else None))
    print(json.dumps(result, indent=2))
    keep("answers", facts, {"at_least": AT_LEAST, **result})


if __name__ == "__main__":
    main()
