"""What goes into a prompt is counted, and what does not is named: nothing is cut in silence."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import PromptTooLong
from lumbre.core.messages import Message
from lumbre.prompting.ledger import Fitted, fit
from lumbre.prompting.prompt import Passage, Prompt
from lumbre.prompting.template import template


async def count(messages: Sequence[Message]) -> int:
    """A word is a token, and each message costs three more."""
    return sum(3 + len(message.text.split()) for message in messages)


def fitted(prompt: Prompt, window_tokens: int, output_tokens: int = 20) -> Fitted:
    return asyncio.run(
        fit(prompt, count, window_tokens=window_tokens, output_tokens=output_tokens, model="m")
    )


def prompt(passages: Sequence[int] = (), history: Sequence[int] = (), question: int = 5) -> Prompt:
    """A prompt whose parts have these numbers of words."""
    return Prompt(
        template("documents"),
        "en",
        question="why " * question,
        passages=tuple(
            Passage(f"d{number}.txt", number or None, "word " * words)
            for number, words in enumerate(passages)
        ),
        history=tuple(
            Message("user" if at % 2 == 0 else "assistant", "said " * words)
            for at, words in enumerate(history)
        ),
    )


def test_what_fits_is_whole() -> None:
    whole = prompt([30, 30, 30], [10, 10])
    given_back = fitted(whole, 4000)
    assert given_back.prompt == whole
    assert given_back.ledger.left_out == ()
    names = [part.name for part in given_back.ledger.parts]
    assert names == ["rules", "history", "documents", "question"]


def test_the_last_passages_go_first_then_the_oldest_turns() -> None:
    whole = prompt([100, 100, 100], [40, 40, 40, 40])
    total = fitted(whole, 4000).ledger.used_tokens
    two = fitted(whole, total + 20 - 1)
    assert len(two.prompt.passages) == 2
    assert len(two.prompt.history) == 4
    one = fitted(whole, total + 20 - 210)
    assert (len(one.prompt.passages), len(one.prompt.history)) == (1, 4)
    fewer = fitted(whole, total + 20 - 260)
    assert (len(fewer.prompt.passages), len(fewer.prompt.history)) == (1, 2)
    assert fewer.prompt.history == whole.history[2:]
    assert [left.what for left in fewer.ledger.left_out] == [
        "a passage of d2.txt, page 2",
        "a passage of d1.txt, page 1",
        "the beginning of the conversation (messages: 2)",
    ]
    none = fitted(whole, total + 20 - 460)
    assert (len(none.prompt.passages), len(none.prompt.history)) == (0, 0)


def test_a_question_that_cannot_fit_is_an_error_with_its_figures() -> None:
    with pytest.raises(PromptTooLong) as caught:
        fitted(prompt([50], [10, 10], question=500), 300)
    assert caught.value.facts["window_tokens"] == 280
    assert caught.value.facts["prompt_tokens"] > 500  # type: ignore[operator]


sizes = st.lists(st.integers(1, 60), max_size=5)


@given(sizes, sizes, st.integers(1, 40), st.integers(60, 600))
def test_a_fitted_prompt_fits_and_its_account_adds_up(
    passages: list[int], history: list[int], question: int, window_tokens: int
) -> None:
    whole = prompt(passages, history, question)
    try:
        given_back = fitted(whole, window_tokens)
    except PromptTooLong:
        alone = replace(whole, passages=(), history=())
        assert asyncio.run(count(alone.messages())) > window_tokens - 20
        return
    ledger = given_back.ledger
    assert ledger.used_tokens == asyncio.run(count(given_back.prompt.messages()))
    assert ledger.used_tokens + 20 <= window_tokens == ledger.window_tokens
    assert sum(part.tokens for part in ledger.parts) == ledger.used_tokens
    lost = asyncio.run(count(whole.messages())) - ledger.used_tokens
    assert sum(left.tokens for left in ledger.left_out) == lost
    assert given_back.prompt.question == whole.question
    assert given_back.prompt.passages == whole.passages[: len(given_back.prompt.passages)]
    kept = len(given_back.prompt.history)
    assert given_back.prompt.history == whole.history[len(whole.history) - kept :]
    if not ledger.left_out:
        assert given_back.prompt == whole
