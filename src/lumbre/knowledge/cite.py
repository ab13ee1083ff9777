"""Find the quotes that bear out a sentence of an answer, or tell that none does.

A sentence stands when each number, date and name it brings stands in its quotes: one, or
two where it joins what the document says in two places. What the question itself brought
may stand anywhere in the passage.
"""

from dataclasses import dataclass

from lumbre.core.document import Span
from lumbre.knowledge.excerpt import excerpt
from lumbre.knowledge.facts import facts, having
from lumbre.knowledge.index import Index
from lumbre.knowledge.lines import Line, Sources, of_the_year
from lumbre.knowledge.support import Claim, could_say, relevance, shared, support
from lumbre.knowledge.terms import words

_SUPPORTS = 0.45
_ANSWERS = 0.2
_SECOND = 0.3
"""What is left of a sentence after its first quote needs less to be the same thing."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A place in a document, letter by letter."""

    document: str
    page: int | None
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Borne:
    """A claim that is borne out."""

    quotes: tuple[Quote, ...]
    line: Line
    """The sentence that the first quote is about."""
    answers: bool
    """Whether the first quote has to do with the question too."""
    support: float
    """How well its sentence supports the claim: `support.support`."""
    is_fact: bool
    """Whether the claim adds a number, date or name to its question; the quotes have it."""
    same_language: bool


def bear_out(claim: Claim, sources: Sources) -> Borne | None:
    """The quotes that support a claim best, with the question in mind; None if none does."""
    rated = [
        (support(claim, line), relevance(claim, line), line)
        for line in of_the_year(claim.question, sources.lines)
        if could_say(claim, line)
    ]
    supported = [row for row in rated if row[0] >= _SUPPORTS]
    if not supported:
        return None
    supported.sort(key=lambda row: -(row[0] + row[1] / 2))
    for _, _, line in supported:
        wanted = _brought(claim, line)
        quote = quoted(line, sources, wanted, claim.sentence)
        if having(wanted, quote.text) == wanted:
            return _borne(claim, line, (quote,), is_fact=bool(wanted))
    *_, line = supported[0]
    wanted = _brought(claim, line)
    first = quoted(line, sources, wanted, claim.sentence)
    second = _second(claim, line, sources, wanted - having(wanted, first.text))
    if second is None:
        return None
    return _borne(claim, line, (first, second), is_fact=True)


def _borne(claim: Claim, line: Line, quotes: tuple[Quote, ...], *, is_fact: bool) -> Borne:
    return Borne(
        quotes=quotes,
        line=line,
        answers=relevance(claim, line) >= _ANSWERS,
        support=support(claim, line),
        is_fact=is_fact,
        same_language=line.hit.language == claim.language,
    )


def quoted(line: Line, sources: Sources, wanted: frozenset[str], sentence: str) -> Quote:
    """The shortest quote around a line that states the wanted facts, as many as can be."""
    parsed = sources.texts[line.hit.document]
    mates, at = sources.about(line)
    mine = set(words(sentence))
    span = excerpt(
        parsed.text,
        [mate.span for mate in mates],
        at,
        lambda text: len(wanted) - len(having(wanted, text)),
        lambda text: len(mine & set(words(text))),
        whole=not wanted,
    )
    text = parsed.text[span.start : span.end]
    return Quote(line.hit.document, parsed.page_of(span.start), span, text)


def stands(quote: Quote, index: Index) -> bool:
    """Whether the quote is, letter by letter, at its place in the text kept now."""
    stored = index.stored(quote.document)
    if stored is None:
        return False
    return stored.parsed.text[quote.span.start : quote.span.end] == quote.text


def _brought(claim: Claim, line: Line) -> frozenset[str]:
    """The facts that a claim adds to its question; the others stand in the passage already."""
    same = claim.language == line.hit.language
    all_of_it = facts(claim.sentence, claim.language, names=same)
    return all_of_it - having(all_of_it, claim.question)


def _second(claim: Claim, first: Line, sources: Sources, rest: frozenset[str]) -> Quote | None:
    """A quote from the same document that states all the first one lacks."""
    rated = [
        (support(claim, line), line)
        for line in sources.lines
        if line.hit.document == first.hit.document
        and line is not first
        and shared(claim.sentence, claim.language, line)
        and having(rest, line.text)
    ]
    for rated_support, line in sorted(rated, key=lambda row: -row[0]):
        quote = quoted(line, sources, rest, claim.sentence)
        if rated_support >= _SECOND and having(rest, quote.text) == rest:
            return quote
    return None
