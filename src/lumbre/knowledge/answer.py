"""Answer a question from the documents, each sentence with the place that bears it out.

What is streamed is what is kept: the pieces of `Text`, put together, are the answer's
text. A mark [n] follows a sentence whose quote was found and stands in the stored text.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lumbre.core.document import Answer, Citation, Hit, Ledger
from lumbre.core.errors import NothingIndexed
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.knowledge.cite import Quote, nearest, quotes, stands
from lumbre.knowledge.followup import search_text
from lumbre.knowledge.index import Index
from lumbre.knowledge.language import language_of
from lumbre.knowledge.retrieve import NOTHING, Found, search
from lumbre.knowledge.sentinel import Sentinel
from lumbre.knowledge.speaks import Speaks
from lumbre.knowledge.utterance import Said, Show, Utterance
from lumbre.prompting.ledger import Fitted, fit
from lumbre.prompting.prompt import Passage, Prompt
from lumbre.prompting.template import Template, template
from lumbre.words import LANGUAGES, Language, say

_RELATED = 0.3
_RELATED_ACROSS = 0.25
_RELATED_DENSE = 0.15
"""A best passage that scores less, in the question's language or in another, or that is
less close in meaning, has nothing to do with it: of questions about something else half
are told by it, of those with an answer one in fifty is lost. Source: XQuAD dev half with
and without the article that answers, docs/decisions/007-what-makes-an-answer-stand.md."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What begins now, for whoever waits."""

    name: Literal["retrieve", "read", "write"]
    model: str


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The whole of it."""

    answer: Answer


Event = Phase | Text | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How questions are answered."""

    passages: int = 3
    max_output_tokens: int = 150
    temperature: float = 0.0


@dataclass(slots=True)
class _Course:
    """One answer: what was asked, and what has happened to it so far."""

    question: str
    language: Language
    model: str
    settings: Settings
    clock: Callable[[], float]
    timing: dict[str, float] = field(default_factory=dict)
    searched: str = ""
    text: str = ""
    refused: bool = False
    cited: list[Quote] = field(default_factory=list)


async def answer(
    question: str,
    index: Index,
    speaks: Speaks,
    *,
    model: str,
    settings: Settings = Settings(),
    within: Sequence[str] = (),
    history: Sequence[Message] | None = None,
    fallback: Language = "en",
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Event]:
    """Phases and text as they come, then exactly one `Done`.

    From documents, nothing is shown before a first sentence is borne out by a quote; when
    none is, the answer is that it is not in the documents.

    `within`: absolute paths to search in; empty: every document. `history`: the talk so
    far, oldest first; None: a single question, answered from documents or not at all,
    while a talk may go on without any that has to do with it. `fallback`: the language
    of the answer where the question's words do not tell. Closing the iterator stops the
    model. The answer's timing has no load_s: models are warmed before.

    Raises:
        NothingIndexed: no document to answer from, and it is no talk.
        PromptTooLong: the question alone does not fit the model's window.
        LumbreError: what the models raise.
    """
    course = _Course(question, language_of(question, fallback), model, settings, clock)
    begun_s = clock()
    yield Phase("retrieve", model)
    found = await _retrieved(course, index, speaks, within, history)
    course.timing["retrieve_s"] = clock() - begun_s
    related = is_related(found, course.language)
    if history is None and not related:
        yield Text(say("answer.not_in_documents", course.language))
        yield Done(_refused_at_once(course, speaks, begun_s))
        return
    fitted = await fit(
        _prompt(course, found.hits if related else (), history or ()),
        lambda messages: speaks.count(messages, model),
        window_tokens=speaks.window_tokens(model),
        output_tokens=settings.max_output_tokens,
        model=model,
    )
    shown = found.hits[: len(fitted.prompt.passages)]
    yield Phase("read", model)
    async with aclosing(_spoken(course, fitted, shown, index, speaks)) as texts:
        async for text in texts:
            if not course.text:
                yield Phase("write", model)
            course.text += text
            yield Text(text)
    course.timing["total_s"] = clock() - begun_s
    yield Done(_finished(course, fitted))


async def _retrieved(
    course: _Course,
    index: Index,
    speaks: Speaks,
    within: Sequence[str],
    history: Sequence[Message] | None,
) -> Found:
    """The best passages; none where a talk goes on without documents."""
    course.searched = search_text(course.question, history or ())
    try:
        return await search(
            course.searched,
            index,
            speaks,
            top=course.settings.passages,
            within=within,
            fallback=course.language,
        )
    except NothingIndexed:
        if history is None:
            raise
        return NOTHING


