"""Make a prompt fit its window, and tell where every token of it went.

What does not fit is left out whole and named: the last passages first, one stays; then
the oldest turns of the talk; then the last passage. The question is never cut.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from lumbre.core.document import Ledger, LeftOut, PartCount
from lumbre.core.errors import PromptTooLong
from lumbre.core.messages import Message
from lumbre.prompting.prompt import Prompt
from lumbre.words import say

Count = Callable[[Sequence[Message]], Awaitable[int]]
"""Tokens of the prompt these messages become, by the serving model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and its account."""

    prompt: Prompt
    ledger: Ledger


async def fit(
    prompt: Prompt, count: Count, *, window_tokens: int, output_tokens: int, model: str
) -> Fitted:
    """The largest prompt of these parts that leaves room for `output_tokens` of answer.

    Raises:
        PromptTooLong: rules and question alone do not fit.
    """
    room = window_tokens - output_tokens
    total = await count(prompt.messages())
    left_out: list[LeftOut] = []
    while total > room:
        smaller = await _smaller(prompt, count, room)
        if smaller is None:
            raise PromptTooLong(model=model, prompt_tokens=total, window_tokens=room)
        tokens = await count(smaller.messages())
        left_out.append(_named(prompt, smaller, total - tokens, room))
        prompt, total = smaller, tokens
    parts = await _parts(prompt, count, total)
    return Fitted(prompt, Ledger(window_tokens, total, parts, tuple(left_out)))


async def _smaller(prompt: Prompt, count: Count, room: int) -> Prompt | None:
    """The prompt without what is to go next, None when nothing may."""
    if len(prompt.passages) > 1:
        return replace(prompt, passages=prompt.passages[:-1])
    if prompt.history:
        return await _without_oldest(prompt, count, room)
    if prompt.passages:
        return replace(prompt, passages=())
    return None


async def _without_oldest(prompt: Prompt, count: Count, room: int) -> Prompt:
    """Without the fewest oldest turns that makes it fit; without all of them if none does."""
    begins = [at for at, said in enumerate(prompt.history) if said.role == "user" and at]
    cuts = [replace(prompt, history=prompt.history[at:]) for at in begins]
    cuts.append(replace(prompt, history=()))
    low, high = 0, len(cuts) - 1
    while low < high:
        middle = (low + high) // 2
        if await count(cuts[middle].messages()) <= room:
            high = middle
        else:
            low = middle + 1
    return cuts[low]


def _named(before: Prompt, after: Prompt, tokens: int, room: int) -> LeftOut:
    language = before.language
    if len(after.passages) < len(before.passages):
        gone = before.passages[-1]
        where = "passage" if gone.page is None else "passage_page"
        what = say(f"answer.left_out.{where}", language, document=gone.document, page=gone.page)
    else:
        turns = len(before.history) - len(after.history)
        what = say("answer.left_out.history", language, messages=turns)
    return LeftOut(what, tokens, say("answer.left_out.why", language, room=room))


async def _parts(prompt: Prompt, count: Count, total: int) -> tuple[PartCount, ...]:
    """Tokens by part, each the growth it causes; they sum up to the total."""
    stages = [
        ("rules", replace(prompt, memory="", history=(), passages=(), question="")),
        ("memory", replace(prompt, history=(), passages=(), question="")),
        ("history", replace(prompt, passages=(), question="")),
        ("documents", replace(prompt, question="")),
        ("question", prompt),
    ]
    found: list[PartCount] = []
    before, counted = None, 0
    for name, stage in stages:
        if stage == before:
            continue
        tokens = total if stage == prompt else await count(stage.messages())
        found.append(PartCount(name, tokens - counted))
        before, counted = stage, tokens
    return tuple(found)
