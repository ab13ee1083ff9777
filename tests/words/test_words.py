"""Every sentence is said in the three languages, with the same facts in it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import DocumentUnreadable, LumbreError, WeightsMissing, leaves
from lumbre.words import LANGUAGES, Language, Sentence, language_of, parts, say, sentences, size

EVERY = [(part, name) for part in parts() for name in sentences(part)]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("part", "name"), EVERY)
def test_a_sentence_is_said_in_every_language_with_the_same_facts(part: str, name: str) -> None:
    said = sentences(part)[name]
    assert set(said) == set(LANGUAGES)
    assert all(said.values())
    assert len({frozenset(places(text)) for text in said.values()}) == 1


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.code)
def test_an_error_has_words_that_need_only_its_facts(leaf: type[LumbreError]) -> None:
    error = leaf(**dict.fromkeys(leaf.wants, 1))
    for language in LANGUAGES:
        assert error.message(language)
        assert error.hint(language)


def test_no_words_are_left_of_an_error_that_is_gone() -> None:
    codes = {name.split(".")[0] for name in sentences("errors")}
    assert codes == {leaf.code for leaf in leaves()}


def test_the_drawing_of_the_errors_is_the_tree() -> None:
    from lumbre.core import errors

    drawn = [
        line.strip(" │├└─").split(" ")[0]
        for line in (errors.__doc__ or "").splitlines()
        if line.startswith("    ")
    ]

    def names(cls: type[LumbreError]) -> list[str]:
        return [cls.__name__] + [name for sub in cls.__subclasses__() for name in names(sub)]

    assert sorted(drawn) == sorted(names(LumbreError))


def test_an_error_without_its_facts_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="model"):
        WeightsMissing()


def test_a_sentence_inside_another_takes_its_language() -> None:
    error = DocumentUnreadable(document="a.pdf", reason=Sentence("docs.empty"))
    assert error.message("es") == "a.pdf: el archivo está vacío"
    assert error.message("en") == "a.pdf: the file is empty"


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("es_ES.UTF-8",), "es"),
        (("", None, "ru"), "ru"),
        (("C.UTF-8", "es-MX"), "es"),
        (("fr_FR",), "en"),
        ((), "en"),
    ],
)
def test_the_first_wish_we_speak_is_the_language(
    wishes: tuple[str | None, ...], language: Language
) -> None:
    assert language_of(*wishes) == language


def test_sizes_are_written_as_the_language_writes_them() -> None:
    assert size(1_117_320_768, "en") == "1.1 GB"
    assert size(1_117_320_768, "ru") == "1,1 GB"
    assert say("errors.disk_full.message", "es", path="/x", need_bytes=5e8, free_bytes=12) == (
        "/x: hacen falta 500 MB en el disco y hay 12 B libres"
    )


@given(st.integers(0, 10**15))
def test_a_size_is_short(count_bytes: int) -> None:
    assert len(size(count_bytes, "es")) <= 9
