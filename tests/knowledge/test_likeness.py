"""Words are like themselves and what they translate, numbers only themselves."""

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.knowledge.closely import rarity
from lumbre.knowledge.likeness import has_likeness, likeness, signatures
from lumbre.knowledge.wording import hashed, most, packed, unpacked
from lumbre.words import LANGUAGES, Language
from tests.knowledge.conftest import InProcess

word = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=12)


def rows(words: list[str], vectors: "np.ndarray") -> "np.ndarray":
    kept = signatures(words, vectors)
    return np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), -1)


@given(st.lists(word, min_size=1, max_size=6), st.integers(0, 99), st.sampled_from([64, 100, 512]))
def test_likeness_is_a_share_the_same_both_ways_and_whole_with_itself(
    words: list[str], seed: int, dimensions: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(len(words), dimensions))
    table = rows(words, vectors.astype(np.float32))
    found = likeness(table, table)
    assert ((found >= 0) & (found <= 1)).all()
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 1).all()
    for at in range(len(words)):
        assert np.array_equal(likeness(table, table[at : at + 1])[:, 0], found[:, at])


def test_a_word_without_signature_is_like_nothing() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    table = rows(["rent", "renta"], vectors)
    assert not likeness(table, np.zeros_like(table)).any()
    assert not likeness(np.zeros_like(table), table).any()


@pytest.mark.parametrize(
    ("asked", "translated", "other"),
    [
        ("market", "mercado", "prohibido"),
        ("договор", "contrato", "pintar"),
        ("вашингтон", "washington", "reindeer"),
        ("deposit", "депозит", "собака"),
    ],
)
def test_a_word_is_like_its_translation_and_not_like_another(
    use: InProcess, asked: str, translated: str, other: str
) -> None:
    words = [asked, translated, other]
    table = rows(words, asyncio.run(use.embed(words)))
    translation, unlike = likeness(table[:1], table[1:])[0]
    assert translation > 0.5 > unlike


def test_numbers_are_like_nothing_but_themselves() -> None:
    assert not has_likeness("1997")
    assert not has_likeness("b12")
    assert has_likeness("мост")


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(LANGUAGES))
def test_sentences_give_back_the_words_they_were_packed_from(
    texts: list[str], language: Language
) -> None:
    packs = [packed(text, language) for text in texts]
    together = unpacked(packs)
    assert len(together.starts) == len(texts) + 1
    for at, kept in enumerate(packs):
        mine = slice(*together.starts[at : at + 2])
        alone = unpacked([kept])
        assert np.array_equal(together.said[mine], alone.said)
        assert np.array_equal(together.stems[mine], alone.stems)
        assert len(alone.said) == len(alone.stems) == len(set(alone.said.tolist()))


def test_a_number_is_told_of_whatever_it_is() -> None:
    assert hashed("#") in unpacked([packed("Cuesta 870 euros.", "es")]).said
    assert hashed("#") not in unpacked([packed("Cuesta mucho.", "es")]).said


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(0, 99))
def test_the_most_of_each_stretch_is_of_that_stretch(lengths: list[int], seed: int) -> None:
    ends = np.cumsum([0, *lengths])
    found = np.random.default_rng(seed).random((3, ends[-1])).astype(np.float32)
    best = most(found, ends[:-1], ends[1:])
    for at, (first, past) in enumerate(pairwise(ends)):
        assert np.array_equal(best[:, at], found[:, first:past].max(axis=1, initial=0))


@given(st.lists(st.floats(0, 500), min_size=1, max_size=10), st.integers(1, 500))
def test_rarer_words_are_worth_more_and_all_are_worth_one(having: list[float], of: int) -> None:
    counted = np.minimum(np.array(having, np.float32), of)
    worth = rarity(counted, of)
    assert worth.sum() == pytest.approx(1, abs=1e-4)
    order = np.argsort(counted, kind="stable")
    assert (np.diff(worth[order]) <= 1e-6).all()
