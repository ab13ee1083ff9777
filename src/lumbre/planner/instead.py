"""Which known model would serve better in another one's place on this machine. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from lumbre.core.machine import Host
from lumbre.core.plan import Choice, Plan, Planned
from lumbre.planner.candidate import (
    Advice,
    Candidate,
    Trial,
    exchanged,
    nobody_lost,
    ranked,
    told_speed,
)
from lumbre.planner.nearest import BITS
from lumbre.planner.place import expected_s
from lumbre.planner.speed import Pace
from lumbre.planner.wish import Wish
from lumbre.words import Sentence

FLUENT_TOKENS_PER_S = 10.0
"""About twice as fast as people read."""
PATIENT_S = 5.0
"""To wait for a prompt of usual length to be read."""
LARGER_SHARE = 1.8
"""A model is far below the machine when one this much larger serves as well."""
_PATIENCE_SHARE = 1.1
"""What the others may wait, of what they wait now."""
_MOST_TRIALS = 6
_MOST_OFFERS = 2


def instead(
    planned: Planned,
    wish: Wish,
    plan: Plan,
    wishes: Sequence[Wish],
    known: Sequence[Candidate],
    trial: Trial,
) -> Iterator[Advice]:
    """Larger ones that serve as well; for one that writes slowly, the largest that does not."""
    parameters = _parameters(wish)
    is_slow = (planned.tokens_per_s or 0.0) < FLUENT_TOKENS_PER_S
    kind: Literal["larger", "faster"] = "faster" if is_slow else "larger"
    families: set[str] = set()
    have = {one.id for one in wishes}
    tried = 0
    for candidate in ranked(known):
        far_above = candidate.parameters >= LARGER_SHARE * parameters
        suits = candidate.parameters < parameters if is_slow else far_above
        changed = _like(candidate, wish)
        if not suits or candidate.family in families or changed.id in have:
            continue
        if not _may_be_fluent(changed, plan) or tried >= _MOST_TRIALS:
            continue
        tried += 1
        others = tuple(one for one in wishes if one is not wish)
        made = trial(exchanged(wishes, wish, changed))
        then = made.planned(changed.id) if made else None
        if made is None or then is None or not nobody_lost(plan, made, but=wish.id):
            continue
        if _waits_s(made, others) > _PATIENCE_SHARE * _waits_s(plan, others):
            continue
        if not _serves(then, changed, planned, wish, plan.host):
            continue
        families.add(candidate.family)
        yield Advice(
            kind=kind,
            sentence=_instead_said(kind, planned, then, candidate, parameters),
            model=wish.id,
            candidate=candidate,
            size_bytes=then.total_bytes,
            tokens_per_s=then.tokens_per_s,
        )
        if len(families) >= _MOST_OFFERS:
            return


def _instead_said(
    kind: str, now: Planned, then: Planned, candidate: Candidate, parameters: float
) -> Sentence:
    return Sentence(
        f"plan.advice.{kind}",
        model=now.id,
        candidate=then.id,
        size_bytes=then.total_bytes,
        download_bytes=candidate.download_bytes,
        speed=told_speed(then),
        now=told_speed(now),
        billions=round(candidate.parameters / 1e9, 1),
        now_billions=round(parameters / 1e9, 1),
        tokens=then.choice.context_tokens,
    )


def _like(candidate: Candidate, wish: Wish) -> Wish:
    """The candidate in the place and use of a wish."""
    return replace(
        wish,
        id=candidate.wish.id,
        facts=candidate.wish.facts,
        beside_bytes=candidate.wish.beside_bytes,
    )


def _may_be_fluent(wish: Wish, plan: Plan) -> bool:
    """With the quickest devices filled with its layers and nothing else: an upper bound that
    saves trials."""
    assert wish.facts is not None, "asked of chat models with facts only"
    pace, host = Pace(wish, plan.host), plan.host
    limits = {total.device: total.limit_bytes for total in plan.totals}
    if wish.facts.file_bytes > sum(limits.values()):
        return False
    cards = host.cards if wish.runs_on_cards else ()
    quickest = sorted(cards, key=lambda card: pace.token_s(_on(wish, {card.id: pace.layers})))
    left, counts = pace.layers, dict[str, int]()
    for card in quickest:
        room = limits[card.id] * pace.layers // max(1, wish.facts.tensors_bytes)
        counts[card.id] = left if wish.facts.experts else min(left, room)
        left -= counts[card.id]
    order = {card.id: counts[card.id] for card in cards if counts[card.id]}
    return pace.token_s(_on(wish, order)) * FLUENT_TOKENS_PER_S <= 1


def _on(wish: Wish, layers: Mapping[str, int]) -> Choice:
    return Choice(context_tokens=wish.context_tokens, layers=tuple(layers.items()))


def _serves(then: Planned, changed: Wish, now: Planned, wish: Wish, host: Host) -> bool:
    """It writes and reads quickly enough for its role, and is there as often."""
    least = FLUENT_TOKENS_PER_S
    if wish.role in ("lightweight", "micro"):
        least = max(least, (now.tokens_per_s or 0.0) / 2)
    prompt_s = Pace(wish, host).prompt_s(now.choice)
    return (
        (then.tokens_per_s or 0.0) >= least
        and then.residency in {now.residency, "resident"}
        and Pace(changed, host).prompt_s(then.choice) <= max(PATIENT_S, prompt_s)
    )


def _waits_s(plan: Plan, wishes: Sequence[Wish]) -> float:
    """Of these models alone."""
    ids = {wish.id for wish in wishes}
    some = replace(plan, models=tuple(one for one in plan.models if one.id in ids))
    return expected_s(some, wishes)


def _parameters(wish: Wish) -> float:
    """By its bytes and the bits of its quant."""
    assert wish.facts is not None, "asked of chat models with facts only"
    return wish.facts.tensors_bytes * 8 / BITS.get(wish.facts.quant.upper(), 4.8944)
