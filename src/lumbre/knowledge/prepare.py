"""Make a text ready to be searched and quoted: passages and sentences, each with its vector."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

from lumbre.core.document import Span
from lumbre.knowledge.index import Piece, Prepared
from lumbre.knowledge.language import language_of
from lumbre.knowledge.likeness import has_likeness, signatures
from lumbre.knowledge.reading import ReadFile
from lumbre.knowledge.sentences import sentences
from lumbre.knowledge.speaks import Vectorises
from lumbre.knowledge.split import split
from lumbre.knowledge.tally import Terms, terms_in
from lumbre.knowledge.wording import different
from lumbre.words import Language

_BATCH = 32
"""Texts embedded at a time: often enough to show progress and to be cancelled."""
_WORDS_BATCH = 256
"""Single words embedded at a time; each takes a hundredth of a passage's time."""


async def prepare(
    path: str,
    read: ReadFile,
    vectors: Vectorises,
    *,
    size: int,
    overlap: int,
    cut: str,
    fallback: Language,
    likes: Callable[[Iterable[str], str], Mapping[str, bytes]],
) -> AsyncGenerator[tuple[int, int] | Prepared]:
    """How many pieces of how many are done, before each batch; then the document.

    `likes`: of some words, what those are like that are known under an embedding.
    `size`, `overlap`: of passages, code points. `cut`: kept with it, to know it by.
    """
    text = read.parsed.text
    language = language_of(text, fallback)
    passages = [span for span in split(text, size, overlap) if text[span.start : span.end].strip()]
    spans: list[Span] = [*passages, *sentences(text)]
    spoken = [(span, language_of(text[span.start : span.end], language)) for span in passages]
    pieces: list[Piece] = []
    terms: list[Terms] = []
    version = vectors.embedding_version
    for start in range(0, len(spans), _BATCH):
        yield start, len(spans)
        batch = spans[start : start + _BATCH]
        some = spoken[start : start + _BATCH]
        found, counted = await asyncio.gather(  # the model is another process
            vectors.embed([text[span.start : span.end] for span in batch]),
            asyncio.to_thread(_terms, text, some),
        )
        pieces += [Piece(span, vector) for span, vector in zip(batch, found, strict=True)]
        terms += counted
    said = [word for word in different(text) if has_likeness(word)]
    known = likes(said, version)
    new = [word for word in said if word not in known]
    signed: dict[str, bytes] = {}
    for start in range(0, len(new), _WORDS_BATCH):
        yield len(spans), len(spans)
        words = new[start : start + _WORDS_BATCH]
        signed |= zip(words, signatures(words, await vectors.embed(words)), strict=True)
    yield Prepared(
        path=path,
        sha256=read.sha256,
        parsed=read.parsed,
        cut=cut,
        embedding=version,
        passages=tuple((piece, how) for piece, (_, how) in zip(pieces, spoken, strict=False)),
        terms=tuple(terms),
        sentences=tuple(pieces[len(passages) :]),
        likes=signed,
    )


def _terms(text: str, passages: Iterable[tuple[Span, Language]]) -> list[Terms]:
    return [terms_in(text[span.start : span.end], how) for span, how in passages]
