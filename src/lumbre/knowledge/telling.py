"""Let a model tell an answer, and show each sentence once it was checked.

From documents, a sentence is shown with the mark of the quote that bears it out; one that
nothing bears out is shown without, unless it states numbers or only says that something is
not there: those go. Nothing at all is shown before a quote that has to do with the question
was found. Without documents every word is shown as it comes.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from lumbre.core.generation import ChatRequest, PromptProgress
from lumbre.knowledge.cite import Claim, Quote, bear_out, stands
from lumbre.knowledge.index import Index
from lumbre.knowledge.numbers import stated
from lumbre.knowledge.sentinel import Sentinel, denies
from lumbre.knowledge.speaks import Speaks
from lumbre.knowledge.utterance import Show, Utterance
from lumbre.words import Language


class Telling:
    """One answer, while it is told."""

    def __init__(
        self,
        question: str,
        language: Language,
        candidates: Sequence[Quote],
        index: Index,
        speaks: Speaks,
    ) -> None:
        """`candidates`: what may be quoted; none where no documents are shown."""
        self._question = question
        self._language = language
        self._candidates = candidates
        self._index = index
        self._speaks = speaks
        self._held = ""
        self._begun = False
        self.cited: list[Quote] = []
        """In the order of their marks, from 1."""
        self.stands = not candidates
        """Whether something shown is borne out and has to do with the question."""
        self.timing: dict[str, float] = {}

    async def tell(
        self, request: ChatRequest, model: str, refusals: Sequence[str], clock: Callable[[], float]
    ) -> AsyncGenerator[str | PromptProgress]:
        """How far the prompt is read, then the text to show. None of it where nothing stands."""
        sentinel = Sentinel(refusals if self._candidates else ())
        utterance = Utterance()
        sentence = ""
        sent_s = clock()
        async with aclosing(self._pieces(request, model, sentinel, clock)) as pieces:
            async for piece in pieces:
                if isinstance(piece, PromptProgress):
                    yield piece
                    continue
                for step in utterance.finish() if piece is None else utterance.feed(piece):
                    if isinstance(step, Show):
                        sentence += step.text
                        if self._candidates:
                            continue
                    elif self._candidates:
                        sentence = await self._checked(sentence, step.sentence)
                    self._held += sentence if self._begun else sentence.lstrip()
                    self._begun = self._begun or bool(self._held)
                    sentence = ""
                if self.stands and self._held:
                    yield self._held
                    self._held = ""
        self.timing["generate_s"] = clock() - sent_s
        if not self.stands:
            self.cited.clear()

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
                    self.timing.setdefault("first_token_s", clock() - sent_s)
                    yield sentinel.feed(delta.text)
                if sentinel.refused:
                    return
        yield sentinel.finish()
        yield None

    async def _checked(self, text: str, sentence: str) -> str:
        """What is shown of a sentence: it and its mark, it alone, or nothing."""
        if denies(sentence):
            return ""
        after = f"{self._question} {sentence}"
        vectors = await self._speaks.embed([sentence, after, self._question])
        claim = Claim(sentence, self._question, self._language, vectors[:2], vectors[2])
        borne = bear_out(claim, self._candidates)
        if borne is None or not stands(borne.quote, self._index):
            return "" if stated(sentence, self._language) else text
        self.stands = self.stands or borne.answers
        if borne.quote not in self.cited:
            self.cited.append(borne.quote)
        return f"{text} [{self.cited.index(borne.quote) + 1}]"
