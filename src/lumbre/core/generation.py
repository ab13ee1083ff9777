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
