"""Every way one model could run on a machine: its bytes on each device, its seconds. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.machine import CPU, Host
from lumbre.core.plan import Basis, Choice, Placement
from lumbre.planner.caches import STEP_TOKENS
from lumbre.planner.speed import Pace
from lumbre.planner.wish import Wish

Estimate = Callable[[Wish, Choice, Host], tuple[tuple[Placement, ...], Basis]]
"""Bytes of one worker on each device, and what the figure stands on."""
Room = tuple[int, ...]
"""Bytes that may be used on each device, in the order of `Host.devices`."""
_LATER_SHARE = 0.01
"""A load mode or a way with buffers that is not the first asked for counts as so much slower,
and a KV type as twice that: taken where memory is short, and left where it is not."""
FEW = 4
"""Up to so many models every layer is weighed on its own."""
_SPLITS = {1: (82, 82), 2: (40, 8), 3: (12, 5)}
"""By number of cards: in how many steps a model's layers are shared out among them, for few
models and for many. One card is always filled by layer."""
_SPLITS_WITH_EXPERTS = 8
_NEAR = 4
"""Layers that a choice is afterwards moved by, where not every layer was weighed."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run one model."""

    choice: Choice
    sizes: Room
    """Bytes it takes."""
    answer_s: float
    """Of a usual request, once loaded."""
    weighed_s: float
    """The same, and more where the choice is less than was asked for."""
    load_s: float
    placements: tuple[Placement, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Menu:
    """What fits when the model is alone."""

    options: tuple[Option, ...]
    is_cut: bool
    """More is conceivable than fits."""


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
        """It and what differs from it by a few layers on each card, as far as it fits."""
        choice, every = option.choice, wish.facts.layers + 1 if wish.facts else 1
        now = dict(choice.layers)
        found = [option]
        if not wish.runs_on_cards or not choice.layers:
            return (option,)
        ranges = [
            range(max(0, now.get(card.id, 0) - _NEAR), now.get(card.id, 0) + _NEAR + 1)
            if now.get(card.id, 0) or len(now) == 1
            else range(1)
            for card in self.host.cards
        ]
        experts = choice.expert_layers_on_cpu
        less = range(max(1, experts - _NEAR), experts + _NEAR + 1) if experts else range(1)
        for counts in product(*ranges):
            layers = tuple(
                (card.id, count)
                for card, count in zip(self.host.cards, counts, strict=True)
                if count
            )
            if not layers or sum(counts) > every:
                continue
            for kept in less:
                if kept < every and (not experts or sum(counts) == choice.card_layers):
                    other = replace(choice, layers=layers, expert_layers_on_cpu=kept)
                    if (made := self.option(wish, other)) and fits(made.sizes, room):
                        found.append(made)
        return tuple(_undominated(found))

    def option(self, wish: Wish, choice: Choice) -> Option | None:
        """None where this model cannot be on the devices chosen."""
        if id(wish) not in self._known:
            self._known[id(wish)] = (wish, Pace(wish, self.host), {})
        _, pace, known = self._known[id(wish)]
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
        course = _Course(self, wish, room)
        ways = [(mode, extra) for mode in wish.load_modes for extra in wish.extra_buffers]
        plain = [
            self.option(wish, choice_of(wish, context_tokens, kv_type, mode, extra))
            for mode, extra in ways
        ]
        found = [option for option in plain if option and fits(option.sizes, room)]
        is_cut = len(found) < len(plain)
        if wish.runs_on_cards:
            for mode, extra in course.ways_on_cards(context_tokens, kv_type, ways):
                found += course.on_cards(choice_of(wish, context_tokens, kv_type, mode, extra))
        return Menu(tuple(_undominated(found)), is_cut or course.is_cut)


class _Course:
    """The ways of one model that put something on cards."""

    def __init__(self, kitchen: Kitchen, wish: Wish, room: Room) -> None:
        self._kitchen = kitchen
        self._wish = wish
        self._room = room
        cards = [(place, card.id) for place, card in enumerate(kitchen.host.devices) if place]
        self._cards = [(place, card) for place, card in cards if room[place] > 0]
        self._whole = wish.facts.layers + 1 if wish.facts else 1
        self._slack = _slack(wish)
        self._is_crowded = kitchen.models > FEW
        several = _SPLITS[min(len(self._cards), 3)] if self._cards else (1, 1)
        self._step = -(-self._whole // several[self._is_crowded])
        self.is_cut = len(self._cards) < len(cards)

    def ways_on_cards(
        self, context_tokens: int, kv_type: KvType, ways: Sequence[tuple[LoadMode, bool]]
    ) -> list[tuple[LoadMode, bool]]:
        """Those that take other memory than the ones before them."""
        seen: set[Room] = set()
        kept: list[tuple[LoadMode, bool]] = []
        for mode, extra in ways if self._cards else ():
            choice = choice_of(self._wish, context_tokens, kv_type, mode, extra)
            option = self._option(choice, ((self._cards[0][1], 1),))
            if option and option.sizes not in seen:
                seen.add(option.sizes)
                kept.append((mode, extra))
        return kept

    def on_cards(self, base: Choice) -> Iterator[Option]:
        yield from self._spread(base, self._whole, self._cards)
        facts = self._wish.facts
        if facts and facts.experts:
            yield from self._without_experts(base, facts.layers)

    def _option(
        self, base: Choice, layers: tuple[tuple[str, int], ...], experts: int = 0
    ) -> Option | None:
        choice = replace(base, layers=layers, expert_layers_on_cpu=experts)
        return self._kitchen.option(self._wish, choice)

    def _spread(
        self, base: Choice, left: int, cards: Sequence[tuple[int, str]]
    ) -> Iterator[Option]:
        is_even = all(count % self._step == 0 for _, count in base.layers)
        for number, (place, card) in enumerate(cards):
            rest = cards[number + 1 :]
            for count in range(1, left + 1):
                if base.layers and count < left and (not is_even or count % self._step):
                    continue
                if base.layers and self._is_crowded and not is_even:
                    continue
                option = self._option(base, (*base.layers, (card, count)))
                if option is None:
                    return
                if option.sizes[place] - self._room[place] > (self._slack if rest else 0):
                    self.is_cut = True
                    break
                if fits(option.sizes, self._room):
                    yield option
                else:
                    self.is_cut = True
                if rest and count < left:
                    yield from self._spread(option.choice, left - count, rest)

    def _without_experts(self, base: Choice, layers: int) -> Iterator[Option]:
        """All layers on cards, the experts of the first ones in main memory; and fewer layers,
        with no expert."""
        step = -(-self._whole // _SPLITS_WITH_EXPERTS) if len(self._cards) > 1 else 1
        fewer = step if self._is_crowded else 1
        for split in _full_splits(self._whole, [card for _, card in self._cards], step):
            for experts in range(layers, 0, -fewer):
                option = self._option(base, split, experts)
                if option is None:
                    return
                if fits(option.sizes, self._room):
                    yield option
                    continue
                self.is_cut = True
                if any(option.sizes[place] > self._room[place] for place, _ in self._cards):
                    break
        for _, card in self._cards:
            for count in range(2, self._whole):
                option = self._option(base, ((card, count),), count - 1)
                if option and fits(option.sizes, self._room):
                    yield option


def wished_tokens(wish: Wish) -> int:
    """The context asked for, but never more than the model was trained for."""
    if wish.facts is None:
        return wish.context_tokens
    trained_tokens = wish.facts.context_length
    return min(wish.context_tokens or trained_tokens, trained_tokens or wish.context_tokens)


def least_tokens(wish: Wish) -> int:
    """The context it may be given at the least."""
    if wish.facts is None or not wish.min_context_tokens:
        return wished_tokens(wish)
    steps = -(-wish.min_context_tokens // STEP_TOKENS)
    return min(steps * STEP_TOKENS, wished_tokens(wish))


def fits(sizes: Room, room: Room) -> bool:
    """On every device."""
    return all(size <= free for size, free in zip(sizes, room, strict=True))


def choice_of(
    wish: Wish, context_tokens: int, kv_type: KvType, mode: LoadMode, extra: bool
) -> Choice:
    """In main memory alone."""
    return Choice(
        context_tokens=context_tokens,
        slots=wish.slots,
        kv_type=kv_type,
        load_mode=mode,
        extra_buffers=extra,
    )


def _undominated(options: Sequence[Option]) -> list[Option]:
    """Without those that another one equals or betters on every device and in seconds.

    A long menu is only rid of twins: its entries differ by a layer, and are rarely worse
    than another one in everything.
    """
    best: dict[Room, Option] = {}
    for option in options:
        known = best.get(option.sizes)
        if known is None or option.weighed_s < known.weighed_s:
            best[option.sizes] = option
    ordered = sorted(best.values(), key=lambda option: option.weighed_s)
    if len(ordered) > 200:
        return ordered
    kept: list[Option] = []
    for option in ordered:
        if not any(fits(other.sizes, option.sizes) for other in kept):
            kept.append(option)
    return kept


def _slack(wish: Wish) -> int:
    """By how much a card may seem too full before a next one takes the output from it."""
    if wish.facts is None:
        return 0
    outside = sum(t.size_bytes for t in wish.facts.tensors if not t.name.startswith("blk."))
    return 2 * outside + wish.facts.tensors_bytes // max(1, wish.facts.layers)


def _full_splits(
    whole: int, cards: Sequence[str], step: int
) -> Iterator[tuple[tuple[str, int], ...]]:
    """All layers on one card, or shared out among some, in steps."""
    for number, card in enumerate(cards):
        yield ((card, whole),)
        for count in range(step, whole, step):
            for rest in _full_splits(whole - count, cards[number + 1 :], step):
                yield ((card, count), *rest)
