"""What answers took and wrote, by the role of who gave them; each is followed from its request."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from lumbre.core.errors import LumbreError
from lumbre.core.generation import Delta, Usage
from lumbre.core.histogram import Histogram

TokenKind = Literal["prompt", "cached", "output"]


@dataclass(slots=True)
class Course:
    """One request on its way."""

    clock: Callable[[], float]
    granted: float | None = None
    """When a worker took it; None: it waits."""
    first: float | None = None
    """When the first of its text came."""
    usage: Usage | None = None
    is_whole: bool = False
    """It came to its end; else it failed, or nobody wanted it any more."""
    error: LumbreError | None = None

    def grant(self) -> None:
        """A worker has it from now on."""
        self.granted = self.clock()

    def saw(self, delta: Delta) -> None:
        """One step of the answer."""
        if delta.text and self.first is None:
            self.first = self.clock()
        self.usage = delta.usage or self.usage
        self.is_whole = self.is_whole or delta.finish in ("stop", "length")

    @property
    def took_s(self) -> float:
        """From the moment a worker had it to now."""
        return 0.0 if self.granted is None else self.clock() - self.granted


@dataclass(slots=True)
class Tally:
    """Counts since the household opened, by role."""

    clock: Callable[[], float] = time.monotonic
    queue_s: dict[str, Histogram] = field(default_factory=dict)
    """From the request until a worker took it, loading included."""
    first_token_s: dict[str, Histogram] = field(default_factory=dict)
    """From then to the first text."""
    answer_s: dict[str, Histogram] = field(default_factory=dict)
    """From then to the end of whole answers."""
    tokens: dict[tuple[str, TokenKind], int] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    """By the error's code."""

    @contextmanager
    def following(self, role: str) -> Iterator[Course]:
        """Follow one request through the block; it is counted at its end, however that comes."""
        asked, course = self.clock(), Course(self.clock)
        try:
            yield course
        except LumbreError as error:
            course.error = error
            self.refused(role, error)
            raise
        finally:
            self._count(role, course, asked)

    def refused(self, role: str, error: LumbreError) -> None:
        """A request ended with an error."""
        key = role, error.code
        self.errors[key] = self.errors.get(key, 0) + 1

    def _count(self, role: str, course: Course, asked: float) -> None:
        if course.granted is None:
            return
        _add(self.queue_s, role, course.granted - asked)
        if course.first is not None:
            _add(self.first_token_s, role, course.first - course.granted)
        if course.is_whole:
            _add(self.answer_s, role, course.took_s)
        if usage := course.usage:
            counts: dict[TokenKind, int] = {
                "prompt": usage.prompt_tokens,
                "cached": usage.cached_tokens,
                "output": usage.output_tokens,
            }
            for kind, count in counts.items():
                self.tokens[role, kind] = self.tokens.get((role, kind), 0) + count


def _add(table: dict[str, Histogram], role: str, seconds: float) -> None:
    table.setdefault(role, Histogram()).add(seconds)
