"""One turn of a talk: who said it, and the text."""

from dataclasses import dataclass
from typing import Literal

Speaker = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said."""

    role: Speaker
    text: str
