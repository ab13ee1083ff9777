"""The best choice for each of several models at once, within the memory of every device. Pure.

Branch and bound: the bound prices each byte of each device (Lagrange multipliers), which
leaves few choices worth trying. Within `_MOST_STEPS` the result is the best there is;
beyond them, the best that was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from lumbre.planner.options import Room, fits

_MOST_STEPS = 60_000
_PRICE_ROUNDS = 40
_PRICED_ITEMS = 64
"""Prices are found on a sample of long menus; the bound is then taken over all of them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One choice for one model."""

    cost: float
    sizes: Room


@dataclass(frozen=True, slots=True)
class Found:
    """Which item of each menu, and what they cost together."""

    cost: float
    picks: tuple[int, ...]
    is_best: bool = True
    """Nothing cheaper fits."""


def cheapest(
    menus: Sequence[Sequence[Item]],
    room: Room,
    turns: frozenset[int] = frozenset(),
    *,
    below: float = inf,
) -> Found | None:
    """The cheapest pick from every menu whose sizes fit together; None where none does.

    Menus in `turns` share one slot: of each device it takes the largest of their picks.
    Only what costs less than `below` counts.
    """
    if not all(menus):
        return None
    firsts = tuple(min(range(len(m)), key=lambda i: (m[i].cost, i)) for m in menus)
    cost = sum(menu[pick].cost for menu, pick in zip(menus, firsts, strict=True))
    if cost >= below:
        return None
    if fits(together(menus, firsts, turns, len(room)), room):
        return Found(cost, firsts)
    charged = _charged(menus, turns, room)
    return _Search(menus, charged, room, turns, below).run()


def together(
    menus: Sequence[Sequence[Item]], picks: Sequence[int], turns: frozenset[int], width: int
) -> Room:
    """Bytes on each device."""
    used, slot = [0] * width, [0] * width
    for number, (menu, pick) in enumerate(zip(menus, picks, strict=True)):
        for place, size in enumerate(menu[pick].sizes):
            if number in turns:
                slot[place] = max(slot[place], size)
            else:
                used[place] += size
    return tuple(map(int.__add__, used, slot))


def _charged(
    menus: Sequence[Sequence[Item]], turns: frozenset[int], room: Room
) -> list[list[Room]]:
    """Sizes that can be added up without ever saying too much: of a slot, one model's only."""
    lead = max(sorted(turns), key=lambda n: min(sum(item.sizes) for item in menus[n]), default=None)
    nothing = (0,) * len(room)
    return [
        [item.sizes if number == lead or number not in turns else nothing for item in menu]
        for number, menu in enumerate(menus)
    ]


class _Search:
    def __init__(
        self,
        menus: Sequence[Sequence[Item]],
        charged: Sequence[Sequence[Room]],
        room: Room,
        turns: frozenset[int],
        below: float,
    ) -> None:
        self._menus = menus
        self._room = room
        self._turns = turns
        self._best = below
        self._picks: tuple[int, ...] | None = None
        self._steps = 0
        # Where the most is at stake comes first; a slot's models follow each other.
        self._order = sorted(
            range(len(menus)),
            key=lambda n: (-max(sum(sizes) for sizes in charged[n]), n not in turns, n),
        )
        self._least = self._later(charged)
        self._ranked: list[list[tuple[float, float, Room, int]]] = []
        self._bound = 0.0
        if self._cannot_fit():
            self._bound = inf
            return
        prices = _prices(menus, charged, room)
        self._bound = -sum(prices)
        for number in self._order:
            costs = [
                item.cost + _price(sizes, prices, room)
                for item, sizes in zip(menus[number], charged[number], strict=True)
            ]
            least = min(costs)
            self._bound += least
            self._ranked.append(
                sorted(
                    (cost - least, item.cost, item.sizes, pick)
                    for pick, (cost, item) in enumerate(zip(costs, menus[number], strict=True))
                )
            )

    def run(self) -> Found | None:
        nothing = (0,) * len(self._room)
        if self._bound >= self._best:
            return None
        self._visit(0, nothing, nothing, 0.0, 0.0, ())
        if self._picks is None:
            return None
        return Found(self._best, self._picks, self._steps <= _MOST_STEPS)

    def _cannot_fit(self) -> bool:
        """Not even the least that every model takes."""
        *each, all_together = self._least[0]
        return all_together > sum(self._room) or not fits(tuple(each), self._room)

    def _later(self, charged: Sequence[Sequence[Room]]) -> list[tuple[int, ...]]:
        """Least bytes of each device, and of all, that the models from here on take."""
        width = len(self._room)
        later = [(0,) * (width + 1)]
        for number in reversed(self._order):
            menu = charged[number] if number not in self._turns else [(0,) * width]
            least = [min(sizes[place] for sizes in menu) for place in range(width)]
            least.append(min(sum(sizes) for sizes in menu))
            later.append(tuple(map(int.__add__, least, later[-1])))
        return later[::-1]

    def _visit(
        self, depth: int, used: Room, slot: Room, over: float, cost: float, picks: tuple[int, ...]
    ) -> None:
        if depth == len(self._order):
            self._best = cost
            by_menu = dict(zip(self._order, picks, strict=True))
            self._picks = tuple(by_menu[number] for number in range(len(picks)))
            return
        least = self._least[depth + 1]
        free = tuple(map(int.__sub__, self._room, least))
        all_free = sum(self._room) - least[-1]
        takes_turns = self._order[depth] in self._turns
        for more, item_cost, sizes, pick in self._ranked[depth]:
            if self._bound + over + more >= self._best:
                return
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return
            if takes_turns:
                next_used, next_slot = used, tuple(map(max, slot, sizes))
            else:
                next_used, next_slot = tuple(map(int.__add__, used, sizes)), slot
            taken = tuple(map(int.__add__, next_used, next_slot))
            if sum(taken) > all_free or not fits(taken, free):
                continue
            if cost + item_cost >= self._best:
                continue
            self._visit(
                depth + 1, next_used, next_slot, over + more, cost + item_cost, (*picks, pick)
            )


def _shares(sizes: Room, room: Room) -> tuple[float, ...]:
    """Of each device."""
    return tuple(size / free if free else 0.0 for size, free in zip(sizes, room, strict=True))


def _price(sizes: Room, prices: Sequence[float], room: Room) -> float:
    """Of a whole device, `prices[place]`."""
    return sum(
        price * size / free
        for price, size, free in zip(prices, sizes, room, strict=True)
        if price and free
    )


def _prices(
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
            [
                (
                    menu[n].cost,
                    tuple(
                        size / free if free else 0.0
                        for size, free in zip(sizes[n], room, strict=True)
                    ),
                )
                for n in {*ranked[::step], ranked[-1]}
            ]
        )
    prices = best_prices = (0.0,) * len(room)
    best, spread = -inf, sum(max(c for c, _ in s) - min(c for c, _ in s) for s in samples)
    pace = 1.0
    for _ in range(_PRICE_ROUNDS):
        bound, asked = -sum(prices), [-1.0] * len(room)
        for sample in samples:
            cost, shares = min(
                (cost + sum(map(float.__mul__, prices, shares)), shares) for cost, shares in sample
            )
            bound += cost
            asked = list(map(float.__add__, asked, shares))
        if bound > best:
            best, best_prices = bound, prices
        else:
            pace *= 0.7
        length = sum(a * a for a in asked)
        if not length or not spread:
            break
        stride = pace * 0.3 * spread / length
        prices = tuple(max(0.0, price + stride * a) for price, a in zip(prices, asked, strict=True))
    return best_prices
