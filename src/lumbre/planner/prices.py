"""What a byte of each device is worth while several models want it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from lumbre.planner.option import Room

_PRICE_ROUNDS = 30
_PRICED_ITEMS = 24
"""Prices are found on a sample of long menus; the bound is then taken over all of them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One choice for one model."""

    cost: float
    sizes: Room


def shares(sizes: Room, room: Room) -> tuple[float, ...]:
    """Of each device."""
    return tuple(size / free if free else 0.0 for size, free in zip(sizes, room, strict=True))


def price(sizes: Room, prices: Sequence[float], room: Room) -> float:
    """Of a whole device, `prices[place]`."""
    return sum(
        price * size / free
        for price, size, free in zip(prices, sizes, room, strict=True)
        if price and free
    )


def prices(
    menus: Sequence[Sequence[Item]], charged: Sequence[Sequence[Room]], room: Room
) -> tuple[float, ...]:
    """What a device's memory is worth, in cost: the more asked for, the dearer.

    Any prices give a bound; good ones a close one. Source: subgradient ascent on the
    Lagrangian dual, e.g. Fisher, Management Science 27 (1981), section 3.
    """
    samples = []
    for menu, sizes in zip(menus, charged, strict=True):
        ranked = sorted(range(len(menu)), key=lambda n: menu[n].cost)
        step = -(-len(ranked) // _PRICED_ITEMS)
        samples.append(
            [(menu[n].cost, shares(sizes[n], room)) for n in {*ranked[::step], ranked[-1]}]
        )
    worth = best_worth = (0.0,) * len(room)
    best, spread = -inf, sum(max(c for c, _ in s) - min(c for c, _ in s) for s in samples)
    pace = 1.0
    for _ in range(_PRICE_ROUNDS):
        bound, asked = -sum(worth), [-1.0] * len(room)
        for sample in samples:
            cost, taken = min(
                (cost + sum(map(float.__mul__, worth, taken)), taken) for cost, taken in sample
            )
            bound += cost
            asked = list(map(float.__add__, asked, taken))
        if bound > best:
            best, best_worth = bound, worth
        else:
            pace *= 0.7
        length = sum(a * a for a in asked)
        if not length or not spread:
            break
        stride = pace * 0.3 * spread / length
        worth = tuple(max(0.0, now + stride * a) for now, a in zip(worth, asked, strict=True))
    return best_worth
