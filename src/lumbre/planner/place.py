"""Which model gets which memory of this machine, and which one cannot be had. Pure.

Every model in the order of its rights gets a place that those before it leave possible,
and turns with others rather than none. All of them together are then arranged for the
least expected waiting. More memory never buys less: what was possible stays so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lumbre.core.machine import Host
from lumbre.core.model import RESIDENT_ROLES
from lumbre.core.plan import Plan, Planned, Refused, Residency
from lumbre.planner.arrange import Arrangement, Arranger, Seat, absences
from lumbre.planner.contexts import largest_context
from lumbre.planner.nearest import nearest
from lumbre.planner.option import Estimate, Option, least_tokens, wished_tokens
from lumbre.planner.options import Kitchen
from lumbre.planner.reasons import notes, refusal
from lumbre.planner.speed import Pace, requests_per_hour
from lumbre.planner.totals import totals
from lumbre.planner.wish import Wish

SLOT = "slot1"
"""The name of the slot that models share."""


def place(
    wishes: Sequence[Wish],
    host: Host,
    limits: Mapping[str, int],
    estimate: Estimate,
    *,
    remote: Sequence[str] = (),
) -> Plan:
    """The plan for a household: everything wished is in `models` or in `refused`.

    `limits` are the bytes models may have of each device, by id; a device that is not
    named may not be used. `estimate` may be slow for a context, KV type and number of
    slots it was never asked before: few are asked.
    """
    weighed = sum(wish.facts is not None for wish in wishes)
    kitchen = Kitchen(host, estimate, models=weighed)
    return place_again(wishes, kitchen, limits, remote=remote)


def place_again(
    wishes: Sequence[Wish],
    kitchen: Kitchen,
    limits: Mapping[str, int],
    *,
    remote: Sequence[str] = (),
    offers: bool = True,
) -> Plan:
    """The same with options that are known already; `offers`: with what would fit instead."""
    host = kitchen.host
    room = tuple(max(0, limits.get(device.id, 0)) for device in host.devices)
    arranger = Arranger(kitchen, room)
    seated = seat(sorted(wishes, key=rights), arranger)
    models = _planned(seated, host)
    device_totals = totals(models, host, room)
    left = tuple(limit - total.used_bytes for limit, total in zip(room, device_totals, strict=True))
    refused = tuple(
        Refused(
            id=wish.id,
            role=wish.role,
            reason=refusal(wish, kitchen, left, room),
            would_fit=tuple(
                fit.sentence for fit in (nearest(wish, seated.seats, arranger) if offers else ())
            ),
            must_be_resident=wish.eager,
        )
        for wish in seated.refused
    )
    order = {wish.id: number for number, wish in enumerate(wishes)}
    return Plan(
        host=host,
        models=tuple(sorted(models, key=lambda planned: order[planned.id])),
        refused=tuple(sorted(refused, key=lambda one: order[one.id])),
        totals=device_totals,
        remote=tuple(remote),
    )


@dataclass(frozen=True, slots=True)
class Seated:
    """Who has a place, and how; by rights."""

    seats: tuple[Seat, ...]
    arrangement: Arrangement
    refused: tuple[Wish, ...]


def rights(wish: Wish) -> tuple[int, float, str]:
    """What everything relies on first, then the primary model, then the others by use."""
    if wish.role in RESIDENT_ROLES:
        return (0, RESIDENT_ROLES.index(wish.role), wish.id)
    if wish.role == "primary":
        return (1, 0, wish.id)
    return (2, -requests_per_hour(wish), wish.id)


def seat(wishes: Sequence[Wish], arranger: Arranger) -> Seated:
    """Seats by rights: whoever comes later takes nothing that would put one before it out.

    Models that allow less context get a seat with the least of it first, and then, by
    rights again, what is left.
    """
    wished = tuple(Seat(wish, wished_tokens(wish)) for wish in wishes)
    if (whole := arranger.arrange(wished)) is not None:
        return Seated(wished, whole, ())
    seats: tuple[Seat, ...] = ()
    refused: list[Wish] = []
    lends = False
    for wish in wishes:
        beside = (*seats, Seat(wish, least_tokens(wish)))
        if arranger.fits(beside, lends=lends):
            seats = beside
        elif not lends and arranger.fits(beside, lends=True):
            seats, lends = beside, True
        else:
            refused.append(wish)
    for number in range(len(seats)):
        seats = _grown(seats, number, arranger, lends=lends)
    arrangement = arranger.arrange(seats, lends=lends)
    assert arrangement is not None, "every seat was given because all of them fit together"
    return Seated(seats, arrangement, tuple(refused))


def _grown(
    seats: tuple[Seat, ...], number: int, arranger: Arranger, *, lends: bool
) -> tuple[Seat, ...]:
    wish, others = seats[number].wish, (*seats[:number], *seats[number + 1 :])
    most = wished_tokens(wish)
    if seats[number].context_tokens == most:
        return seats
    if not arranger.fits((*others, Seat(wish, most)), lends=lends):
        most = largest_context(wish, others, arranger, lends=lends) or seats[number].context_tokens
    return (*seats[:number], Seat(wish, most), *seats[number + 1 :])


def _planned(seated: Seated, host: Host) -> tuple[Planned, ...]:
    turns = seated.arrangement.turns
    absent = absences(seated.seats, turns)
    together = [seated.seats[number].wish.id for number in sorted(turns)]
    return tuple(
        _one(seat, option, absent[number], together if number in turns else [], host)
        for number, (seat, option) in enumerate(
            zip(seated.seats, seated.arrangement.options, strict=True)
        )
    )


def _one(seat: Seat, option: Option, absent: float, together: Sequence[str], host: Host) -> Planned:
    wish = seat.wish
    pace = Pace(wish, host)
    stays = wish.eager or wish.role in RESIDENT_ROLES
    residency: Residency = "shared_slot" if together else "resident" if stays else "on_demand"
    token_s = pace.token_s(option.choice)
    writes = not wish.embeds and wish.output_tokens > 0 and wish.facts is not None
    return Planned(
        id=wish.id,
        role=wish.role,
        choice=option.choice,
        placements=option.placements,
        residency=residency,
        basis=option.basis,
        slot=SLOT if together else "",
        must_be_resident=wish.eager,
        tokens_per_s=1 / token_s if writes and token_s else None,
        first_token_s=pace.prompt_s(option.choice) + absent * option.load_s,
        notes=notes(wish, option, together),
    )


def expected_s(plan: Plan, wishes: Sequence[Wish]) -> float:
    """Seconds that an hour of the household's use waits for its answers, loading included."""
    by_id = {wish.id: wish for wish in wishes}
    total_s = 0.0
    for planned in plan.models:
        wish = by_id[planned.id]
        pace = Pace(wish, plan.host)
        written_s = pace.answer_s(planned.choice) - pace.prompt_s(planned.choice)
        total_s += requests_per_hour(wish) * ((planned.first_token_s or 0.0) + written_s)
    return total_s
