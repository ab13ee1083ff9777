"""What would fit instead of a model that does not: the least change first. Pure.

Every offer is a wish that has a place beside all that is placed already, found with the
same estimates as the plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.model import RESIDENT_ROLES, Facts
from lumbre.planner.arrange import Arranger, Seat
from lumbre.planner.contexts import largest_context
from lumbre.planner.option import wished_tokens
from lumbre.planner.wish import Wish
from lumbre.words import Sentence

BITS: dict[str, float] = {
    "F32": 32.0, "F16": 16.0005, "BF16": 16.0005, "Q8_0": 8.5008, "Q6_K": 6.5633,
    "Q5_K_M": 5.7036, "Q5_K_S": 5.5704, "Q4_K_M": 4.8944, "Q4_1": 5.0, "Q4_0": 4.5,
    "Q4_K_S": 4.6672, "IQ4_NL": 4.6818, "IQ4_XS": 4.4597, "MXFP4": 4.25, "Q3_K_L": 4.2979,
    "Q3_K_M": 3.9960, "Q3_K_S": 3.6429, "IQ3_M": 3.7628, "IQ3_XXS": 3.2548, "Q2_K": 3.1593,
    "IQ2_M": 2.9294, "IQ2_XS": 2.5882, "IQ2_XXS": 2.3824,
}  # fmt: skip
"""Bits of a weight. Source: llama.cpp tools/quantize/README.md, Llama 3.1 8B; of the plain
kinds ggml/src/ggml-common.h, bytes of a block by its numbers."""
OFFERED = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ2_XXS")
"""Quants that publishers usually make; the best first."""
_LEAST_TOKENS = 512
"""Less context than this is no talk."""
_EVERY_KV: tuple[KvType, ...] = ("f16", "q8_0")
_EVERY_MODE: tuple[LoadMode, ...] = ("mmap", "read")


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fit:
    """An offer."""

    wish: Wish
    """What would have to be wished instead; it has a place then."""
    sentence: Sentence


def nearest(wish: Wish, seats: Sequence[Seat], arranger: Arranger) -> tuple[Fit, ...]:
    """Each kind of change that suffices alone; where none does, several together."""
    single = (*_as_it_is(wish), *_lighter(wish, arranger))
    found = [_fit(changed, key, seats, arranger) for key, changed in single]
    kept = [fit for fit in found if fit]
    kept += _shorter(wish, "plan.fit.context", seats, arranger)
    if not kept and wish.facts:
        kept += _lightest(wish, seats, arranger)
    return (*kept, *_smaller_quant(wish, seats, arranger))


def with_quant(wish: Wish, quant: str) -> Wish | None:
    """The same model rounded to fewer bits: its bytes by the ratio of the bits, an estimate.

    None where its own quant is not known, or is not larger.
    """
    if wish.facts is None:
        return None
    bits, fewer = BITS.get(wish.facts.quant.upper()), BITS[quant]
    if bits is None or fewer >= bits:
        return None
    return replace(wish, id=f"{wish.id} {quant}", facts=_scaled(wish.facts, fewer / bits, quant))


def _as_it_is(wish: Wish) -> Iterator[tuple[str, Wish]]:
    if wish.eager and wish.role not in RESIDENT_ROLES and wish.role != "primary":
        yield "plan.fit.on_demand", replace(wish, eager=False)


def _lighter(wish: Wish, arranger: Arranger) -> Iterator[tuple[str, Wish]]:
    if wish.facts is None:
        return
    if not wish.runs_on_cards and arranger.kitchen.host.cards:
        yield "plan.fit.cards", replace(wish, runs_on_cards=True)
    if "read" not in wish.load_modes:
        yield "plan.fit.read", replace(wish, load_modes=(*wish.load_modes, "read"))
    if False not in wish.extra_buffers:
        lean = replace(wish, extra_buffers=(*wish.extra_buffers, False))
        yield "plan.fit.without_extra_buffers", lean
    if "q8_0" not in wish.kv_types:
        yield "plan.fit.kv", replace(wish, kv_types=(*wish.kv_types, "q8_0"))


def _lightest(wish: Wish, seats: Sequence[Seat], arranger: Arranger) -> list[Fit]:
    """Everything that saves memory at once, and less context only if it has to be."""
    lightest = replace(
        wish,
        load_modes=_united(wish.load_modes, _EVERY_MODE),
        extra_buffers=_united(wish.extra_buffers, (True, False)),
        kv_types=_united(wish.kv_types, _EVERY_KV),
    )
    if lightest == wish:
        return []
    whole = _fit(lightest, "plan.fit.lightest", seats, arranger)
    return [whole] if whole else _shorter(lightest, "plan.fit.lightest", seats, arranger)


def _fit(wish: Wish, key: str, seats: Sequence[Seat], arranger: Arranger) -> Fit | None:
    tokens = wished_tokens(wish)
    found = arranger.arrange((*seats, Seat(wish, tokens)), lends=True, any_will_do=True)
    if found is None:
        return None
    said = Sentence(
        key,
        size_bytes=sum(found.options[-1].sizes),
        tokens=tokens,
        quant=wish.facts.quant if wish.facts else "",
    )
    return Fit(wish, said)


def _shorter(wish: Wish, key: str, seats: Sequence[Seat], arranger: Arranger) -> list[Fit]:
    """With less context, the most that fits."""
    if wish.facts is None or wish.embeds or wished_tokens(wish) <= _LEAST_TOKENS:
        return []
    least = min(_LEAST_TOKENS, wish.min_context_tokens or _LEAST_TOKENS)
    open_wish = replace(wish, min_context_tokens=least)
    tokens = largest_context(open_wish, seats, arranger, lends=True)
    if tokens is None:
        return []
    shorter = replace(wish, context_tokens=tokens, min_context_tokens=0)
    fit = _fit(shorter, key, seats, arranger)
    return [fit] if fit else []


def _smaller_quant(wish: Wish, seats: Sequence[Seat], arranger: Arranger) -> list[Fit]:
    """The largest that fits, with the whole context; else with the most that fits."""
    smaller = [changed for quant in OFFERED if (changed := with_quant(wish, quant))]
    for changed in smaller:
        if fit := _fit(changed, "plan.fit.quant", seats, arranger):
            return [fit]
    for changed in smaller:
        if shorter := _shorter(changed, "plan.fit.quant_context", seats, arranger):
            return shorter
    return []


def _scaled(facts: Facts, ratio: float, quant: str) -> Facts:
    return replace(
        facts,
        quant=quant,
        file_bytes=round(facts.file_bytes * ratio),
        tensors=tuple(replace(t, size_bytes=round(t.size_bytes * ratio)) for t in facts.tensors),
    )


def _united(first: tuple[_T, ...], others: tuple[_T, ...]) -> tuple[_T, ...]:
    return (*first, *(one for one in others if one not in first))
