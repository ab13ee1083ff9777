"""What this machine could do and does not: idle cards, models far below it or too slow on it. Pure.

Every advice was tried: the household was placed anew with it, and nobody lost a place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lumbre.core.machine import Host
from lumbre.core.model import CHAT_ROLES
from lumbre.core.plan import Choice, Plan, Planned
from lumbre.planner.nearest import BITS
from lumbre.planner.option import Estimate
from lumbre.planner.options import Kitchen
from lumbre.planner.place import expected_s, place_again
from lumbre.planner.speed import Pace
from lumbre.planner.wish import Wish
from lumbre.words import Sentence

GIB = 2**30
FLUENT_TOKENS_PER_S = 10.0
"""About twice as fast as people read."""
PATIENT_S = 5.0
"""To wait for a prompt of usual length to be read."""
LARGER_SHARE = 1.8
"""A model is far below the machine when one this much larger serves as well."""
_PATIENCE_SHARE = 1.1
"""What the others may wait, of what they wait now."""
_IDLE_SHARE = 0.05
_LEAST_CARD_BYTES = GIB
_LEAST_BITS = 4.0
"""Rounded to fewer bits a larger model is not clearly the better one."""
_USUAL_BITS = BITS["Q4_K_M"]
_MOST_TRIALS = 24
_MOST_TRIALS_OF_ONE = 4
_MOST_OFFERS = 2


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
            found += _instead(planned, wish, plan, wishes, known, trial)
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
        made = trial(_with(wishes, wish, changed))
        now, then = plan.planned(wish.id), made.planned(wish.id) if made else None
        if made and now and then and _nobody_lost(plan, made) and then.bytes_on(card):
            gain_s = expected_s(plan, wishes) - expected_s(made, _with(wishes, wish, changed))
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
        speed=_speed(then),
        now=_speed(now),
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
    able = [one for one in _ranked(known) if one.download_bytes < free and one.wish.id not in have]
    for candidate in able[:_MOST_TRIALS_OF_ONE]:
        wish = replace(candidate.wish, eager=False, runs_on_cards=True)
        made = trial((*wishes, wish))
        then = made.planned(wish.id) if made else None
        if made is None or then is None or not _lies_on(card, then, wish):
            continue
        if not _nobody_lost(plan, made):
            continue
        sentence = Sentence(
            "plan.advice.new_on_card",
            device=card,
            candidate=wish.id,
            size_bytes=then.bytes_on(card),
            speed=_speed(then),
        )
        return [
            Advice(
                kind="new_on_card", sentence=sentence, model=wish.id, device=card,
                candidate=candidate, size_bytes=then.total_bytes, tokens_per_s=then.tokens_per_s,
            )
        ]  # fmt: skip
    return []


def _instead(
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
    for candidate in _ranked(known):
        far_above = candidate.parameters >= LARGER_SHARE * parameters
        suits = candidate.parameters < parameters if is_slow else far_above
        changed = _like(candidate, wish)
        if not suits or candidate.family in families or changed.id in have:
            continue
        if not _may_be_fluent(changed, plan) or tried >= _MOST_TRIALS_OF_ONE:
            continue
        tried += 1
        others = tuple(one for one in wishes if one is not wish)
        made = trial(_with(wishes, wish, changed))
        then = made.planned(changed.id) if made else None
        if made is None or then is None or not _nobody_lost(plan, made, but=wish.id):
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
        speed=_speed(then),
        now=_speed(now),
        billions=round(candidate.parameters / 1e9, 1),
        now_billions=round(parameters / 1e9, 1),
        tokens=then.choice.context_tokens,
    )


def _ranked(known: Sequence[Candidate]) -> list[Candidate]:
    """Chat models, the largest first; of each family and size in the quant most people take."""
    usual: dict[tuple[str, float], Candidate] = {}
    for one in known:
        bits = _bits(one.wish)
        if one.wish.role not in CHAT_ROLES or bits < _LEAST_BITS:
            continue
        size = (one.family, one.parameters)
        if size not in usual or abs(bits - _USUAL_BITS) < abs(
            _bits(usual[size].wish) - _USUAL_BITS
        ):
            usual[size] = one
    return sorted(usual.values(), key=lambda one: (-one.parameters, one.wish.id))


def _bits(wish: Wish) -> float:
    return BITS.get(wish.facts.quant.upper(), 0.0) if wish.facts else 0.0


def _like(candidate: Candidate, wish: Wish) -> Wish:
    """The candidate in the place and use of a wish."""
    return replace(
        wish,
        id=candidate.wish.id,
        facts=candidate.wish.facts,
        beside_bytes=candidate.wish.beside_bytes,
    )


def _may_be_fluent(wish: Wish, plan: Plan) -> bool:
    """Even with every layer on the fastest device: a bound that saves a trial."""
    devices = plan.host.devices if wish.runs_on_cards else plan.host.devices[:1]
    pace = Pace(wish, plan.host)
    wholes = [((d.id, pace.layers),) if d is not plan.host.cpu else () for d in devices]
    least_s = min(
        pace.token_s(Choice(context_tokens=wish.context_tokens, layers=whole)) for whole in wholes
    )
    return least_s * FLUENT_TOKENS_PER_S <= 1


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


def _nobody_lost(plan: Plan, made: Plan, but: str = "") -> bool:
    """Everybody else has a place still, and no primary model began to take turns for it."""
    there = {one.id for one in made.models}
    lent = any(one.slot and one.role == "primary" for one in plan.models)
    lends = any(one.slot and one.role == "primary" for one in made.models)
    return all(one.id in there or one.id == but for one in plan.models) and (lent or not lends)


def _lies_on(card: str, planned: Planned, wish: Wish) -> bool:
    """Nothing of it is computed in main memory, and most of it on this card."""
    if wish.facts is None or planned.choice.card_layers <= wish.facts.layers:
        return False
    mine = dict(planned.choice.layers).get(card, 0)
    return not planned.choice.expert_layers_on_cpu and 2 * mine > planned.choice.card_layers


def _parameters(wish: Wish) -> float:
    """By its bytes and the bits of its quant."""
    assert wish.facts is not None, "asked of chat models with facts only"
    return wish.facts.tensors_bytes * 8 / BITS.get(wish.facts.quant.upper(), 4.8944)


def _with(wishes: Sequence[Wish], wish: Wish, changed: Wish) -> tuple[Wish, ...]:
    return tuple(changed if one is wish else one for one in wishes)


def _speed(planned: Planned) -> float | int:
    speed = planned.tokens_per_s or 0.0
    return round(speed) if speed >= 10 else round(speed, 1)
