"""Documents of made-up words with made-up vectors, for tests of the search itself."""

import numpy as np
from numpy.typing import NDArray

from lumbre.core.document import Parsed, Span
from lumbre.knowledge.index import Piece, Prepared
from lumbre.words import Language

DIMENSIONS = 64
EMBEDDING = "made up@1"

_SYLLABLES = ["ba", "co", "di", "fe", "gu", "la", "mo", "ni", "pe", "ru", "sa", "te", "vi", "za"]


def unit(random: np.random.Generator) -> NDArray[np.float32]:
    vector = random.normal(size=DIMENSIONS).astype(np.float32)
    found: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return found


def words(random: np.random.Generator, count: int) -> list[str]:
    """Frequent ones are short and come often, as in a language."""
    ranks = random.zipf(1.3, count) % 4000
    return ["".join(_SYLLABLES[(rank // 14**at) % 14] for at in range(3)) for rank in ranks]


def document(
    path: str,
    random: np.random.Generator,
    passages: int,
    *,
    embedding: str = EMBEDDING,
    language: Language = "es",
) -> Prepared:
    """Passages of three sentences of six words."""
    text = ""
    pieces: list[tuple[Piece, Language]] = []
    sentences: list[Piece] = []
    for _ in range(passages):
        start = len(text)
        for _ in range(3):
            sentence = " ".join(words(random, 6)).capitalize() + "."
            span = Span(len(text), len(text) + len(sentence))
            sentences.append(Piece(span, unit(random)))
            text += sentence + " "
        pieces.append((Piece(Span(start, len(text)), unit(random)), language))
    return Prepared(
        path=path,
        sha256=f"hash of {path}",
        parsed=Parsed(text),
        cut="",
        embedding=embedding,
        passages=tuple(pieces),
        sentences=tuple(sentences),
    )


def with_word(prepared: Prepared, passage: int, word: str) -> Prepared:
    """The document with the first word of a passage changed to another of six letters."""
    at = prepared.passages[passage][0].span.start
    text = prepared.parsed.text
    assert len(word) == 6
    changed = Parsed(text[:at] + word.capitalize() + text[at + 6 :])
    return Prepared(
        path=prepared.path,
        sha256=f"{prepared.sha256} with {word}",
        parsed=changed,
        cut=prepared.cut,
        embedding=prepared.embedding,
        passages=prepared.passages,
        sentences=prepared.sentences,
    )
