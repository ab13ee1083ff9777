"""Why a source of weights gave up, in words a person understands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lumbre.core.errors import SourceFailed
from lumbre.words import Language, say

Why = Literal[
    "unknown_scheme", "bad_uri", "no_source", "elsewhere",
    "no_connection", "status", "stalled", "cut", "redirected", "encoded",
    "wrong_size", "wrong_bytes", "not_a_file", "unreadable",
    "pip", "pip_offline", "pip_silent", "not_a_wheel", "members", "swollen",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause and its facts; its sentence stands in `words/pull.toml`."""

    code: Why
    facts: Mapping[str, object]

    def say(self, language: Language) -> str:
        return say(f"pull.reason.{self.code}", language, **self.facts)

    def __str__(self) -> str:
        return self.say("en")


def because(code: Why, /, **facts: object) -> Reason:
    return Reason(code, facts)


def failed(source: str, code: Why, /, **facts: object) -> SourceFailed:
    """The error of a source that gave up."""
    return SourceFailed(source=source, reason=Reason(code, facts))


def reason_of(error: SourceFailed) -> Reason:
    """What `failed` was told."""
    reason = error.facts["reason"]
    assert isinstance(reason, Reason)
    return reason
