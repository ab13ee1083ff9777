"""What any part, or a person, can tell the household: one closed set of signals with their fields.

A signal says that something has happened or is wanted; what follows is the receiver's
affair. Triggers ask an optional model for one piece of work, and each is answered with one
result. On a wire a signal is its name and its fields; `parse` makes one of them again.
"""

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from lumbre.core.errors import BadSignal, LumbreError
from lumbre.core.text import is_text
from lumbre.words import Sentence

TriggerName = Literal["Eval.NeedJudge", "Reflection.LongContext", "Plan.Generate"]
ResultName = Literal["Judge.Result", "Reflection.Result", "Plan.Result"]
TRIGGERS: tuple[TriggerName, ...] = get_args(TriggerName)
_LEAST, _MOST = 1, 2**31 - 1
"""Of whole numbers: what an engine counts with."""
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Speech recognition has begun to work."""

    name: ClassVar[str] = "Speech.Began"

    source: str = "speech"
    """Which microphone, file or caller: several may speak at a time."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Speech recognition has nothing more to do for this source."""

    name: ClassVar[str] = "Speech.Ended"

    source: str = "speech"


@dataclass(frozen=True, slots=True)
class PersonaScored:
    """Hard tests have told how well the primary keeps to its persona."""

    name: ClassVar[str] = "Persona.Scored"

    adherence: float
    """From 0 to 1."""
    target: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class JudgeAgreed:
    """A judge and the primary came to the same verdict, or did not."""

    name: ClassVar[str] = "Judge.Agreed"

    agreed: bool


@dataclass(frozen=True, slots=True)
class Trigger:
    """Work for an optional model; each kind is a leaf."""

    name: ClassVar[TriggerName]
    result: ClassVar[ResultName]
    """The event that answers it."""

    text: str
    """What the model is to work on, as it is to read it."""
    instructions: str = ""
    """What is said to it before that."""
    max_output_tokens: int = 512


@dataclass(frozen=True, slots=True)
class NeedJudge(Trigger):
    """Somebody needs a verdict."""

    name = "Eval.NeedJudge"
    result = "Judge.Result"


@dataclass(frozen=True, slots=True)
class LongContext(Trigger):
    """Somebody wants a thought about more than the primary reads at once."""

    name = "Reflection.LongContext"
    result = "Reflection.Result"


@dataclass(frozen=True, slots=True)
class GeneratePlan(Trigger):
    """Somebody needs a plan."""

    name = "Plan.Generate"
    result = "Plan.Result"


Signal = SpeechBegan | SpeechEnded | PersonaScored | JudgeAgreed | Trigger
_KINDS: tuple[type[Signal], ...] = (
    SpeechBegan,
    SpeechEnded,
    PersonaScored,
    JudgeAgreed,
    NeedJudge,
    LongContext,
    GeneratePlan,
)
SIGNALS: Mapping[str, type[Signal]] = {kind.name: kind for kind in _KINDS}
"""Every signal there is, by its name."""


@dataclass(frozen=True, slots=True)
class Result:
    """The one answer of a trigger."""

    name: ResultName
    trigger: TriggerName
    number: int
    model: str | None = None
    """Which was asked; None: none was."""
    error: LumbreError | None = None
    """Why there is no whole answer."""
    text: str = ""
    """What was written; with an error, as far as it came."""
    took_s: float = 0.0
    """From the signal to this, waiting and loading included."""
    prompt_tokens: int = 0
    output_tokens: int = 0

    @property
    def ok(self) -> bool:
        """Whether the answer is whole."""
        return self.error is None


def parse(name: str, values: Mapping[str, object]) -> Signal:
    """The signal of this name; texts are read as what their field holds ("yes", "0.9").

    Raises:
        BadSignal: no signal is called so, or a field is unknown, missing, or of another kind.
    """
    kind = SIGNALS.get(name)
    if kind is None:
        folded = {known.lower(): known for known in SIGNALS}
        (near,) = difflib.get_close_matches(name.lower(), folded, 1, 0.0)
        raise BadSignal(name=name, reason=Sentence("signals.unknown", nearest=folded[near]))
    fields = {item.name: item for item in dataclasses.fields(kind)}
    for given in values:
        if given not in fields:
            known = ", ".join(fields)
            reason = Sentence("signals.no_field", field=given, fields=known)
            raise BadSignal(name=name, reason=reason)
    for item in fields.values():
        if item.default is dataclasses.MISSING and item.name not in values:
            raise BadSignal(name=name, reason=Sentence("signals.missing", field=item.name))
    kinds = typing.get_type_hints(kind)
    made: Any = {given: _value(name, given, raw, kinds[given]) for given, raw in values.items()}
    return kind(**made)


def _value(name: str, field: str, raw: Any, kind: type) -> object:
    """A value as its field holds it."""
    if kind is str:
        if isinstance(raw, str) and is_text(raw) and (raw.strip() or field != "text"):
            return raw
    elif kind is bool:
        word = str(raw).lower()
        if word in (*_YES, *_NO):
            return word in _YES
    elif not isinstance(raw, bool):
        least, most = (_LEAST, _MOST) if kind is int else (0, 1)
        with suppress(TypeError, ValueError, OverflowError):
            number = kind(raw)
            if least <= number <= most and not (kind is int and isinstance(raw, float)):
                return number
    wanted = {str: "text", bool: "yes_no", int: "whole", float: "share"}[kind]
    bounds = {"least": _LEAST, "most": _MOST} if wanted == "whole" else {}
    reason = Sentence(f"signals.{wanted}", field=field, value=str(raw), **bounds)
    raise BadSignal(name=name, reason=reason)
