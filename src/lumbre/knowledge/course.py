"""Follow one question from what was found to the answer that is shown, and say why it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lumbre.core.document import Answer, Citation, Explained, Ledger, Origin
from lumbre.core.messages import Message
from lumbre.knowledge.cite import Quote, stands
from lumbre.knowledge.index import Index
from lumbre.knowledge.refuse import BALANCED, OUTRIGHT, answerable
from lumbre.knowledge.retrieve import NOTHING, Found
from lumbre.knowledge.telling import Telling
from lumbre.prompting.ledger import Fitted
from lumbre.prompting.template import template
from lumbre.words import Language, say

_EXTRACTS = 0.2
"""How likely an answer must be there for the documents' own words to be shown in place of a
model's that say too little. Source: benchmarks/answers.py: with 0.15, of questions whose
paragraph was taken away 6 in a hundred more get sentences that do not answer them."""


@dataclass(slots=True)
class Course:
    """One answer: what was asked, and what has happened to it so far."""

    question: str
    language: Language
    model: str
    clock: Callable[[], float]
    history: Sequence[Message]
    searched: str = ""
    """What was searched for: the question, with the one before it where it leans on that."""
    found: Found = NOTHING
    likely: float = 0.0
    text: str = ""
    origin: Origin = "none"
    why: str = ""
    cited: tuple[Quote, ...] = ()
    extractive: tuple[Quote, ...] = ()
    unsupported: tuple[str, ...] = ()
    sentences: tuple[tuple[str, str], ...] = ()
    removed_citations: int = 0
    ledger: Ledger | None = None
    template: str = ""
    timing: dict[str, float] = field(default_factory=dict)
    begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun_s = self.clock()

    def judge(self, found: Found) -> None:
        """Take in what was found, and whether it has to do with the question."""
        self.found = found
        self.likely = answerable(found.evidence)

    @property
    def related(self) -> bool:
        """Whether the passages may hold an answer, so that a model is asked about them."""
        return self.likely >= OUTRIGHT

    def refuse(self, why: str) -> str:
        """The answer is not in the documents; the sentence that says so."""
        self.why = why
        self.text = say("answer.not_in_documents", self.language)
        return self.text

    def settle(self, telling: Telling, fitted: Fitted, index: Index) -> str:
        """Take in what a model told. What is still to be shown: nothing where its words stand."""
        told, extract = telling.told, telling.extract
        self.timing |= told.timing
        self.ledger, self.template = fitted.ledger, fitted.prompt.template.id
        self.sentences = tuple(told.verdicts)
        self.removed_citations = told.marks_removed
        quotes = extract.quotes if extract else ()
        self.extractive = tuple(quote for quote in quotes if stands(quote, index))
        if told.shown or extract is None:
            self.origin, self.why = "generated", "stands" if extract else "talk"
            self.cited, self.unsupported = tuple(told.cited), tuple(told.unsupported)
            return ""
        if told.refused or not self.may_extract or not self.extractive:
            return self.refuse("refused" if told.refused else "unlikely_either")
        self.origin, self.why = "extractive", "contradicts"
        self.cited = self.extractive
        marked = (f"«{quote.text}» [{n}]" for n, quote in enumerate(self.cited, start=1))
        self.text = say("answer.extract", self.language, quotes=" ".join(marked))
        return self.text

    @property
    def may_extract(self) -> bool:
        """Whether the documents' own words are answer enough to be shown instead.

        A model that invents a figure is a sign that none is there: more is then asked for.
        """
        invents = any(found == "contradicts" for _, found in self.sentences)
        return self.likely >= (BALANCED if invents else _EXTRACTS)

    def finished(self, window_tokens: int) -> Answer:
        """The whole answer."""
        self.timing.setdefault("first_token_s", 0.0)
        self.timing.setdefault("generate_s", 0.0)
        self.timing["total_s"] = self.clock() - self.begun_s
        return Answer(
            text=self.text,
            answered=self.origin != "none" and bool(self.text),
            language=self.language,
            model=self.model,
            template=self.template or template("documents").id,
            origin=self.origin,
            citations=_numbered(self.cited),
            unsupported=self.unsupported,
            removed_citations=self.removed_citations,
            extractive=_numbered(self.extractive),
            ledger=self.ledger or Ledger(window_tokens, 0),
            timing=self.timing,
            explained=Explained(
                self.searched, self.likely, self.found.hits, self.sentences, self.why
            ),
        )


def _numbered(quotes: Sequence[Quote]) -> tuple[Citation, ...]:
    return tuple(
        Citation(
            id=number,
            document=quote.document,
            page=quote.page,
            start=quote.span.start,
            end=quote.span.end,
            quote=quote.text,
        )
        for number, quote in enumerate(quotes, start=1)
    )
