"""What a Word file's styles say of a paragraph: its number in a list, whether it is hidden."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lumbre.knowledge.parsers.docx.container import Event

_OFF = ("0", "false", "off", "none")
_LEVELS = 9
"""Source: ECMA-376 part 1, 17.9.6: a list has nine levels at most."""
_RUSSIAN = "абвгдежзиклмнопрстуфхцшщэюя"
"""Source: ECMA-376 part 1, 17.18.59, russianLower: without ё, й, ъ, ы, ь and ч as Word has it."""
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip

STYLE_TAGS = frozenset(("w:style", "w:basedOn", "w:numId", "w:ilvl", "w:vanish"))
NUMBERING_TAGS = frozenset((
    "w:abstractNum", "w:lvl", "w:start", "w:numFmt", "w:lvlText",
    "w:num", "w:abstractNumId", "w:lvlOverride", "w:startOverride",
))  # fmt: skip


@dataclass(slots=True)
class Style:
    """A named look."""

    based_on: str = ""
    list_id: str = ""
    level: int | None = None
    is_hidden: bool = False


class Styles:
    """The styles of a file by id."""

    def __init__(self, events: Iterable[Event]) -> None:
        """`events`: where STYLE_TAGS open."""
        self._styles: dict[str, Style] = {}
        style = Style()
        for _, name, values, _ in events:
            value = values.get("val", "")
            match name:
                case "w:style":
                    style = self._styles[values.get("styleId", "")] = Style()
                case "w:basedOn":
                    style.based_on = value
                case "w:numId":
                    style.list_id = value
                case "w:ilvl":
                    style.level = level_of(value)
                case "w:vanish":
                    style.is_hidden = is_on(values)

    def list_of(self, style: str) -> tuple[str, int]:
        """The list a paragraph of this style belongs to, empty if none, and its level."""
        level: int | None = None
        for one in self._line_of(style):
            level = one.level if level is None else level
            if one.list_id:
                return one.list_id, level or 0
        return "", 0

    def is_hidden(self, style: str) -> bool:
        return any(one.is_hidden for one in self._line_of(style))

    def _line_of(self, style: str) -> list[Style]:
        """The style and those it is based on, nearest first."""
        seen: list[Style] = []
        one = self._styles.get(style)
        while one is not None and one not in seen and len(seen) < 20:
            seen.append(one)
            one = self._styles.get(one.based_on)
        return seen


@dataclass(slots=True)
class _Level:
    start: int = 1
    kind: str = "decimal"
    pattern: str = ""


@dataclass(slots=True)
class _List:
    abstract: str = ""
    restarts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the items of a file's lists as they come."""

    def __init__(self, events: Iterable[Event]) -> None:
        """`events`: where NUMBERING_TAGS open."""
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, _List] = {}
        self._counts: dict[str, list[int | None]] = {}
        self._begun: set[str] = set()
        levels: dict[int, _Level] = {}
        level, at, one = _Level(), 0, _List()
        for _, name, values, _ in events:
            value = values.get("val", "")
            match name:
                case "w:abstractNum":
                    levels = self._levels[values.get("abstractNumId", "")] = {}
                case "w:lvl":
                    level = levels[level_of(values.get("ilvl", ""))] = _Level()
                case "w:start":
                    level.start = _number(value)
                case "w:numFmt":
                    level.kind = value
                case "w:lvlText":
                    level.pattern = value
                case "w:num":
                    levels = {}  # a level overridden here is not looked at
                    one = self._lists[values.get("numId", "")] = _List()
                case "w:abstractNumId":
                    one.abstract = value
                case "w:lvlOverride":
                    at = level_of(values.get("ilvl", ""))
                case "w:startOverride":
                    one.restarts[at] = _number(value)

    def mark(self, list_id: str, level: int) -> str:
        """What Word prints before the next item of a list: "3.2.", "b)", "-"; or nothing."""
        one = self._lists.get(list_id)
        if one is None:
            return ""
        levels = self._levels.get(one.abstract, {})
        counts = self._counts.setdefault(one.abstract, [None] * _LEVELS)
        if list_id not in self._begun:
            self._begun.add(list_id)
            for at, start in one.restarts.items():
                counts[at] = start - 1
        mine = levels.get(level, _Level())
        before = counts[level]
        counts[level] = (mine.start - 1 if before is None else before) + 1
        counts[level + 1 :] = [None] * (_LEVELS - level - 1)
        if mine.kind == "bullet":
            return "-"
        text = mine.pattern
        for at in range(level + 1):
            if f"%{at + 1}" in text:
                its = levels.get(at, _Level())
                text = text.replace(f"%{at + 1}", _written(counts[at] or its.start, its.kind))
        return text.strip()


def level_of(text: str) -> int:
    """A level of a list, zero where it makes no sense."""
    return int(text) if text.isdecimal() and len(text) == 1 and int(text) < _LEVELS else 0


def is_on(values: object) -> bool:
    """Whether a switch such as <w:vanish/> is on: it is unless it says otherwise."""
    return isinstance(values, dict) and values.get("val", "true").lower() not in _OFF


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 8 else 1


def _written(number: int, kind: str) -> str:
    match kind:
        case "none" | "bullet":
            return ""
        case "decimalZero":
            return f"{number:02}"
        case "lowerLetter" | "upperLetter":
            text = _letter(number, "abcdefghijklmnopqrstuvwxyz")
        case "russianLower" | "russianUpper":
            text = _letter(number, _RUSSIAN)
        case "lowerRoman" | "upperRoman":
            text = _roman(number)
        case _:
            return str(number)
    return text.upper() if kind.startswith(("upper", "russianUpper")) else text


def _letter(number: int, alphabet: str) -> str:
    """ "a" to "z", then "aa", "bb"."""
    if not 0 < number <= 20 * len(alphabet):
        return str(number)
    times, at = divmod(number - 1, len(alphabet))
    return alphabet[at] * (times + 1)


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return str(number)
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text
