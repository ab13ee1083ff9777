"""What is asked of a chat model, and the steps in which the answer comes."""

from dataclasses import dataclass
from typing import Literal

from lumbre.core.messages import Message

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A prompt and how to continue it."""

    messages: tuple[Message, ...]
    max_output_tokens: int
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int | None = None
    stop: tuple[str, ...] = ()
    conversation: int | None = None
    """Of which talk it is a turn, by its number in this home; None: of none that is kept."""
    slot: int | None = None
    """Which of the engine's slots reads it. The pool's choice, nobody else's."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one answer, as the engine gives them."""

    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt tokens the engine had kept from before."""
    output_tokens: int


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How far the engine has read the prompt, before the first word comes."""

    read_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """One step of a stream. The last one has a `finish`, and `usage` where the engine counts."""

    text: str = ""
    finish: Finish | None = None
    usage: Usage | None = None
    progress: PromptProgress | None = None
    """Of the reading, in steps without text before the first that has some."""


@dataclass(slots=True)
class SoFar:
    """What an answer has taken at any moment, for it may be broken off at any."""

    texts: int = 0
    progress: PromptProgress | None = None
    told: Usage | None = None
    """The engine's own counts, which come last."""

    def saw(self, delta: Delta) -> None:
        """One step of it."""
        self.texts += bool(delta.text)
        self.progress = delta.progress or self.progress
        self.told = delta.usage or self.told

    @property
    def usage(self) -> Usage:
        """As the engine told it; before that one token for each text, and the prompt as far as
        it was seen to be read, of which nobody knows yet what was kept from before."""
        if self.told is not None:
            return self.told
        read = 0
        if self.progress is not None:
            read = self.progress.total_tokens if self.texts else self.progress.read_tokens
        return Usage(read, 0, self.texts)
