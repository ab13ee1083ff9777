"""The README says the same in each language: sections, links and commands."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, name, typed, without_blocks

ENGLISH = ROOT / "README.md"
OTHERS = [ROOT / "README.es.md", ROOT / "README.ru.md"]
READMES = {page.name for page in (ENGLISH, *OTHERS)}
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ ", re.MULTILINE)
ROW = re.compile(r"^\|", re.MULTILINE)
QUOTED = re.compile(r"`(--?[\w-]+|LUMBRE_\w+|\.\w[\w/]*|~[\w./]+)`")
LONGER_LINES = 5


@pytest.mark.parametrize("page", OTHERS, ids=name)
def test_the_same_commands_are_typed(page: Path) -> None:
    assert orders(page) == orders(ENGLISH)
    assert {words[1] for words in every(page)} == {page.name.split(".")[1]}


@pytest.mark.parametrize("page", OTHERS, ids=name)
def test_the_same_sections_and_links_are_there(page: Path) -> None:
    own, english = (without_blocks(each) for each in (page, ENGLISH))
    for shape in (HEADING, ROW):
        assert len(shape.findall(own)) == len(shape.findall(english))
    assert set(LINK.findall(own)) - READMES == set(LINK.findall(english)) - READMES
    assert set(QUOTED.findall(own)) - {"--lang"} == set(QUOTED.findall(english)) - {"--lang"}


@pytest.mark.parametrize("page", [ENGLISH, *OTHERS], ids=name)
def test_each_leads_to_the_two_others(page: Path) -> None:
    links = LINK.findall(without_blocks(page))
    assert set(links) & READMES == READMES - {page.name}


@pytest.mark.parametrize("page", OTHERS, ids=name)
def test_none_is_much_longer(page: Path) -> None:
    own, english = (each.read_text(encoding="utf-8").splitlines() for each in (page, ENGLISH))
    assert len(own) <= len(english) + LONGER_LINES


def every(page: Path) -> list[tuple[str, ...]]:
    return [command.words for block in blocks(page, "console") for command in typed(block)]


def orders(page: Path) -> list[tuple[str, ...]]:
    """The commands of a page, without their language and what is asked in it."""
    commands = [command.bare for block in blocks(page, "console") for command in typed(block)]
    return [words[:1] if words[0] == "ask" else words for words in commands]