def is_related(found: Found, language: Language) -> bool:
    """Whether the best passage has anything to do with the question."""
    if not found.hits:
        return False
    best = found.hits[0]
    floor = _RELATED if best.language == language else _RELATED_ACROSS
    return best.score >= floor and max(found.dense) >= _RELATED_DENSE


def _prompt(course: _Course, hits: Sequence[Hit], history: Sequence[Message]) -> Prompt:
    return Prompt(
        template=template("documents" if hits else "conversation"),
        language=course.language,
        question=course.question,
        history=tuple(history),
        passages=tuple(Passage(Path(hit.document).name, hit.page, hit.text) for hit in hits),
    )


async def _spoken(
    course: _Course, fitted: Fitted, shown: Sequence[Hit], index: Index, speaks: Speaks
) -> AsyncGenerator[str]:
    """The answer's text, marks included."""
    request = ChatRequest(
        messages=fitted.prompt.messages(),
        max_output_tokens=course.settings.max_output_tokens,
        temperature=course.settings.temperature,
    )
    candidates = quotes(index, shown)
    sentinel = Sentinel(_refusals(fitted.prompt.template) if shown else ())
    utterance = Utterance()
    held, stands_on_something = "", not shown
    sent_s = course.clock()
    async with aclosing(_deltas(course, speaks, request, sentinel, sent_s)) as pieces:
        async for piece in pieces:
            steps = utterance.feed(piece) if piece is not None else utterance.finish()
            for step in steps:
                held += await _step(step, course, candidates, index, speaks)
            stands_on_something = stands_on_something or bool(course.cited)
            if stands_on_something and held:
                yield held
                held = ""
    course.timing["generate_s"] = course.clock() - sent_s
    course.refused = not stands_on_something
    if course.refused:
        yield say("answer.not_in_documents", course.language)


async def _deltas(
    course: _Course, speaks: Speaks, request: ChatRequest, sentinel: Sentinel, sent_s: float
) -> AsyncGenerator[str | None]:
    """The pieces of an answer, None after the last; nothing when the model refuses."""
    async with aclosing(speaks.chat(request, course.model)) as deltas:  # type: ignore[type-var]
        async for delta in deltas:
            if delta.text:
                course.timing.setdefault("first_token_s", course.clock() - sent_s)
                yield sentinel.feed(delta.text)
            if sentinel.refused:
                return
    yield sentinel.finish()
    yield None


async def _step(
    step: Show | Said, course: _Course, candidates: Sequence[Quote], index: Index, speaks: Speaks
) -> str:
    """The text a step adds: its own, or the mark of a sentence that is borne out."""
    if isinstance(step, Show):
        return step.text
    if not candidates:
        return ""
    readings = await speaks.embed([step.sentence, f"{course.searched} {step.sentence}"])
    quote = nearest(step.sentence, course.language, readings, candidates)
    if quote is None or not stands(quote, index):
        return ""
    if quote not in course.cited:
        course.cited.append(quote)
    return f" [{course.cited.index(quote) + 1}]"


def _finished(course: _Course, fitted: Fitted) -> Answer:
    return Answer(
        text=course.text,
        answered=bool(course.text) and not course.refused,
        language=course.language,
        model=course.model,
        template=fitted.prompt.template.id,
        citations=tuple(
            Citation(
                id=number,
                document=quote.hit.document,
                page=quote.page,
                start=quote.span.start,
                end=quote.span.end,
                quote=quote.text,
            )
            for number, quote in enumerate(course.cited, start=1)
        ),
        ledger=fitted.ledger,
        timing=course.timing,
    )


def _refused_at_once(course: _Course, speaks: Speaks, begun_s: float) -> Answer:
    """The answer to a question that no passage has to do with; no model was asked."""
    course.timing |= {"first_token_s": 0.0, "generate_s": 0.0}
    course.timing["total_s"] = course.clock() - begun_s
    return Answer(
        text=say("answer.not_in_documents", course.language),
        answered=False,
        language=course.language,
        model=course.model,
        template=template("documents").id,
        ledger=Ledger(speaks.window_tokens(course.model), 0),
        timing=course.timing,
    )


def _refusals(told: Template) -> list[str]:
    """Every known way, in every language, to say that the answer is not there."""
    return [phrase for language in LANGUAGES for phrase in told.lists[language]["refusals"]]
