"""How several models share a machine: which way each one runs, and which take turns. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

from lumbre.core.backend import KvType
from lumbre.core.model import RESIDENT_ROLES
from lumbre.planner.option import Option, Room, fits
from lumbre.planner.options import FEW, Kitchen, Menu
from lumbre.planner.prices import Item
from lumbre.planner.search import Effort, cheapest
from lumbre.planner.speed import absence, requests_per_hour
from lumbre.planner.wish import Wish

_MOST_IN_PAIRS = 4
"""Among so many of the largest models every set that could take turns is tried; of the rest,
the larger ones first."""
_REFINEMENTS = 4


@dataclass(frozen=True, slots=True)
class Seat:
    """A model that has a place, with this context."""

    wish: Wish
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Arrangement:
    """One option for every seat."""

    options: tuple[Option, ...]
    turns: frozenset[int]
    """Seats that share a slot."""
    cost: float
    """Expected seconds in an hour, what is less than wished weighed in."""


class Arranger:
    """Arranges seats within the room of one machine."""

    def __init__(self, kitchen: Kitchen, room: Room) -> None:
        self.kitchen = kitchen
        self.room = room

    def arrange(
        self, seats: Sequence[Seat], *, lends: bool = False, any_will_do: bool = False
    ) -> Arrangement | None:
        """The best arrangement, or the first found; None where the seats do not fit together.

        `lends`: a primary model may take turns too, if it cannot be otherwise.
        """
        if not seats:
            return Arrangement((), frozenset(), 0.0)
        plain = [self._menu(seat, seat.wish.kv_types[:1]) for seat in seats]
        found = self._ideal(seats, plain)
        if found is None and any_will_do:
            found = self._shared(seats, plain, lends=lends, any_will_do=True)
        if found is not None:
            return found
        every = [self._menu(seat, seat.wish.kv_types) for seat in seats]
        return (
            self._shared(seats, every, lends=lends, any_will_do=any_will_do)
            or self._shared(seats, plain, lends=lends, any_will_do=True)
            or self._shared(seats, every, lends=lends, any_will_do=True)
        )

    def fits(self, seats: Sequence[Seat], *, lends: bool = False) -> bool:
        return self.arrange(seats, lends=lends, any_will_do=True) is not None

    def _menu(self, seat: Seat, kv_types: Sequence[KvType]) -> Menu:
        menu = self.kitchen.menu(seat.wish, seat.context_tokens, kv_types[0], self.room)
        for kv_type in kv_types[1:] if seat.wish.facts else ():
            more = self.kitchen.menu(seat.wish, seat.context_tokens, kv_type, self.room)
            menu = Menu(menu.options + more.options, menu.is_ideal or more.is_ideal)
        return menu

    def _ideal(self, seats: Sequence[Seat], menus: Sequence[Menu]) -> Arrangement | None:
        """Everybody has the best there is, and no smaller cache of another would help."""
        if not all(menu.options for menu in menus) or not all(menu.is_ideal for menu in menus):
            return None
        costs = _menus_cost(seats, menus, frozenset())
        picks = [min(range(len(some)), key=some.__getitem__) for some in costs]
        options = tuple(menu.options[pick] for menu, pick in zip(menus, picks, strict=True))
        together = (sum(sizes) for sizes in zip(*(option.sizes for option in options), strict=True))
        if not fits(tuple(together), self.room):
            return None
        cost = sum(some[pick] for some, pick in zip(costs, picks, strict=True))
        return Arrangement(options, frozenset(), cost)

    def _shared(
        self, seats: Sequence[Seat], menus: Sequence[Menu], *, lends: bool, any_will_do: bool
    ) -> Arrangement | None:
        """Without turns, and with any set that may take them; a primary model's only if
        nothing else fits."""
        if not all(menu.options for menu in menus):
            return None
        is_crowded = self.kitchen.models > FEW
        for lending in (False, True) if lends else (False,):
            found: Arrangement | None = None
            ways: list[Arrangement] = []
            tried = [frozenset[int](), *_sets(seats, menus, lends=lending)]
            costs = [_menus_cost(seats, menus, turns) for turns in tried]
            bounds = [sum(min(menu) for menu in some) for some in costs]
            for number in sorted(range(len(tried)), key=lambda n: (bounds[n], n)):
                below = found.cost if found else inf
                if bounds[number] >= below:
                    break
                effort: Effort = "quick" if is_crowded else "exact"
                nearby = [way for way in ways if way.turns <= tried[number]]
                begin = min(nearby, key=lambda way: way.cost).options if nearby else ()
                better = self._best(menus, costs[number], tried[number], below, effort, begin)
                if better is None:
                    continue
                if any_will_do:
                    return better
                ways.append(better)
                found = better if better.cost < below else found
            if found:
                return self._refined(seats, menus, found) if is_crowded else found
        return None

    def _refined(
        self, seats: Sequence[Seat], menus: Sequence[Menu], found: Arrangement
    ) -> Arrangement:
        """Bettered by single layers, among the menus and what is near to the choice made."""
        costs = _menus_cost(seats, menus, found.turns)
        found = self._best(menus, costs, found.turns, inf, "thorough", found.options) or found
        for _ in range(_REFINEMENTS):
            wider = [
                self._wider(seat, menu, option)
                for seat, menu, option in zip(seats, menus, found.options, strict=True)
            ]
            costs = _menus_cost(seats, wider, found.turns)
            better = self._best(wider, costs, found.turns, inf, "quick", found.options)
            if better is None or better.cost >= found.cost:
                break
            found = better
        return found

    def _wider(self, seat: Seat, menu: Menu, option: Option) -> Menu:
        near = self.kitchen.near(seat.wish, option, self.room)
        known = {id(other) for other in menu.options}
        return Menu(
            (*menu.options, *(other for other in near if id(other) not in known)), menu.is_ideal
        )

    def _best(
        self,
        menus: Sequence[Menu],
        costs: Sequence[Sequence[float]],
        turns: frozenset[int],
        below: float,
        effort: Effort,
        start: Sequence[Option] = (),
    ) -> Arrangement | None:
        items = [
            [Item(cost, option.sizes) for cost, option in zip(some, menu.options, strict=True)]
            for some, menu in zip(costs, menus, strict=True)
        ]
        begin = [
            next(n for n, other in enumerate(menu.options) if other is option)
            for menu, option in zip(menus, start, strict=False)
        ]
        found = cheapest(items, self.room, turns, below=below, effort=effort, start=begin)
        if found is None:
            return None
        picked = zip(menus, found.picks, strict=True)
        return Arrangement(tuple(menu.options[pick] for menu, pick in picked), turns, found.cost)


def may_take_turns(wish: Wish, *, lends: bool) -> bool:
    """Those everything relies on never do, and a primary model only as the last resort."""
    if wish.role in RESIDENT_ROLES:
        return False
    return lends if wish.role == "primary" else not wish.eager


def absences(seats: Sequence[Seat], turns: frozenset[int]) -> tuple[float, ...]:
    """For each seat, the probability that a request finds its model not loaded."""
    slot = sum(requests_per_hour(seats[number].wish) for number in turns)
    return tuple(
        absence(seat.wish, "shared_slot", requests_per_hour(seat.wish) / slot)
        if number in turns
        else absence(seat.wish, "on_demand")
        for number, seat in enumerate(seats)
    )


def _menus_cost(
    seats: Sequence[Seat], menus: Sequence[Menu], turns: frozenset[int]
) -> list[list[float]]:
    return [
        [
            requests_per_hour(seat.wish) * (option.weighed_s + absent * option.load_s)
            for option in menu.options
        ]
        for seat, menu, absent in zip(seats, menus, absences(seats, turns), strict=True)
    ]


def _sets(seats: Sequence[Seat], menus: Sequence[Menu], *, lends: bool) -> list[frozenset[int]]:
    able = [n for n, seat in enumerate(seats) if may_take_turns(seat.wish, lends=lends)]
    able.sort(key=lambda n: (-min(sum(option.sizes) for option in menus[n].options), n))
    largest = able[:_MOST_IN_PAIRS]
    found = [
        frozenset(some)
        for count in range(2, len(largest) + 1)
        for some in combinations(largest, count)
    ]
    return found + [frozenset(able[:count]) for count in range(len(largest) + 1, len(able) + 1)]
