"""The household at this moment as one page: memory, models, who waits, who had to go and why.

Pure: a snapshot goes in, lines of at most the wanted width come out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lumbre.cli.top_lines import BLANK, Line, Piece, aligned, between, cropped, tabled
from lumbre.cli.top_map import colour_of, memory_map
from lumbre.server.errors import from_json
from lumbre.words import Language, number, say, sentences, size

Snapshot = Mapping[str, Any]

_MOST = 5
"""Rows of what waits, went, or cools: the newest tell enough."""
_DROPPABLE = (10, 9, 5, 2, 8, 3, 6)
"""Columns that a narrow terminal goes without, first to last."""
_RIGHT = (4, 5, 6, 7, 8, 9, 10)
_LEAST = 30
"""Columns a model's name is to keep."""


@dataclass(slots=True)
class _Section:
    """Lines that stand together; `rows` may go from the end where there is no room."""

    head: list[Line]
    rows: list[Line] = field(default_factory=list)
    gone: int = 0

    @property
    def height(self) -> int:
        return len(self.head) + len(self.rows) + bool(self.gone)


def page(
    seen: Snapshot,
    letters: Mapping[str, str],
    language: Language,
    *,
    width: int,
    height: int | None = None,
    beside: str = "",
) -> list[Line]:
    """The lines, at most `height`; `beside` stands at the end of the first."""
    maps = [
        line
        for device in seen["devices"]
        for line in memory_map(device, seen["models"], letters, language, width)
    ]
    models = _models(seen["models"], letters, language, width)
    queue = _queue(seen["queue"], language, width)
    cooling = _cooling(seen["cooling"], language, width)
    evictions = _evictions(seen["evictions"], language, width)
    first = between((Piece(_title(seen, language), "title"),), (Piece(beside, "dim"),), width)
    sections = [_Section([first]), _Section(maps), models, queue, cooling, evictions]
    if height is not None:
        _shrink(sections, height, shrinkable=(evictions, cooling, queue, models))
    shown = [section for section in sections if section.height]
    tight = height is not None and sum(s.height + 1 for s in shown) - 1 > height
    lines: list[Line] = []
    for section in shown:
        if lines and not tight:
            lines.append(BLANK)
        lines += [*section.head, *section.rows]
        if section.gone:
            lines.append(
                cropped((Piece(f"  {say('top.more', language, more=section.gone)}", "dim"),), width)
            )
    return lines if height is None else lines[:height]


