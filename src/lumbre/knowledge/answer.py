"""Answer a question from the documents, each sentence with the place that bears it out.

What is streamed is what is kept: the pieces of `Text`, put together, are the answer's
text. A mark [n] follows a sentence whose quote was found and stands in the stored text.
"""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lumbre.core.document import Answer, Citation, Hit, Ledger
from lumbre.core.errors import NothingIndexed
from lumbre.core.generation import ChatRequest, PromptProgress
from lumbre.core.messages import Message
from lumbre.core.model import Sampling
from lumbre.knowledge.cite import quotes
from lumbre.knowledge.followup import search_text
from lumbre.knowledge.index import Index
from lumbre.knowledge.language import language_of
from lumbre.knowledge.retrieve import NOTHING, Found, search
from lumbre.knowledge.speaks import Speaks
from lumbre.knowledge.telling import Telling
from lumbre.prompting.ledger import Fitted, fit
from lumbre.prompting.prompt import Passage, Prompt
from lumbre.prompting.template import Template, template
from lumbre.words import LANGUAGES, Language, say

_RELATED = 0.28
_RELATED_ACROSS = 0.20
_RELATED_DENSE = 0.13
"""A best passage that scores less, in the question's language or in another, or that is
less close in meaning, has nothing to do with it. In one language half of the questions about
something else are told by it and none of 450 with an answer was lost; across languages it tells
only the plainest. Higher, it lost short questions in a person's own words. Source: XQuAD dev
half with and without the article that answers, docs/decisions/007-what-makes-an-answer-stand.md."""


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


Event = Phase | PromptProgress | Text | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How questions are answered."""

    passages: int = 3
    max_output_tokens: int = 150
    temperature: float = 0.0
    talk: Sampling = field(default_factory=Sampling)
    """How a talk goes on where no document has to do with it."""


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
    """What was searched for: the question, with the one before it where it leans on that."""
    text: str = ""


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
) -> AsyncGenerator[Event]:
    """Phases, progress and text as they come, then exactly one `Done`.

    From documents, sentences come one by one, checked; when nothing bears any of them out,
    the answer is that it is not in the documents.

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
    output_tokens = settings.max_output_tokens if related else settings.talk.max_output_tokens
    fitted = await fit(
        _prompt(course, found.hits if related else (), history or ()),
        lambda messages: speaks.count(messages, model),
        window_tokens=speaks.window_tokens(model),
        output_tokens=output_tokens or settings.max_output_tokens,
        model=model,
    )
    shown = found.hits[: len(fitted.prompt.passages)]
    yield Phase("read", model)
    telling = Telling(course.searched, course.language, quotes(index, shown), index, speaks)
    request = _request(settings, fitted, is_talk=not shown)
    refusals = _refusals(fitted.prompt.template) if shown else []
    async with aclosing(telling.tell(request, model, refusals, clock)) as texts:
        async for text in texts:
            if isinstance(text, PromptProgress):
                yield text
                continue
            if not course.text:
                yield Phase("write", model)
            course.text += text
            yield Text(text)
    if not telling.stands:
        course.text = say("answer.not_in_documents", course.language)
        yield Text(course.text)
    course.timing |= {**telling.timing, "total_s": clock() - begun_s}
    yield Done(_finished(course, fitted, telling))


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


def _request(settings: Settings, fitted: Fitted, *, is_talk: bool) -> ChatRequest:
    """The prompt as the model gets it: to the letter from documents, freely in a talk."""
    messages = fitted.prompt.messages()
    if not is_talk:
        return ChatRequest(messages, settings.max_output_tokens, settings.temperature)
    talk = settings.talk
    return ChatRequest(
        messages,
        talk.max_output_tokens or settings.max_output_tokens,
        settings.temperature if talk.temperature is None else talk.temperature,
        1.0 if talk.top_p is None else talk.top_p,
    )


def _finished(course: _Course, fitted: Fitted, telling: Telling) -> Answer:
    return Answer(
        text=course.text,
        answered=bool(course.text) and telling.stands,
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
            for number, quote in enumerate(telling.cited, start=1)
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
