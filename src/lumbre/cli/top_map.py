"""A device's memory as it is now, as one bar: each model, what is promised, free, and others'.

Letters stand for models and dots for what they were promised and do not hold yet, so that
the bar says the same without colours and without UTF-8.
"""

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple

from lumbre.cli.plan_bars import shares
from lumbre.cli.top_lines import Line, Piece, cropped, packed
from lumbre.words import Language, say

_LETTERS = ascii_uppercase + ascii_lowercase
_PROMISED, _FREE, _RESERVE, _OTHERS = ".", "-", "=", "#"
_ENDS = 4
"""A blank and a bracket at each end of the bar."""


class Stretch(NamedTuple):
    """A part of a device's memory."""

    mark: str
    bytes: int
    style: str


def lettered(before: Mapping[str, str], models: Sequence[str]) -> dict[str, str]:
    """A letter for each model; who had one keeps it for as long as it is there."""
    found = {model: before[model] for model in models if model in before}
    spare = (letter for letter in _LETTERS if letter not in found.values())
    for model in models:
        if model not in found:
            found[model] = next(spare, _LETTERS[-1])
    return {model: found[model] for model in models}


def colour_of(letter: str) -> str:
    """The style of a model with this letter."""
    return f"model {_LETTERS.index(letter)}"


def stretches(
    device: Mapping[str, Any], models: Sequence[Mapping[str, Any]], letters: Mapping[str, str]
) -> list[Stretch]:
    """What a device's memory is taken by, from the models to the others; all of it together."""
    found: list[Stretch] = []
    name = device["id"]
    for model in models:
        held, need = model["holds"].get(name, 0), model["needs"].get(name, 0)
        letter = letters[model["id"]]
        found.append(Stretch(letter, held, colour_of(letter)))
        found.append(Stretch(_PROMISED, max(0, need - held), colour_of(letter)))
    rest = [
        Stretch(_RESERVE, device["reserve_bytes"], "reserve"),
        Stretch(_OTHERS, device["others_bytes"], "others"),
    ]
    taken_bytes = sum(one.bytes for one in (*found, *rest))
    free_bytes = max(0, device["total_bytes"] - taken_bytes)
    return [*found, Stretch(_FREE, free_bytes, "free"), *rest]


def memory_map(
    device: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    letters: Mapping[str, str],
    language: Language,
    width: int,
) -> Iterator[Line]:
    """A line with its name, the figures, the bar."""
    parts = stretches(device, models, letters)
    title = Piece(device["id"], "title"), Piece(f"  {device['name']}", "dim")
    yield cropped(title, width)
    yield from packed(_figures(device, parts, language), width, 2)
    counts = shares([part.bytes for part in parts], max(0, width - _ENDS))
    bar = (
        Piece(part.mark * count, part.style)
        for part, count in zip(parts, counts, strict=True)
        if count
    )
    yield cropped((Piece(" ["), *bar, Piece("]")), width)


def _figures(
    device: Mapping[str, Any], parts: Sequence[Stretch], language: Language
) -> Iterator[Line]:
    def told(mark: str, name: str, **facts: object) -> Line:
        text = say(f"top.map.{name}", language, **facts)
        return (Piece(f"{mark} {text}" if mark else text),)

    sums: dict[str, int] = {}
    for part in parts:
        sums[part.mark] = sums.get(part.mark, 0) + part.bytes
    committed_bytes, budget_bytes = device["committed_bytes"], device["budget_bytes"]
    yield told("", "models", committed_bytes=committed_bytes, budget_bytes=budget_bytes)
    if sums.get(_PROMISED):
        yield told(_PROMISED, "promised", promised_bytes=sums[_PROMISED])
    yield told(_FREE, "free", free_bytes=sums[_FREE])
    if device["reserve_bytes"]:
        yield told(_RESERVE, "reserve", reserve_bytes=device["reserve_bytes"])
    yield told(_OTHERS, "others", others_bytes=device["others_bytes"])
