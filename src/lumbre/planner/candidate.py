"""A known model that a household may not have, and what may be advised of it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from lumbre.core.model import CHAT_ROLES
from lumbre.core.plan import Plan, Planned
from lumbre.planner.nearest import BITS
from lumbre.planner.wish import Wish
from lumbre.words import Sentence

_LEAST_BITS = 4.0
"""Rounded to fewer bits a larger model is not clearly the better one."""
_USUAL_BITS = BITS["Q4_K_M"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A known model that a household may not have."""

    wish: Wish
    parameters: float
    family: str
    """Models of one family differ in size and quant only; one of each is advised."""
    download_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing worth changing, with what it would bring."""

    kind: Literal["idle_card", "new_on_card", "larger", "faster"]
    sentence: Sentence
    model: str
    """The one that changes; of `new_on_card` the new one."""
    device: str = ""
    candidate: Candidate | None = None
    """What to take instead, or as well."""
    size_bytes: int = 0
    """It would take, on all devices."""
    tokens_per_s: float | None = None
    """It would write."""


Trial = Callable[[Sequence[Wish]], Plan | None]
"""The plan of other wishes on the same machine; None once enough was tried."""


def ranked(known: Sequence[Candidate]) -> list[Candidate]:
    """Chat models, the largest first; of each family and size in the quant most people take."""
    usual: dict[tuple[str, float], Candidate] = {}
    for one in known:
        bits = _bits(one.wish)
        if one.wish.role not in CHAT_ROLES or bits < _LEAST_BITS:
            continue
        size = (one.family, one.parameters)
        known_bits = _bits(usual[size].wish) if size in usual else inf
        if abs(bits - _USUAL_BITS) < abs(known_bits - _USUAL_BITS):
            usual[size] = one
    return sorted(usual.values(), key=lambda one: (-one.parameters, one.wish.id))


def _bits(wish: Wish) -> float:
    return BITS.get(wish.facts.quant.upper(), 0.0) if wish.facts else 0.0


def nobody_lost(plan: Plan, made: Plan, but: str = "") -> bool:
    """Everybody else has a place still, and no primary model began to take turns for it."""
    there = {one.id for one in made.models}
    lent = any(one.slot and one.role == "primary" for one in plan.models)
    lends = any(one.slot and one.role == "primary" for one in made.models)
    return all(one.id in there or one.id == but for one in plan.models) and (lent or not lends)


def exchanged(wishes: Sequence[Wish], wish: Wish, changed: Wish) -> tuple[Wish, ...]:
    return tuple(changed if one is wish else one for one in wishes)


def told_speed(planned: Planned) -> float | int:
    speed = planned.tokens_per_s or 0.0
    return round(speed) if speed >= 10 else round(speed, 1)
