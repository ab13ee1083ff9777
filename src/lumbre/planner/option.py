"""One way a model could run: its bytes on each device, and its seconds. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lumbre.core.backend import KvType, LoadMode
from lumbre.core.machine import Host
from lumbre.core.plan import Basis, Choice, Placement
from lumbre.planner.caches import STEP_TOKENS
from lumbre.planner.wish import Wish

Estimate = Callable[[Wish, Choice, Host], tuple[tuple[Placement, ...], Basis]]
"""Bytes of one worker on each device, and what the figure stands on."""
Room = tuple[int, ...]
"""Bytes that may be used on each device, in the order of `Host.devices`."""


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


def undominated(options: Sequence[Option]) -> list[Option]:
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
