"""Answer a question from the documents, each sentence with the place that bears it out.

What is streamed is what is kept: the pieces of `Text`, put together, are the answer's
text. A mark [n] follows a sentence whose quote was found and stands in the stored text,
[?] one that nothing bears out. Where a model's words do not stand, the documents' own do.
"""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from lumbre.core.document import Answer
from lumbre.core.errors import NothingIndexed
from lumbre.core.generation import ChatRequest, PromptProgress
from lumbre.core.messages import Message
from lumbre.core.model import Sampling
from lumbre.knowledge.course import Course
from lumbre.knowledge.extract import extracted
from lumbre.knowledge.followup import search_text
from lumbre.knowledge.index import Index
from lumbre.knowledge.language import language_of
from lumbre.knowledge.lines import sources
from lumbre.knowledge.retrieve import NOTHING, search
from lumbre.knowledge.shown import Shown, shown
from lumbre.knowledge.speaks import Speaks
from lumbre.knowledge.telling import Asked, Telling
from lumbre.prompting.ledger import Fitted, fit
from lumbre.words import Language


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


async def answer(
    question: str,
    index: Index,
    speaks: Speaks,
    *,
    model: str,
    settings: Settings = Settings(),
    within: Sequence[str] = (),
    history: Sequence[Message] | None = None,
    conversation: int | None = None,
    fallback: Language = "en",
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Event]:
    """Phases, progress and text as they come, then exactly one `Done`.

    From documents, sentences come one by one, checked; when nothing bears any of them out,
    the documents' own best sentences are the answer, or that it is not in the documents.

    `within`: absolute paths to search in; empty: every document. `history`: the talk so
    far, oldest first; None: a single question, answered from documents or not at all,
    while a talk may go on without any that has to do with it. `conversation`: the talk's
    number, so that an engine need not read it again. `fallback`: the language of the answer
    where the question's words do not tell. Closing the iterator stops the model. The
    answer's timing has no load_s: models are warmed before.

    Raises:
        NothingIndexed: no document to answer from, and it is no talk.
        PromptTooLong: the question alone does not fit the model's window.
        LumbreError: what the models raise.
    """
    course = Course(question, language_of(question, fallback), model, clock, history or ())
    yield Phase("retrieve", model)
    await _retrieve(course, index, speaks, settings.passages, within, is_talk=history is not None)
    if history is None and not course.related:
        yield Text(course.refuse("unlikely"))
        yield Done(course.finished(speaks.window_tokens(model)))
        return
    seen = shown(course.found.hits if course.related else ())
    fitted = await _fitted(course, settings, seen, speaks)
    yield Phase("read", model)
    telling = Telling(await _asked(course, seen, fitted, index, speaks), index, speaks)
    request = replace(_request(settings, fitted), conversation=conversation)
    async with aclosing(telling.tell(request, model, seen.refusals, clock)) as texts:
        async for text in texts:
            if isinstance(text, PromptProgress):
                yield text
                continue
            if not course.text:
                yield Phase("write", model)
            course.text += text
            yield Text(text)
    if rest := course.settle(telling, fitted, index):
        yield Text(rest)
    yield Done(course.finished(speaks.window_tokens(model)))


async def _retrieve(
    course: Course,
    index: Index,
    speaks: Speaks,
    passages: int,
    within: Sequence[str],
    *,
    is_talk: bool,
) -> None:
    """Find the best passages; none where a talk goes on without documents."""
    begun_s = course.clock()
    course.searched = search_text(course.question, course.history)
    found = NOTHING
    try:
        found = await search(
            course.searched,
            index,
            speaks,
            top=passages,
            within=within,
            fallback=course.language,
        )
    except NothingIndexed:
        if not is_talk:
            raise
    course.judge(found)
    course.timing["retrieve_s"] = course.clock() - begun_s


async def _fitted(course: Course, settings: Settings, seen: Shown, speaks: Speaks) -> Fitted:
    """The prompt that is sent, with room for an answer."""
    output_tokens = settings.max_output_tokens if seen.passages else settings.talk.max_output_tokens
    fitted = await fit(
        seen.prompt(course.language, course.question, course.history),
        lambda messages: speaks.count(messages, course.model),
        window_tokens=speaks.window_tokens(course.model),
        output_tokens=output_tokens or settings.max_output_tokens,
        model=course.model,
    )
    return seen.named(fitted, course.language)


async def _asked(
    course: Course, seen: Shown, fitted: Fitted, index: Index, speaks: Speaks
) -> Asked:
    """What the answer is checked against: the passages that are in the prompt."""
    hits = course.found.hits[: len(seen.passages)]
    (vector,) = await speaks.embed([course.searched])
    every = sources(index, hits)
    in_prompt = sources(index, hits[: len(fitted.prompt.passages)])
    extract = extracted(course.searched, course.language, vector, every, now=course.question)
    return Asked(course.searched, course.language, vector, in_prompt, extract)


def _request(settings: Settings, fitted: Fitted) -> ChatRequest:
    """The prompt as the model gets it: to the letter from documents, freely in a talk."""
    messages = fitted.prompt.messages()
    if fitted.prompt.passages:
        return ChatRequest(messages, settings.max_output_tokens, settings.temperature)
    talk = settings.talk
    return ChatRequest(
        messages,
        talk.max_output_tokens or settings.max_output_tokens,
        settings.temperature if talk.temperature is None else talk.temperature,
        1.0 if talk.top_p is None else talk.top_p,
    )
