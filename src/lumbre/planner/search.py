"""The best choice for each of several models at once, within the memory of every device. Pure.

Branch and bound: the bound prices each byte of each device (Lagrange multipliers), which
leaves few choices worth trying. Where they are too many all the same, the best found so
far is bettered two and three models at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf
from typing import Literal

from lumbre.planner.option import Room, fits
from lumbre.planner.prices import Item, price, prices, shares

_STEPS_TO_BETTER = 3000
Effort = Literal["exact", "thorough", "quick"]
"""exact: the cheapest there is, but for the rarest tangle. thorough, quick: near it, and soon."""
_STEPS: dict[Effort, int] = {"exact": 30_000, "thorough": 1000, "quick": 300}


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
    effort: Effort = "exact",
    start: Sequence[int] = (),
) -> Found | None:
    """The cheapest pick from every menu whose sizes fit together; None where none does.

    Menus in `turns` share one slot: of each device it takes the largest of their picks.
    None too where it is plain that nothing costs less than `below`. `start`: a pick that
    fits, to be bettered.
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
    return _Search(menus, charged, room, turns, below, start).run(effort)


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
        start: Sequence[int],
    ) -> None:
        self._menus = menus
        self._charged = charged
        self._room = room
        self._turns = turns
        self._picks = dict(enumerate(start))
        self._below = below
        self._best = sum(menus[n][pick].cost for n, pick in enumerate(start)) if start else inf
        self._steps = self._most_steps = 0
        self._is_ranked_by_cost = True
        self._ranked: list[list[tuple[float, float, Room, int]]] = []
        self._bound = 0.0
        # Where the most is at stake comes first; a slot's models follow each other.
        self._order = sorted(
            range(len(menus)),
            key=lambda n: (-max(sum(sizes) for sizes in charged[n]), n not in turns, n),
        )
        self._leasts = [self._least(number) for number in range(len(menus))]

    def run(self, effort: Effort) -> Found | None:
        later = self._later(self._order)
        *each, all_together = later[0]
        if all_together > sum(self._room) or not fits(tuple(each), self._room):
            return None
        self._rank()
        if self._bound >= self._below:
            return None
        if effort == "exact":
            self._best = min(self._best, self._below)
        is_best = self._all_through(_STEPS["quick"] if effort == "quick" else _STEPS["thorough"])
        if not self._picks and not is_best:
            self._smallest_first()
        if self._picks and not is_best:
            self._better(2 if effort == "quick" else 3)
        if not is_best and effort == "exact":
            is_best = self._all_through(_STEPS["exact"])
            if self._picks and not is_best:
                self._better(3)
        if not self._picks:
            return None
        picks = tuple(self._picks[number] for number in range(len(self._menus)))
        return Found(self._best, picks, is_best)

    def _smallest_first(self) -> None:
        """Looks for any pick that fits, where the cheap ones led nowhere."""
        by_cost = self._ranked
        self._ranked = [
            sorted(ranked, key=lambda item: (sum(shares(item[2], self._room)), item))
            for ranked in by_cost
        ]
        self._is_ranked_by_cost = False
        self._all_through(_STEPS["thorough"])
        self._ranked, self._is_ranked_by_cost = by_cost, True

    def _all_through(self, most_steps: int) -> bool:
        """Whether nothing was left untried."""
        nothing = (0,) * len(self._room)
        self._steps, self._most_steps = 0, most_steps
        self._visit(self._order, self._later(self._order), 0, (nothing, nothing), 0.0, 0.0, {})
        return self._steps <= most_steps

    def _rank(self) -> None:
        """Items by what they cost at the prices found; the bound is what the first ones do."""
        worth = prices(self._menus, self._charged, self._room)
        self._bound = -sum(worth)
        self._ranked = []
        for menu, charged in zip(self._menus, self._charged, strict=True):
            costs = [
                item.cost + price(sizes, worth, self._room)
                for item, sizes in zip(menu, charged, strict=True)
            ]
            least = min(costs)
            self._bound += least
            self._ranked.append(
                sorted(
                    (cost - least, item.cost, item.sizes, pick)
                    for pick, (cost, item) in enumerate(zip(costs, menu, strict=True))
                )
            )

    def _least(self, number: int) -> tuple[int, ...]:
        """Least bytes of each device, and of all, that any item takes."""
        menu, width = self._charged[number], len(self._room)
        if number in self._turns:
            return (0,) * (width + 1)
        each = [min(sizes[place] for sizes in menu) for place in range(width)]
        return (*each, min(sum(sizes) for sizes in menu))

    def _later(self, order: Sequence[int]) -> list[tuple[int, ...]]:
        """The same for all menus from each one in `order` on."""
        later = [(0,) * (len(self._room) + 1)]
        for number in reversed(order):
            later.append(tuple(map(int.__add__, self._leasts[number], later[-1])))
        return later[::-1]

    def _better(self, most: int) -> None:
        """Chooses two, then up to `most` models anew while the others keep what they have."""
        movable = [number for number in self._order if len(self._menus[number]) > 1]
        for count in range(2, most + 1):
            before = inf
            while self._best < before:
                before = self._best
                for some in combinations(movable, count):
                    self._steps, self._most_steps = 0, _STEPS_TO_BETTER
                    self._again(some)

    def _again(self, some: tuple[int, ...]) -> None:
        used, slot = [0] * len(self._room), [0] * len(self._room)
        over = cost = 0.0
        kept = {number: pick for number, pick in self._picks.items() if number not in some}
        for number, pick in kept.items():
            more, item_cost = next((m, c) for m, c, _, p in self._ranked[number] if p == pick)
            over, cost = over + more, cost + item_cost
            for place, size in enumerate(self._menus[number][pick].sizes):
                if number in self._turns:
                    slot[place] = max(slot[place], size)
                else:
                    used[place] += size
        taken = (tuple(used), tuple(slot))
        self._visit(some, self._later(some), 0, taken, over, cost, kept)

    def _visit(
        self,
        order: Sequence[int],
        later: Sequence[tuple[int, ...]],
        depth: int,
        taken: tuple[Room, Room],
        over: float,
        cost: float,
        picks: dict[int, int],
    ) -> None:
        """`taken`: bytes of those alone, and of the slot. `over`: by how much the picks are
        dearer than the bound supposes."""
        if depth == len(order):
            self._best, self._picks = cost, picks
            return
        number = order[depth]
        takes_turns = number in self._turns
        used, slot = taken
        *least, least_together = later[depth + 1]
        # What one item may take: in a slot, as much again as others take of it.
        besides = used if takes_turns else tuple(map(int.__add__, used, slot))
        free = tuple(
            most - other - mine
            for most, other, mine in zip(self._room, least, besides, strict=True)
        )
        all_free = sum(self._room) - least_together - sum(besides)
        for more, item_cost, sizes, pick in self._ranked[number]:
            if self._steps > self._most_steps:
                return
            if self._bound + over + more >= self._best:
                if self._is_ranked_by_cost:
                    return
                continue
            self._steps += 1
            for size, most in zip(sizes, free):  # noqa: B905 - the innermost loop of all
                if size > most:
                    break
            else:
                then = tuple(map(max, slot, sizes)) if takes_turns else sizes
                if sum(then) > all_free or cost + item_cost >= self._best:
                    continue
                self._visit(
                    order,
                    later,
                    depth + 1,
                    (used, then) if takes_turns else (tuple(map(int.__add__, used, sizes)), slot),
                    over + more,
                    cost + item_cost,
                    {**picks, number: pick},
                )
