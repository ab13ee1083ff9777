"""Every reason a source of weights may give is a sentence in each language."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import get_args

from lumbre import registry
from lumbre.registry.reason import Reason, Why
from lumbre.words import LANGUAGES, sentences


def facts_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def reasons_given() -> Iterator[tuple[str, set[str], str]]:
    """Each `failed(..., "code", fact=...)` and `because("code", fact=...)` in the registry."""
    for file in Path(registry.__path__[0]).rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            place = {"because": 0, "failed": 1}.get(call.func.id)
            if place is not None:
                code = ast.literal_eval(call.args[place])
                yield code, {str(word.arg) for word in call.keywords}, f"{file.name}:{call.lineno}"


def test_every_reason_has_its_sentence_and_none_is_left_over() -> None:
    assert set(sentences("pull")) == {f"reason.{why}" for why in get_args(Why)}


def test_the_three_sentences_of_a_key_name_the_same_facts() -> None:
    for key, texts in sentences("pull").items():
        assert set(texts) == set(LANGUAGES), key
        assert len({frozenset(facts_of(text)) for text in texts.values()}) == 1, key


def test_every_reason_given_in_the_code_carries_the_facts_of_its_sentence() -> None:
    given = list(reasons_given())
    for code, facts, where in given:
        assert facts >= facts_of(sentences("pull")[f"reason.{code}"]["en"]), where
    assert {code for code, _, _ in given} == set(get_args(Why))


def test_seconds_in_a_reason_are_written_in_the_language() -> None:
    assert "0,3 с" in Reason("stalled", {"wait_s": 0.3}).say("ru")
    assert "0.3 s" in str(Reason("stalled", {"wait_s": 0.3}))
