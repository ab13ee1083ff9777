"""What this machine could do and does not: idle cards, models far below it or too slow on it. Pure.

Every advice was tried: the household was placed anew with it, and nobody lost a place.
"""

from collections.abc import Sequence
from dataclasses import replace

from lumbre.core.machine import Host
from lumbre.core.model import CHAT_ROLES
from lumbre.core.plan import Plan, Planned
from lumbre.planner.candidate import (
    Advice,
    Candidate,
    Trial,
    exchanged,
    nobody_lost,
    ranked,
    told_speed,
)
from lumbre.planner.instead import FLUENT_TOKENS_PER_S, instead
from lumbre.planner.option import Estimate
from lumbre.planner.options import Kitchen
from lumbre.planner.place import expected_s, place_again
from lumbre.planner.wish import Wish
from lumbre.words import Sentence

__all__ = ["FLUENT_TOKENS_PER_S", "Advice", "Candidate", "advise"]
GIB = 2**30
_IDLE_SHARE = 0.05
_LEAST_CARD_BYTES = GIB
_MOST_TRIALS = 30
_MOST_OF_ONE = 6


def advise(
    plan: Plan, wishes: Sequence[Wish], known: Sequence[Candidate], host: Host, estimate: Estimate
) -> tuple[Advice, ...]:
    """Nothing where the household is at its best. `plan` is that of the wishes on the host."""
    limits = {total.device: total.limit_bytes for total in plan.totals}

    kitchen = Kitchen(host, estimate, models=sum(wish.facts is not None for wish in wishes))

    trials = iter(range(_MOST_TRIALS))

    def trial(changed: Sequence[Wish]) -> Plan | None:
        if next(trials, None) is None:
            return None
        return place_again(changed, kitchen, limits, offers=False)

    found: list[Advice] = []
    for card in _idle_cards(plan):
        found += _on_idle_card(card, plan, wishes, known, trial)
    for wish in wishes:
        planned = plan.planned(wish.id)
        if planned and wish.facts and wish.role in CHAT_ROLES:
            found += instead(planned, wish, plan, wishes, known, trial)
    return tuple(found)


def _idle_cards(plan: Plan) -> list[str]:
    return [
        total.device
        for total in plan.totals[1:]
        if total.limit_bytes >= _LEAST_CARD_BYTES
        and total.used_bytes < _IDLE_SHARE * total.limit_bytes
    ]


def _on_idle_card(
    card: str,
    plan: Plan,
    wishes: Sequence[Wish],
    known: Sequence[Candidate],
    trial: Trial,
) -> list[Advice]:
    """The model that gains most by it; where none may use it, one more model for it."""
    gains: list[tuple[float, Planned, Planned]] = []
    for wish in wishes:
        if wish.facts is None or wish.runs_on_cards:
            continue
        changed = replace(wish, runs_on_cards=True)
        made = trial(exchanged(wishes, wish, changed))
        now, then = plan.planned(wish.id), made.planned(wish.id) if made else None
        if made and now and then and nobody_lost(plan, made) and then.bytes_on(card):
            gain_s = expected_s(plan, wishes) - expected_s(made, exchanged(wishes, wish, changed))
            gains.append((gain_s, now, then))
    if gains:
        _, now, then = max(gains, key=lambda gain: gain[0])
        return [_moved(card, now, then)]
    return _new_on_card(card, plan, wishes, known, trial)


def _moved(card: str, now: Planned, then: Planned) -> Advice:
    sentence = Sentence(
        "plan.advice.idle_card",
        device=card,
        model=then.id,
        size_bytes=then.bytes_on(card),
        speed=told_speed(then),
        now=told_speed(now),
    )
    return Advice(
        kind="idle_card", sentence=sentence, model=then.id, device=card,
        size_bytes=then.total_bytes, tokens_per_s=then.tokens_per_s,
    )  # fmt: skip


def _new_on_card(
    card: str, plan: Plan, wishes: Sequence[Wish], known: Sequence[Candidate], trial: Trial
) -> list[Advice]:
    free = next(total.limit_bytes for total in plan.totals if total.device == card)
    have = {wish.id for wish in wishes}
    able = [one for one in ranked(known) if one.download_bytes < free and one.wish.id not in have]
    for candidate in able[:_MOST_OF_ONE]:
        wish = replace(candidate.wish, eager=False, runs_on_cards=True)
        made = trial((*wishes, wish))
        then = made.planned(wish.id) if made else None
        if made is None or then is None or not _lies_on(card, then, wish):
            continue
        if not nobody_lost(plan, made):
            continue
        sentence = Sentence(
            "plan.advice.new_on_card",
            device=card,
            candidate=wish.id,
            size_bytes=then.bytes_on(card),
            speed=told_speed(then),
        )
        return [
            Advice(
                kind="new_on_card", sentence=sentence, model=wish.id, device=card,
                candidate=candidate, size_bytes=then.total_bytes, tokens_per_s=then.tokens_per_s,
            )
        ]  # fmt: skip
    return []


def _lies_on(card: str, planned: Planned, wish: Wish) -> bool:
    """Nothing of it is computed in main memory, and most of it on this card."""
    if wish.facts is None or planned.choice.card_layers <= wish.facts.layers:
        return False
    mine = dict(planned.choice.layers).get(card, 0)
    return not planned.choice.expert_layers_on_cpu and 2 * mine > planned.choice.card_layers
