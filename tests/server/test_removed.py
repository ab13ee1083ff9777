"""What models had read of a document goes with it: from the disk, and out of idle slots."""

import array
from pathlib import Path
from typing import Any

import pytest

from lumbre.core.generation import ChatRequest, Usage
from lumbre.server.household import Household
from tests.server.test_forgotten import SECRET, TINY, household, states, talk

TINIEST = TINY["LUMBRE_LLM__PRIMARY__ID"]
QUESTION = "What is the launch code of the Marmalade vault?"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("smollm2")]


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    file = tmp_path / "papers" / "vault.txt"
    file.parent.mkdir()
    file.write_text("The launch code of the Marmalade vault is 7734-QUETZAL. Keep it safe.\n")
    return file


async def add(opened: Household, path: Path) -> dict[str, Any]:
    return [event async for event in opened.documents.add([str(path)])][-1]


async def unload(opened: Household) -> None:
    async for _ in opened.models.unload(TINIEST):
        pass


async def secret(opened: Household) -> bytes:
    """The word as a state has it: its tokens, as llama.cpp writes them."""
    async with opened.runtime.pool.lease(TINIEST) as lease:
        engine: Any = lease.engine
        told = await engine.wire.post("/tokenize", {"content": "QUETZAL"})
    return array.array("i", told["tokens"]).tobytes()


def kept(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (home / "states").iterdir())


async def test_a_removed_document_is_in_no_state_any_more(home: Path, vault: Path) -> None:
    async with household(home) as opened:
        await add(opened, vault)
        word = await secret(opened)
        async for _ in opened.ask({"question": QUESTION, "conversation": "new"}):
            pass
        await unload(opened)
        assert word in kept(home), "else this proves nothing"
        removed = await opened.documents.remove([(str(vault), str(vault))])
        assert removed == {"removed": [str(vault)]}
        assert states(home) == set()


async def test_an_idle_slot_knows_nothing_any_more_and_talks_are_kept_again(
    home: Path, vault: Path
) -> None:
    async with household(home) as opened:
        await add(opened, vault)
        number = await talk(opened)
        assert (await again(opened, number)).cached_tokens > 0
        await opened.documents.remove([(str(vault), str(vault))])
        assert (await again(opened, number)).cached_tokens == 0
    assert states(home) == {str(number)}


async def again(opened: Household, number: int) -> Usage:
    request = ChatRequest((SECRET,), max_output_tokens=1, conversation=number)
    usage = [delta.usage async for delta in opened.runtime.chat(request)][-1]
    assert usage
    return usage


async def test_what_goes_because_its_file_was_deleted_goes_likewise(
    home: Path, vault: Path
) -> None:
    other = vault.with_name("other.txt")
    other.write_text("The boat is called Golondrina.")
    async with household(home) as opened:
        await add(opened, vault.parent)
        await talk(opened)
        await unload(opened)
        assert states(home)
        other.write_text("The boat is called Gaviota.")
        assert (await add(opened, vault.parent))["removed"] == 0
        assert states(home), "nothing was removed"
        vault.unlink()
        assert (await add(opened, vault.parent))["removed"] == 1
        assert states(home) == set()


async def test_where_another_household_removed_it_nothing_read_before_is_kept(
    home: Path, vault: Path
) -> None:
    async with household(home) as has:
        await add(has, vault)
        await talk(has)
        async with household(home) as other:
            await other.documents.remove([(str(vault), str(vault))])
    assert states(home) == set()


async def test_what_a_process_killed_after_the_removal_left_goes_at_the_next_opening(
    home: Path, vault: Path
) -> None:
    async with household(home) as opened:
        await add(opened, vault)
        await talk(opened)
        await unload(opened)
        opened.index.remove([str(vault)])  # and no more
        assert states(home)
    async with household(home):
        assert states(home) == set()
