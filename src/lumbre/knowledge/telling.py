"""Let a model tell an answer, and show each sentence once it was checked.

From documents, a sentence is shown with the marks of the quotes that bear it out, or with
[?] when nothing does. Nothing at all is shown before a sentence stands that has to do with
the question, and nothing of an answer that begins by stating what its sources do not: the
document's own sentences are then the better answer. Without documents every word is shown
as it comes.
"""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lumbre.core.generation import ChatRequest, PromptProgress
from lumbre.knowledge.choose import Verdict, says_nothing, verdict
from lumbre.knowledge.cite import Borne, Quote, bear_out, stands
from lumbre.knowledge.extract import Extract
from lumbre.knowledge.facts import facts, having
from lumbre.knowledge.index import Index
from lumbre.knowledge.lines import Sources
from lumbre.knowledge.sentinel import Sentinel, denies
from lumbre.knowledge.speaks import Speaks
from lumbre.knowledge.support import Claim
from lumbre.knowledge.utterance import Show, Utterance
from lumbre.words import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNSUPPORTED = "[?]"
_PREAMBLE = re.compile(
    r"^(?:\w+[ ,]+){0,5}(?:ответ\w*|respuesta|answer)\b[^.:!?]{0,40}:$", re.IGNORECASE
)
_WORSE = ("contradicts", "beside")
"""Of the first sentence: the document's own words are the better answer, so it ends here."""
_SURE = (
    r"(?:yes|no|not|right|exactly|correct|correctly|true|indeed|certainly|of|course|so|"
    r"s[ií]|as[ií]|es|claro|exacto|exactamente|correcto|efectivamente|cierto|desde|luego|"
    r"да|нет|не|верно|точно|именно|конечно|правильно|так|это)"
)
_BARE = re.compile(rf"^\W*{_SURE}(?:\W+{_SURE}){{0,2}}\W*$", re.IGNORECASE)
"""Yes or no and no more: "Sí.", "Да.", "Yes, exactly." It goes with the sentence after it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is checked against."""

    question: str
    language: Language
    vector: "NDArray[np.float32]"
    sources: Sources
    extract: Extract | None
    """The documents' own best sentences; None in a talk without documents."""


@dataclass(slots=True)
class Told:
    """What became of a model's answer."""

    cited: list[Quote] = field(default_factory=list)
    """In the order of their marks, from 1."""
    unsupported: list[str] = field(default_factory=list)
    """Sentences that were shown with [?]."""
    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)
    """Every sentence of the model, and what was found of it."""
    refused: bool = False
    """Whether the model said itself that the answer is not there."""
    shown: bool = False
    marks_removed: int = 0
    """Citations that the model made up by itself."""
    timing: dict[str, float] = field(default_factory=dict)


class Telling:
    """One answer, while it is told."""

    def __init__(self, asked: Asked, index: Index, speaks: Speaks) -> None:
        self._asked = asked
        self._index = index
        self._speaks = speaks
        self.extract = asked.extract
        self._checks = asked.extract is not None
        self._held = ""
        self.told = Told()

    async def tell(
        self, request: ChatRequest, model: str, refusals: Sequence[str], clock: Callable[[], float]
    ) -> AsyncGenerator[str | PromptProgress]:
        """How far the prompt is read, then the text to show. None of it where nothing stands."""
        told, utterance = self.told, Utterance(whole=self._checks)
        sentinel = Sentinel(refusals if self._checks else ())
        sent_s = clock()
        text = lead = ""
        async with aclosing(self._pieces(request, model, sentinel, clock)) as pieces:
            async for piece in pieces:
                if isinstance(piece, PromptProgress):
                    yield piece
                    continue
                for step in utterance.finish() if piece is None else utterance.feed(piece):
                    begun = bool(told.shown or self._held)
                    if isinstance(step, Show):
                        text += step.text
                    elif self._checks and _BARE.match(step.sentence) and not lead:
                        lead, text = text if begun else text.lstrip(), ""
                        continue
                    elif self._checks:
                        checked = await self._checked(text, step.sentence)
                        text, lead = checked and lead + checked, ""
                    if not self._checks or not isinstance(step, Show):
                        self._held += text if begun else text.lstrip()
                        text = ""
                told.shown = told.shown or (bool(self._held) and not self._checks)
                if told.shown and self._held:
                    yield self._held
                    self._held = ""
                if not told.shown and any(found in _WORSE for _, found in told.verdicts[-1:]):
                    break
        told.refused = sentinel.refused
        told.marks_removed = utterance.marks_removed
        told.timing["generate_s"] = clock() - sent_s
        if not told.shown:
            told.cited.clear()
            told.unsupported.clear()

    async def _pieces(
        self, request: ChatRequest, model: str, sentinel: Sentinel, clock: Callable[[], float]
    ) -> AsyncGenerator[str | PromptProgress | None]:
        """The pieces of an answer, None after the last; no more when the model refuses."""
        sent_s = clock()
        async with aclosing(self._speaks.chat(request, model)) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                if delta.progress:
                    yield delta.progress
                if delta.text:
                    self.told.timing.setdefault("first_token_s", clock() - sent_s)
                    yield sentinel.feed(delta.text)
                if sentinel.refused:
                    return
        yield sentinel.finish()
        yield None

    async def _checked(self, text: str, sentence: str) -> str:
        """What is shown of a sentence: it and its marks, or nothing."""
        told, asked = self.told, self._asked
        assert asked.extract
        if denies(sentence):
            told.verdicts.append((sentence, "denies"))
            return ""
        if _PREAMBLE.match(sentence) or says_nothing(sentence, asked.question, asked.language):
            told.verdicts.append((sentence, "empty"))
            return ""
        borne = await self._borne(sentence)
        known = having(
            wanted := facts(sentence, asked.language),
            " ".join([asked.question, *(line.hit.text for line in asked.sources.lines)]),
        )
        judged = verdict(borne, asked.extract, invents=known != wanted)
        told.verdicts.append((sentence, judged))
        told.shown = told.shown or judged == "answers"
        if borne is None:
            told.unsupported.append(sentence)
            return f"{text} {UNSUPPORTED}"
        marks = []
        for quote in borne.quotes:
            if quote not in told.cited:
                told.cited.append(quote)
            marks.append(f"[{told.cited.index(quote) + 1}]")
        return " ".join([text, *marks])

    async def _borne(self, sentence: str) -> Borne | None:
        asked = self._asked
        vectors = await self._speaks.embed([sentence, f"{asked.question} {sentence}"])
        claim = Claim(sentence, asked.question, asked.language, vectors, asked.vector)
        borne = bear_out(claim, asked.sources)
        if borne is None or not all(stands(quote, self._index) for quote in borne.quotes):
            return None
        return borne
