"""Every way that one model could run on a machine. Pure."""

from dataclasses import dataclass, replace

from lumbre.core.backend import KvType
from lumbre.core.machine import CPU, Host
from lumbre.core.plan import Choice
from lumbre.planner.option import Estimate, Option, Room, choice_of, fits, undominated
from lumbre.planner.speed import Pace
from lumbre.planner.splits import Splits
from lumbre.planner.wish import Wish

_LATER_SHARE = 0.01
"""A load mode or a way with buffers that is not the first asked for counts as so much slower,
and a KV type as twice that: taken where memory is short, and left where it is not."""
FEW = 4
"""Up to so many models every layer is weighed on its own."""


@dataclass(frozen=True, slots=True)
class Menu:
    """What fits when the model is alone."""

    options: tuple[Option, ...]
    is_ideal: bool
    """With the best conceivable among them."""


class Kitchen:
    """Makes options for one machine and asks for no estimate twice."""

    def __init__(self, host: Host, estimate: Estimate, *, models: int = 1) -> None:
        """`models`: of the household; with many, fewer ways of each are weighed."""
        self.host = host
        self.models = models
        self._estimate = estimate
        self._place = {device.id: place for place, device in enumerate(host.devices)}
        self._known: dict[int, tuple[Wish, Pace, dict[Choice, Option | None]]] = {}
        self._menus: dict[tuple[int, int, KvType, Room], Menu] = {}

    def menu(self, wish: Wish, context_tokens: int, kv_type: KvType, room: Room) -> Menu:
        """All that fits in `room`, in a fixed order; the preferred ways first."""
        key = (id(wish), context_tokens, kv_type, room)
        if key not in self._menus:
            self._menus[key] = self._menu(wish, context_tokens, kv_type, room)
        return self._menus[key]

    def near(self, wish: Wish, option: Option, room: Room) -> tuple[Option, ...]:
        """It and what differs from it by a few layers, as far as it fits."""
        return tuple(undominated([option, *self._splits(wish, room).near(option.choice)]))

    def option(self, wish: Wish, choice: Choice) -> Option | None:
        """None where this model cannot be on the devices chosen."""
        pace = self._pace(wish)
        known = self._known[id(wish)][2]
        if choice not in known:
            known[choice] = self._weighed(wish, choice, pace)
        return known[choice]

    def _weighed(self, wish: Wish, choice: Choice, pace: Pace) -> Option | None:
        placements, basis = self._estimate(wish, choice, self.host)
        sizes = [0] * len(self._place)
        weights = card_weights = 0
        for placement in placements:
            sizes[self._place[placement.device]] += placement.footprint.total_bytes
            weights += placement.footprint.weights_bytes
            card_weights += placement.footprint.weights_bytes if placement.device != CPU else 0
        there = {placement.device for placement in placements}
        if any(device not in there for device, _ in choice.layers):
            return None
        answer_s = pace.answer_s(choice)
        later = wish.load_modes.index(choice.load_mode)
        later += wish.extra_buffers.index(choice.extra_buffers)
        later += 2 * wish.kv_types.index(choice.kv_type)
        return Option(
            choice=choice,
            sizes=tuple(sizes),
            answer_s=answer_s,
            weighed_s=answer_s * (1 + _LATER_SHARE * later),
            load_s=pace.load_s(weights, card_weights),
            placements=placements,
            basis=basis,
        )

    def _menu(self, wish: Wish, context_tokens: int, kv_type: KvType, room: Room) -> Menu:
        ways = [(mode, extra) for mode in wish.load_modes for extra in wish.extra_buffers]
        plain = [
            self.option(wish, choice_of(wish, context_tokens, kv_type, mode, extra))
            for mode, extra in ways
        ]
        found = [option for option in plain if option and fits(option.sizes, room)]
        if wish.runs_on_cards:
            splits = self._splits(wish, room)
            for mode, extra in splits.ways_on_cards(context_tokens, kv_type, ways):
                found += splits.on_cards(choice_of(wish, context_tokens, kv_type, mode, extra))
        least_s = self._least_s(wish, choice_of(wish, context_tokens, kv_type, *ways[0]))
        is_ideal = any(option.answer_s <= least_s for option in found)
        return Menu(tuple(undominated(found)), is_ideal)

    def _splits(self, wish: Wish, room: Room) -> Splits:
        return Splits(
            wish,
            self.host,
            room,
            lambda choice: self.option(wish, choice),
            is_crowded=self.models > FEW,
        )

    def _least_s(self, wish: Wish, plain: Choice) -> float:
        """Of an answer with everything on the one device that is quickest."""
        pace = self._pace(wish)
        cards = self.host.cards if wish.runs_on_cards else ()
        wholes = [replace(plain, layers=((card.id, pace.layers),)) for card in cards]
        return min(pace.answer_s(choice) for choice in (plain, *wholes))

    def _pace(self, wish: Wish) -> Pace:
        if id(wish) not in self._known:
            self._known[id(wish)] = (wish, Pace(wish, self.host), {})
        return self._known[id(wish)][1]
