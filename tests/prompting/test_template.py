"""A template is known by its bytes, and says in three languages what it says in one."""

import string
from pathlib import Path

import pytest

from lumbre.core.messages import Message
from lumbre.prompting.prompt import Passage, Prompt
from lumbre.prompting.template import names, template
from lumbre.words import LANGUAGES, Language


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("name", names())
def test_every_language_has_the_same_texts_with_the_same_places(name: str) -> None:
    told = template(name)
    assert set(told.texts) == set(told.lists) == set(LANGUAGES)
    for language in LANGUAGES:
        assert set(told.texts[language]) == set(told.texts["en"])
        assert set(told.lists[language]) == set(told.lists["en"])
        for text, words in told.texts[language].items():
            assert places(words) == places(told.texts["en"][text]), (language, text)


def test_another_byte_is_another_template(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text('[en]\nrules = "Be brief."\n')
    before = template("one", tmp_path)
    assert template("one", tmp_path) is before
    file.write_text('[en]\nrules = "Be kind."\n')
    after = template("one", tmp_path)
    assert after.id != before.id
    assert after.text("rules", "en") == "Be kind."


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_changes_least_comes_first(language: Language) -> None:
    """So that an engine's cache of the beginning holds through a talk."""
    history = (Message("user", "antes"), Message("assistant", "sí"))
    prompt = Prompt(
        template("documents"),
        language,
        question="¿{cuánto}?",
        passages=(Passage("a.md", None, "uno {dos}"), Passage("b.pdf", 3, "tres")),
        history=history,
        memory="vive en Lima",
    )
    rules, *middle, last = prompt.messages()
    assert rules.role == "system"
    assert rules.text.endswith("vive en Lima")
    assert tuple(middle) == history
    assert last.role == "user"
    order = ["a.md", "uno {dos}", "b.pdf", "3", "tres", "¿{cuánto}?"]
    found = [last.text.index(piece) for piece in order]
    assert found == sorted(found)
