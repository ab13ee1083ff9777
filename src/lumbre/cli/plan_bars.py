"""A device's memory as one bar: which model has how much of it, the system, and what is free.

Letters stand for models, so that the bar says the same without colours and without UTF-8.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from lumbre.cli.plan_table import tied, untied
from lumbre.cli.render import folded
from lumbre.core.plan import Plan, Planned, Total
from lumbre.words import Language, say, size

_SYSTEM, _FREE = "#", "-"
_COLOURS = (44, 42, 45, 46, 43, 41)
"""Backgrounds of a terminal: blue, green, magenta, cyan, yellow, red."""
_BESIDE = 4
"""Blanks before the bar, and its two ends."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a bar."""

    letter: str
    name: str
    bytes: int
    others: tuple[str, ...] = ()
    """Letters of those that take turns with it."""


def bars(plan: Plan, language: Language, *, width: int, coloured: bool) -> Iterator[str]:
    """A bar for each device, and below it what its letters mean."""
    for total in plan.totals:
        parts = parts_of(plan, total, language)
        drawn = draw(parts, width - _BESIDE)
        yield f"  {total.device}"
        yield f"  [{_painted(drawn) if coloured else drawn}]"
        yield from _legend([_told(part, language) for part in parts if part.bytes], width)


def parts_of(plan: Plan, total: Total, language: Language) -> tuple[Part, ...]:
    """What lies in one device's memory when everything is loaded and full.

    Of models that take turns the largest is drawn, for only one of them is there.
    """
    letters = letters_of(plan)
    parts, slots = [], dict[str, list[Planned]]()
    for planned in plan.models:
        if not planned.bytes_on(total.device):
            continue
        if planned.slot:
            slots.setdefault(planned.slot, []).append(planned)
            continue
        parts.append(Part(letters[planned.id], planned.id, planned.bytes_on(total.device)))
    for turns in slots.values():
        largest = max(turns, key=lambda planned: planned.bytes_on(total.device))
        others = tuple(letters[one.id] for one in turns if one is not largest)
        size_bytes = largest.bytes_on(total.device)
        parts.append(Part(letters[largest.id], largest.id, size_bytes, others))
    parts.sort(key=lambda part: part.letter)
    taken = sum(part.bytes for part in parts)
    free = max(0, total.limit_bytes - taken)
    return (
        *parts,
        Part(_FREE, say("plan_view.bar.free", language), free),
        Part(_SYSTEM, say("plan_view.bar.system", language), total.system_bytes),
    )


def _legend(meant: Sequence[str], width: int) -> list[str]:
    """As many on a line as it holds whole; in a terminal too narrow for one, each by itself."""
    if max(map(len, meant), default=0) > width - 2:
        return [line for one in meant for line in folded(one, width, 2, further=4)]
    return untied(folded("  ".join(tied(one, width) for one in meant), width, 2))


def draw(parts: Sequence[Part], cells: int) -> str:
    """Letters in proportion to bytes; who has any memory has a letter, while there is room."""
    counts = shares([part.bytes for part in parts], cells)
    drawn = "".join(part.letter * count for part, count in zip(parts, counts, strict=True))
    return drawn or _FREE * max(0, cells)


def shares(sizes: Sequence[int], cells: int) -> list[int]:
    """How many of `cells` each of these has; none where all are nothing."""
    whole = sum(sizes)
    if whole <= 0 or cells <= 0:
        return [0] * len(sizes)
    exact = [size * cells / whole for size in sizes]
    counts = [max(int(e), 1 if size else 0) for e, size in zip(exact, sizes, strict=True)]
    while sum(counts) > cells:  # the largest can spare one
        counts[counts.index(max(counts))] -= 1
    while sum(counts) < cells:  # whoever lost most by rounding gets one
        counts[max(range(len(sizes)), key=lambda n: exact[n] - counts[n])] += 1
    return counts


def letters_of(plan: Plan) -> Mapping[str, str]:
    """The letter of each model, by id: the same in every bar."""
    return dict(zip((p.id for p in plan.models), _letters(len(plan.models)), strict=True))


def _told(part: Part, language: Language) -> str:
    """What a letter stands for, on one line."""
    told = f"{part.letter} {part.name} {size(part.bytes, language)}"
    if part.others:
        others = " ".join(part.others)
        told = say("plan_view.bar.turns", language, part=told, others=others)
    return told


def _letters(count: int) -> list[str]:
    """A, B ... Z, then lower case; more models than that share the last."""
    every = ascii_uppercase + ascii_uppercase.lower()
    return [every[min(n, len(every) - 1)] for n in range(count)]


def _painted(drawn: str) -> str:
    shown, last = [], ""
    for letter in drawn:
        if letter != last:
            shown.append(f"\x1b[0m{_colour(letter)}")
            last = letter
        shown.append(letter)
    return f"{''.join(shown)}\x1b[0m"


def _colour(letter: str) -> str:
    if letter in (_FREE, _SYSTEM):
        return "\x1b[2m"
    return f"\x1b[{_COLOURS[(ord(letter) - ord('A')) % len(_COLOURS)]};97m"
