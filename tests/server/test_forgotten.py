"""What models had read of a talk goes with the talk and with the home, whoever still has it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lumbre.config import load
from lumbre.core.errors import UnknownConversation
from lumbre.core.generation import ChatRequest
from lumbre.core.messages import Message
from lumbre.registry.household import write_household
from lumbre.server.household import Household
from tests.conftest import environment_of

TINY = {
    "LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1",
    "LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS": "4",
}
SECRET = Message("user", "My name is Quetzalina. Say hello.")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("smollm2")]


@asynccontextmanager
async def household(home: Path, **more: str) -> AsyncIterator[Household]:
    environment = environment_of(home, **(TINY | more))
    config = load({k: v for k, v in environment.items() if k.startswith("LUMBRE_")})
    config.folders.make()
    write_household(config.folders.registry, "starter")
    opened = Household(config)
    try:
        yield opened
    finally:
        await opened.close()


async def talk(opened: Household) -> int:
    """One turn of a new conversation, with its model loaded; the conversation's number."""
    number = opened.conversations.begin()
    request = ChatRequest((SECRET,), max_output_tokens=3, conversation=number)
    async for _ in opened.runtime.chat(request):
        pass
    return number


def states(home: Path) -> set[str]:
    """The numbers of the conversations of which something is kept."""
    return {path.name.split("-")[0] for path in (home / "states").iterdir()}


async def test_a_household_that_ends_makes_nothing_anew_in_a_home_that_was_deleted(
    home: Path,
) -> None:
    async with household(home) as opened:
        await talk(opened)
        shutil.rmtree(home)
    assert not home.exists()


async def test_a_talk_that_another_household_forgot_is_not_kept_by_who_still_has_it(
    home: Path,
) -> None:
    async with household(home) as has:
        first, seated = await talk(has), await talk(has)
        async with household(home) as other:
            assert await other.forget({"conversation": seated}) == {"forgotten": seated}
            with pytest.raises(UnknownConversation):
                await has.forget({"conversation": seated})
    assert states(home) == {str(first)}


async def test_what_an_earlier_household_left_behind_goes_when_the_next_one_opens(
    home: Path,
) -> None:
    async with household(home) as opened:
        first, second = opened.conversations.begin(), opened.conversations.begin()
        for number in (first, second):
            (home / "states" / f"{number}-{'a' * 24}.state").write_bytes(b"secret")
        opened.conversations.delete(first)  # and ended before it had deleted the file
    async with household(home):
        assert states(home) == {str(second)}
    async with household(home, LUMBRE_POOL__SAVED_STATE_BYTES="0"):
        assert states(home) == set()
