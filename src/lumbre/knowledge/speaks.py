"""What this part needs of whoever runs the models."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

from lumbre.core.generation import ChatRequest, Delta
from lumbre.core.messages import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Vectorises(Protocol):
    """Turns texts into vectors of one embedding model."""

    @property
    def embedding_version(self) -> str:
        """The model's id and the hash of its weights: vectors of two are never compared."""
        ...

    async def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Shape (texts, dimensions), rows of unit length."""
        ...


class Speaks(Vectorises, Protocol):
    """Chats too, and counts as the model that chats does."""

    def chat(self, request: ChatRequest, model: str) -> AsyncIterator[Delta]:
        """The answer in deltas; closing the iterator ends it."""
        ...

    async def count(self, messages: Sequence[Message], model: str) -> int:
        """Tokens of the prompt these messages become."""
        ...

    def window_tokens(self, model: str) -> int:
        """Prompt and answer together."""
        ...
