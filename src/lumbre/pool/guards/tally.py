"""What answers took and wrote, by model and role; each is followed from its request."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from lumbre.core.errors import LumbreError
from lumbre.core.generation import Delta, SoFar, Usage
from lumbre.core.histogram import Histogram

TokenKind = Literal["prompt", "cached", "output"]
Who = tuple[str, str]
"""A model, and the role it has."""


@dataclass(slots=True)
class Course:
    """One request on its way."""

    clock: Callable[[], float]
    granted: float | None = None
    """When a worker took it; None: it waits."""
    first: float | None = None
    """When the first of its text came."""
    so_far: SoFar = field(default_factory=SoFar)
    is_whole: bool = False
    """It came to its end; else it failed, or nobody wanted it any more."""
    error: LumbreError | None = None

    @property
    def usage(self) -> Usage | None:
        """As the engine told it; None: it was broken off before that."""
        return self.so_far.told

    def grant(self) -> None:
        """A worker has it from now on."""
        self.granted = self.clock()

    def saw(self, delta: Delta) -> None:
        """One step of the answer."""
        if delta.text and self.first is None:
            self.first = self.clock()
        self.so_far.saw(delta)
        self.is_whole = self.is_whole or delta.finish in ("stop", "length")

    @property
    def took_s(self) -> float:
        """From the moment a worker had it to now."""
        return 0.0 if self.granted is None else self.clock() - self.granted


@dataclass(slots=True)
class Tally:
    """Counts since the household opened, by model and role."""

    clock: Callable[[], float] = time.monotonic
    first_token_s: dict[Who, Histogram] = field(default_factory=dict)
    """From the moment a worker had it to the first text."""
    answer_s: dict[Who, Histogram] = field(default_factory=dict)
    """From then to the end of whole answers."""
    tokens: dict[tuple[str, str, TokenKind], int] = field(default_factory=dict)
    """Those of answers that were broken off too, as far as they came."""
    errors: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By the error's code."""

    @contextmanager
    def following(self, who: Who) -> Iterator[Course]:
        """Follow one request through the block; it is counted at its end, however that comes."""
        course = Course(self.clock)
        try:
            yield course
        except LumbreError as error:
            course.error = error
            self.refused(who, error)
            raise
        finally:
            self._count(who, course)

    def refused(self, who: Who, error: LumbreError) -> None:
        """A request ended with an error."""
        key = (*who, error.code)
        self.errors[key] = self.errors.get(key, 0) + 1

    def _count(self, who: Who, course: Course) -> None:
        if course.granted is None:
            return
        if course.first is not None:
            _add(self.first_token_s, who, course.first - course.granted)
        if course.is_whole:
            _add(self.answer_s, who, course.took_s)
        usage = course.so_far.usage
        counts: dict[TokenKind, int] = {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "output": usage.output_tokens,
        }
        for kind, count in counts.items():
            self.tokens[*who, kind] = self.tokens.get((*who, kind), 0) + count


def _add(table: dict[Who, Histogram], who: Who, seconds: float) -> None:
    table.setdefault(who, Histogram()).add(seconds)
