"""Why a source of weights gave up, in words a person understands."""

from collections.abc import Mapping
from typing import Literal, cast

from lumbre.core.errors import SourceFailed
from lumbre.words import Language, Sentence, say

Why = Literal[
    "unknown_scheme", "bad_uri", "no_source",
    "no_connection", "status", "busy", "stalled", "cut", "redirected", "not_https", "encoded",
    "wrong_size", "wrong_bytes", "other_bytes", "changed_while_read", "not_a_file", "unreadable",
    "gated", "token_refused", "no_repository", "no_revision", "not_there", "garbled",
    "no_sum", "no_weights", "no_model", "no_layer",
    "pip", "pip_offline", "pip_silent", "not_a_wheel", "members", "swollen",
    "npm_missing", "npm", "npm_silent", "not_a_tarball", "wrong_package",
]  # fmt: skip


class Reason(Sentence):
    """One cause and its facts; its sentence stands in `words/pull.toml`."""

    __slots__ = ("code",)

    code: Why

    def __new__(cls, code: Why, facts: Mapping[str, object]) -> "Reason":
        self = cast("Reason", super().__new__(cls, f"pull.reason.{code}", **facts))
        self.code = code
        return self

    def say(self, language: Language) -> str:
        return say(self.key, language, **self.facts)


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
