"""How several models share a machine: which way each one runs, and which take turns. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

from lumbre.core.backend import KvType
from lumbre.core.model import RESIDENT_ROLES
from lumbre.planner.options import Kitchen, Menu, Option, Room, choice_of
from lumbre.planner.search import Item, cheapest
from lumbre.planner.speed import absence, requests_per_hour
from lumbre.planner.wish import Wish

_MOST_IN_PAIRS = 4
"""Among so many of the largest models every set that could take turns is tried; of the rest,
the larger ones first."""
_CACHE_SHARE = 0.02
"""A cache that is less of its worker than this is not made smaller for the others' sake."""


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
        plain = [self._menu(seat, seat.wish.kv_types[:1]) for seat in seats]
        found = self._shared(seats, plain, lends=lends, any_will_do=any_will_do)
        if found and (any_will_do or _is_ideal(seats, plain, found)):
            return found
        every = [self._menu(seat, seat.wish.kv_types) for seat in seats]
        if all(
            len(menu.options) == len(other.options)
            for menu, other in zip(plain, every, strict=True)
        ):
            return found
        return self._shared(seats, every, lends=lends, any_will_do=any_will_do)

    def fits(self, seats: Sequence[Seat], *, lends: bool = False) -> bool:
        return self.arrange(seats, lends=lends, any_will_do=True) is not None

    def _menu(self, seat: Seat, kv_types: Sequence[KvType]) -> Menu:
        menu = self.kitchen.menu(seat.wish, seat.context_tokens, kv_types[0], self.room)
        for kv_type in kv_types[1:] if self._keeps_much(seat) else ():
            more = self.kitchen.menu(seat.wish, seat.context_tokens, kv_type, self.room)
            menu = Menu(menu.options + more.options, menu.is_cut or more.is_cut)
        return menu

    def _keeps_much(self, seat: Seat) -> bool:
        """Whether a smaller cache would be felt."""
        wish = seat.wish
        option = self.kitchen.option(
            wish,
            choice_of(
                wish,
                seat.context_tokens,
                wish.kv_types[0],
                wish.load_modes[0],
                wish.extra_buffers[0],
            ),
        )
        if wish.facts is None or option is None:
            return False
        kept = sum(placement.footprint.kv_bytes for placement in option.placements)
        return kept >= _CACHE_SHARE * sum(option.sizes)

    def _shared(
        self, seats: Sequence[Seat], menus: Sequence[Menu], *, lends: bool, any_will_do: bool
    ) -> Arrangement | None:
        """Without turns, and with any set that may take them; a primary model's only if
        nothing else fits."""
        if not all(menu.options for menu in menus):
            return None
        found: Arrangement | None = None
        for lending in (False, True) if lends else (False,):
            tried = [frozenset[int](), *_sets(seats, menus, lends=lending)]
            costs = [_menus_cost(seats, menus, turns) for turns in tried]
            bounds = [sum(min(menu) for menu in some) for some in costs]
            for number in sorted(range(len(tried)), key=lambda n: (bounds[n], n)):
                below = found.cost if found else inf
                if bounds[number] >= below:
                    break
                found = self._best(menus, costs[number], tried[number], below) or found
                if found and any_will_do:
                    return found
            if found:
                return found
        return None

    def _best(
        self,
        menus: Sequence[Menu],
        costs: Sequence[Sequence[float]],
        turns: frozenset[int],
        below: float,
    ) -> Arrangement | None:
        items = [
            [Item(cost, option.sizes) for cost, option in zip(some, menu.options, strict=True)]
            for some, menu in zip(costs, menus, strict=True)
        ]
        found = cheapest(items, self.room, turns, below=below)
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


def _is_ideal(seats: Sequence[Seat], menus: Sequence[Menu], found: Arrangement) -> bool:
    """Nobody could be served better by any smaller cache of another."""
    costs = _menus_cost(seats, menus, frozenset())
    ideal = sum(min(some) for some in costs)
    return not found.turns and found.cost <= ideal and not any(menu.is_cut for menu in menus)
