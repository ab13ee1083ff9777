"""What a plan gave up for a model, or why it has no place, in words. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from lumbre.core.machine import CPU
from lumbre.core.plan import Choice
from lumbre.planner.option import Option, Room, choice_of, fits, least_tokens, wished_tokens
from lumbre.planner.options import Kitchen
from lumbre.planner.wish import Wish
from lumbre.words import Sentence


def notes(wish: Wish, option: Option, together: Sequence[str]) -> tuple[Sentence, ...]:
    """One sentence for each thing that is less than wished; the weightiest first."""
    choice, facts = option.choice, wish.facts
    said: list[Sentence] = []
    others = [name for name in together if name != wish.id]
    if others:
        said.append(Sentence("plan.note.turns", others=", ".join(others)))
        if wish.role == "primary":
            said.append(Sentence("plan.note.primary_turns"))
    if facts is None:
        return tuple(said)
    wished = wished_tokens(wish)
    if choice.context_tokens < wished:
        said.append(
            Sentence("plan.note.context", tokens=choice.context_tokens, wished_tokens=wished)
        )
    elif wish.context_tokens > wished:
        said.append(Sentence("plan.note.trained", tokens=wished, wished_tokens=wish.context_tokens))
    every = facts.layers + 1
    if choice.layers and choice.card_layers < every:
        kept = every - choice.card_layers
        said.append(Sentence("plan.note.layers", layers=kept, every=every))
    if choice.expert_layers_on_cpu:
        kept = choice.expert_layers_on_cpu
        said.append(Sentence("plan.note.experts", layers=kept, every=facts.layers))
    if choice.kv_type != wish.kv_types[0]:
        said.append(Sentence("plan.note.kv", kv_type=choice.kv_type, wished=wish.kv_types[0]))
    if not choice.layers and choice.load_mode != wish.load_modes[0]:
        said.append(Sentence(f"plan.note.load_{choice.load_mode}"))
    if not choice.layers and wish.extra_buffers[0] and not choice.extra_buffers:
        said.append(Sentence("plan.note.extra_buffers"))
    return tuple(said)


def refusal(wish: Wish, kitchen: Kitchen, left: Room, room: Room) -> Sentence:
    """Of the way that lacks least: what it needs of the fullest device, and what is there."""
    alone = _least(wish, kitchen, room)
    is_possible = fits(alone.sizes, room)
    option, free = (_least(wish, kitchen, left), left) if is_possible else (alone, room)
    short = [size - there for size, there in zip(option.sizes, free, strict=True)]
    place = max(range(len(short)), key=lambda n: (short[n], -n))
    return Sentence(
        "plan.refused.beside_others" if is_possible else "plan.refused.alone",
        model=wish.id,
        needed_bytes=option.sizes[place],
        available_bytes=free[place],
        device=kitchen.host.devices[place].id,
        where=where(kitchen.host.devices[place].id),
    )


def where(device: str) -> Sentence | str:
    """A device as a person calls it."""
    return Sentence("plan.main_memory") if device == CPU else device


def _least(wish: Wish, kitchen: Kitchen, free: Room) -> Option:
    """The way that lacks the fewest bytes: in main memory alone, or with the cards filled."""
    tokens = least_tokens(wish)
    ways = [
        way
        for kv_type in wish.kv_types
        for mode in wish.load_modes
        for extra in wish.extra_buffers
        for way in _ways(wish, kitchen, free, choice_of(wish, tokens, kv_type, mode, extra))
    ]

    def lacks(option: Option) -> int:
        return sum(max(0, size - there) for size, there in zip(option.sizes, free, strict=True))

    return min(ways, key=lambda option: (lacks(option), sum(option.sizes)))


def _ways(wish: Wish, kitchen: Kitchen, free: Room, base: Choice) -> list[Option]:
    plain = kitchen.option(wish, base)
    found = [plain] if plain else []
    if not wish.runs_on_cards:
        return found
    left = wish.facts.layers + 1 if wish.facts else 1
    layers: tuple[tuple[str, int], ...] = ()
    for place, card in enumerate(kitchen.host.devices):
        for count in range(left, 0, -1) if place else ():
            option = kitchen.option(wish, replace(base, layers=(*layers, (card.id, count))))
            if option and option.sizes[place] <= free[place]:
                layers, left = option.choice.layers, left - count
                found.append(option)
                break
    if layers and wish.facts and wish.facts.experts:
        cards = next((card.id for card in kitchen.host.cards), "")
        whole = ((cards, wish.facts.layers + 1),)
        option = kitchen.option(
            wish, replace(base, layers=whole, expert_layers_on_cpu=wish.facts.layers)
        )
        found += [option] if option else []
    return found
