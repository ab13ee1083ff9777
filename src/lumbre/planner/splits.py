"""How a model's layers and experts may be shared out among cards and main memory. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.machine import Host
from lumbre.core.plan import Choice
from lumbre.planner.option import Option, Room, choice_of, fits
from lumbre.planner.wish import Wish

_SPLITS = {1: (82, 82), 2: (40, 8), 3: (12, 5)}
"""By number of cards: in how many steps a model's layers are shared out among them, for few
models and for many. One card is always filled by layer."""
_SPLITS_WITH_EXPERTS = 8
_SMALL = 12
"""Layers of a model of which every way is made."""
_NEAR = 4
"""Layers that a choice is afterwards moved by, where not every layer was weighed."""

Make = Callable[[Choice], Option | None]
"""None where the model cannot be on the devices chosen."""


class Splits:
    """The ways of one model that put something on cards, as far as they fit."""

    def __init__(
        self, wish: Wish, host: Host, room: Room, make: Make, *, is_crowded: bool = False
    ) -> None:
        """`is_crowded`: among many models; fewer ways of each are made."""
        self._wish = wish
        self._host = host
        self._room = room
        self._make = make
        self._is_crowded = is_crowded
        cards = [(place, card.id) for place, card in enumerate(host.devices) if place]
        self._cards = [(place, card) for place, card in cards if room[place] > 0]
        self._whole = wish.facts.layers + 1 if wish.facts else 1
        self._slack = _slack(wish)
        several = _SPLITS[min(len(self._cards), 3)] if self._cards else (1, 1)
        self._step = -(-self._whole // several[is_crowded])

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
            yield from self._partly_without_experts(base, facts.layers)

    def near(self, choice: Choice) -> Iterator[Option]:
        """What differs from it by a few layers on each card."""
        now = dict(choice.layers)
        if not self._wish.runs_on_cards or not now:
            return
        ranges = [
            range(max(0, now.get(card.id, 0) - _NEAR), now.get(card.id, 0) + _NEAR + 1)
            if now.get(card.id, 0) or len(now) == 1
            else range(1)
            for card in self._host.cards
        ]
        experts = choice.expert_layers_on_cpu
        less = range(max(1, experts - _NEAR), experts + _NEAR + 1) if experts else range(1)
        for counts in product(*ranges):
            layers = tuple(
                (card.id, count)
                for card, count in zip(self._host.cards, counts, strict=True)
                if count
            )
            if not layers or sum(counts) > self._whole:
                continue
            for kept in less:
                if kept < self._whole and (not experts or sum(counts) == choice.card_layers):
                    made = self._option(choice, layers, kept)
                    if made and fits(made.sizes, self._room):
                        yield made

    def _option(
        self, base: Choice, layers: tuple[tuple[str, int], ...], experts: int = 0
    ) -> Option | None:
        choice = replace(base, layers=layers, expert_layers_on_cpu=experts)
        return self._make(choice)

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
                    break
                if fits(option.sizes, self._room):
                    yield option
                if rest and count < left:
                    yield from self._spread(option.choice, left - count, rest)

    def _without_experts(self, base: Choice, layers: int) -> Iterator[Option]:
        """All layers on cards, the experts of the first ones in main memory."""
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
                if any(option.sizes[place] > self._room[place] for place, _ in self._cards):
                    break

    def _partly_without_experts(self, base: Choice, layers: int) -> Iterator[Option]:
        """Fewer layers on cards, the first of them without their experts."""
        is_small = self._whole <= _SMALL or (len(self._cards) == 1 and not self._is_crowded)
        step = 1 if is_small else -(-self._whole // _SPLITS_WITH_EXPERTS)
        for counts in product(range(0, self._whole, step), repeat=len(self._cards)):
            if not 0 < sum(counts) < self._whole:
                continue
            cards = zip(self._cards, counts, strict=True)
            split = tuple((card, count) for (_, card), count in cards if count)
            for experts in range(min(layers, sum(counts)), 0, -step):
                option = self._option(base, split, experts)
                if option is None or any(
                    option.sizes[place] > self._room[place] for place, _ in self._cards
                ):
                    break
                if fits(option.sizes, self._room):
                    yield option


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
