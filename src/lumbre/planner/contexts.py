"""The longest talk a model can hold in the memory that is left. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

from lumbre.core.backend import KvType
from lumbre.core.machine import Host
from lumbre.core.plan import Basis, Choice, Footprint, Placement
from lumbre.planner.arrange import Arranger, Seat
from lumbre.planner.caches import STEP_TOKENS
from lumbre.planner.option import Room, least_tokens, wished_tokens
from lumbre.planner.options import Kitchen, Menu
from lumbre.planner.wish import Wish


def largest_context(
    wish: Wish, seats: Sequence[Seat], arranger: Arranger, *, lends: bool = False
) -> int | None:
    """Tokens, a multiple of 256 and fewer than wished, that fit beside the seats given.

    None where not even the least the wish allows does. A context that was never asked for
    costs the engine's dry run, so the answer is first looked for between two of them.
    """
    least = -(-max(1, least_tokens(wish)) // STEP_TOKENS)
    most = -(-wished_tokens(wish) // STEP_TOKENS)

    def fits(steps: int) -> bool:
        return arranger.fits((*seats, Seat(wish, steps * STEP_TOKENS)), lends=lends)

    if least >= most or not fits(least):
        return None
    between = Arranger(
        _Between(arranger.kitchen, wish, least * STEP_TOKENS, most * STEP_TOKENS), arranger.room
    )

    def seems_to_fit(steps: int) -> bool:
        return between.fits((*seats, Seat(wish, steps * STEP_TOKENS)), lends=lends)

    guess = _last(seems_to_fit, least, most)
    return STEP_TOKENS * _last_near(fits, guess, least, most)


def _last(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The last that fits: `low` does, `high` does not."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _last_near(fits: Callable[[int], bool], guess: int, low: int, high: int) -> int:
    """The same, where it is likely to be `guess`."""
    if guess > low:
        low, high = (guess, high) if fits(guess) else (low, guess)
    stride = 1
    while high - low > 1:
        probe = min(high - 1, low + stride) if low >= guess else max(low + 1, high - stride)
        low, high = (probe, high) if fits(probe) else (low, probe)
        stride *= 2
    return low


class _Between(Kitchen):
    """Takes the bytes of one model's contexts from a shorter and a longer one."""

    def __init__(self, kitchen: Kitchen, wish: Wish, low_tokens: int, high_tokens: int) -> None:
        super().__init__(kitchen.host, self._blended)
        self._asked = kitchen
        self._wish = wish
        self._low_tokens, self._high_tokens = low_tokens, high_tokens

    def menu(self, wish: Wish, context_tokens: int, kv_type: KvType, room: Room) -> Menu:
        if wish is not self._wish:
            return self._asked.menu(wish, context_tokens, kv_type, room)
        return super().menu(wish, context_tokens, kv_type, room)

    def _blended(
        self, wish: Wish, choice: Choice, host: Host
    ) -> tuple[tuple[Placement, ...], Basis]:
        low = self._asked.option(wish, replace(choice, context_tokens=self._low_tokens))
        high = self._asked.option(wish, replace(choice, context_tokens=self._high_tokens))
        if low is None or high is None:
            return (), "formula"
        share = (choice.context_tokens - self._low_tokens) / (self._high_tokens - self._low_tokens)
        blended = tuple(
            replace(a, footprint=_between(a.footprint, b.footprint, share))
            for a, b in zip(low.placements, high.placements, strict=True)
        )
        return blended, low.basis


def _between(low: Footprint, high: Footprint, share: float) -> Footprint:
    def at(name: str) -> int:
        first: int = getattr(low, name)
        last: int = getattr(high, name)
        return round(first + share * (last - first))

    return Footprint(**{field.name: at(field.name) for field in fields(Footprint)})