def short_time(passed_s: float, language: Language) -> str:
    """About how long: 12 s, 3 min, 2 h 5 min, 3 d 4 h."""
    minutes, s = divmod(int(max(0, passed_s)), 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    if d:
        return say("top.time.d", language, d=d, h=h)
    if h:
        return say("top.time.h", language, h=h, m=m)
    return say("top.time.m", language, m=m) if m else say("top.time.s", language, s=s)


def _title(seen: Snapshot, language: Language) -> str:
    household = seen["household"]
    return say(
        "top.title",
        language,
        pid=household["pid"],
        up=short_time(household["uptime_s"], language),
        household_bytes=household["measured_bytes"],
    )


def _models(
    models: Sequence[Snapshot], letters: Mapping[str, str], language: Language, width: int
) -> _Section:
    if not models:
        return _Section([(Piece(say("cli.ps.no_models", language)),)])
    heads = say("top.columns", language).split("|")
    head: list[Line] = [(Piece(f"  {heads[0]}", "dim"),), *((Piece(h, "dim"),) for h in heads[1:])]
    rows = [_row(model, letters[model["id"]], language) for model in models]
    first, *others = tabled([head, *rows], width, droppable=_DROPPABLE, right=_RIGHT, least=_LEAST)
    return _Section([first], others)


def _row(model: Snapshot, letter: str, language: Language) -> list[Line]:
    state, speed = model["state"], model["tokens_per_s"]
    is_idle = state == "ready" and not model["leases"]
    cells = (
        stays_told(model, language),
        model["device"],
        size(model["measured_bytes"], language),
        size(model["planned_bytes"], language),
        f"{model['leases']}/{model['slots']}",
        number(speed, language, int(speed < 10)) if speed else "",
        short_time(model["idle_s"], language) if is_idle else "",
        str(model["loads"]),
        str(model["pid"] or ""),
    )
    return [
        (Piece(letter, colour_of(letter)), Piece(f" {model['id']}")),
        (Piece(say(f"cli.ps.{state}", language), state),),
        *((Piece(cell),) for cell in cells),
    ]


def stays_told(model: Snapshot, language: Language) -> str:
    """What keeps a model loaded, in a word."""
    return say(f"top.stays.{'pinned' if model['is_pinned'] else model['standing']}", language)


def _queue(queue: Sequence[Snapshot], language: Language, width: int) -> _Section:
    """By model: how many wait, and the longest of them."""
    if not queue:
        return _Section([])
    waits: dict[str, list[float]] = {}
    for ticket in queue:
        waits.setdefault(ticket["model"], []).append(ticket["waited_s"])
    rows: list[list[Line]] = [
        [
            (Piece(f"  {model}"),),
            (Piece(str(len(waited))),),
            (Piece(short_time(max(waited), language)),),
        ]
        for model, waited in waits.items()
    ]
    head = (Piece(say("top.queue", language, waiting=len(queue)), "title"),)
    return _listed(head, rows, width, right=(1, 2))


def _evictions(evictions: Sequence[Snapshot], language: Language, width: int) -> _Section:
    if not evictions:
        return _Section([])
    rows: list[list[Line]] = [
        [
            (Piece(f"  {one['model']}"),),
            (Piece(say("top.ago", language, ago=short_time(one["ago_s"], language))),),
            (Piece(why_told(one, language)),),
        ]
        for one in evictions
    ]
    return _listed((Piece(say("top.evictions", language), "title"),), rows, width)


def why_told(eviction: Snapshot, language: Language) -> str:
    """Why a model had to go, in words."""
    why, model = eviction["why"], eviction["for"]
    key = "room_for" if why == "room" and model else why
    if f"why.{key}" not in sentences("top"):
        return str(why)
    return say(f"top.why.{key}", language, model=model)


def _cooling(cooling: Sequence[Snapshot], language: Language, width: int) -> _Section:
    if not cooling:
        return _Section([])
    rows: list[list[Line]] = [
        [
            (Piece(f"  {one['model']}"),),
            (Piece(say("top.again", language, left=short_time(one["retry_after_s"], language))),),
            (Piece(failure_told(one, language), "bad"),),
        ]
        for one in cooling
    ]
    return _listed((Piece(say("top.cooling", language), "title"),), rows, width)


def failure_told(cooling: Snapshot, language: Language) -> str:
    """What went wrong with a model, without its name where the error has a reason."""
    error = from_json(dict(cooling))
    if error is None:
        return str(cooling["reason"])
    if "reason" in error.facts:
        return say("top.reason", language, reason=error.facts["reason"])
    return error.message(language)


def _listed(
    head: Line, rows: Sequence[Sequence[Line]], width: int, right: Sequence[int] = ()
) -> _Section:
    """A heading and the first rows below it."""
    shown = rows[:_MOST]
    return _Section([cropped(head, width)], aligned(shown, width, right), len(rows) - len(shown))


def _shrink(sections: Sequence[_Section], height: int, shrinkable: Sequence[_Section]) -> None:
    """Take rows away, those of the first of `shrinkable` first, until all of it fits.

    Of a list without rows nothing is left, but of the last one, which is the models.
    """
    for section in shrinkable:
        while sum(one.height for one in sections) > height and section.rows:
            section.rows.pop()
            section.gone += 1
        if not section.rows and section is not shrinkable[-1]:
            section.head, section.gone = [], 0
