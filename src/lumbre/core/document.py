"""Documents, their passages, and an answer with its citations."""

from dataclasses import dataclass, field
from typing import Literal

from lumbre.words import Language

Status = Literal["indexed", "failed", "skipped"]


def status_of(reason: str) -> Status:
    """What became of a file: `reason` is a name of words/docs.toml, empty when it was read.

    Skipped is what lumbre does not try to read; failed, what it should have and could not.
    """
    return "indexed" if not reason else "skipped" if reason == "kind" else "failed"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document's stored text, in code points; `end` is past the last."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file, and where its pages begin and end."""

    text: str
    """Unicode NFC, "\\n" line ends."""
    pages: tuple[Span, ...] = ()
    """Empty where the format has no pages. Contiguous, in order, over the whole text."""

    def page_of(self, position: int) -> int | None:
        """The 1-based page a code point stands on."""
        for index, page in enumerate(self.pages, start=1):
            if page.start <= position < page.end:
                return index
        return len(self.pages) or None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a file a parser may open up."""

    pages: int = 20_000
    unpacked_bytes: int = 512 * 1024**2
    """Of all that is read of a packed file together."""
    characters: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was added."""

    path: str
    """Absolute."""
    status: Status
    reason: str
    """Empty when indexed; else a sentence of words/docs.toml by name."""
    pages: int
    passages: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that may carry the answer, and how well it matched."""

    document: str
    page: int | None
    start: int
    end: int
    text: str
    score: float
    language: Language


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that stands in its document at the place named."""

    id: int
    document: str
    page: int | None
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that did not fit in the prompt."""

    what: str
    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class PartCount:
    """How many tokens of the prompt one part takes."""

    name: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the window went: nothing is cut without standing here."""

    window_tokens: int
    used_tokens: int
    parts: tuple[PartCount, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


Origin = Literal["generated", "extractive", "none"]
"""Whose words an answer is in: a model's, the documents' own, or lumbre's (a refusal)."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why an answer is what it is."""

    searched: str
    """What was searched for: the question, after the one before it where it leans on that."""
    likely: float
    """How likely the passages hold an answer, 0 to 1."""
    passages: tuple[Hit, ...]
    sentences: tuple[tuple[str, str], ...] = ()
    """Each sentence of the model, and what was found of it (`knowledge.choose.Verdict`)."""
    why: str = ""
    """A sentence of words/explain.toml, by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, and what it stands on."""

    text: str
    answered: bool
    language: Language
    model: str
    template: str
    """Hash of the prompt template."""
    origin: Origin = "none"
    citations: tuple[Citation, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Sentences of the answer that no quote bears out; each is shown with [?]."""
    removed_citations: int = 0
    """Marks that the model set by itself; they were taken out."""
    extractive: tuple[Citation, ...] = ()
    """The documents' own best sentences, whether they were shown or not."""
    ledger: Ledger = field(default_factory=lambda: Ledger(0, 0))
    timing: dict[str, float] = field(default_factory=dict)
    """Seconds: load_s, retrieve_s, first_token_s, generate_s, total_s."""
    explained: Explained | None = None
