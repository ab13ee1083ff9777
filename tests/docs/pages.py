"""The project's pages, and what stands in their fenced blocks."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = "$ lumbre "


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Typed:
    """One command of a console block, and what the page says it prints."""

    words: tuple[str, ...]
    shown: str
    line: int

    @property
    def bare(self) -> tuple[str, ...]:
        """The words, without the language they are typed in."""
        return self.words[2:] if self.words[0] == "--lang" else self.words


def pages() -> list[Path]:
    """Every page a reader may open; beginnings of generated pages are read as part of those."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"]
    return sorted(page for page in found if page.parent.name != "heads")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, kind: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        if match[1] == kind:
            yield Block(name(page), kind, match[2], text.count("\n", 0, match.start()) + 1)


def typed(block: Block) -> list[Typed]:
    """The commands of a console block. A line that is neither is output of the one above."""
    found: list[Typed] = []
    for offset, line in enumerate(block.text.splitlines(), start=1):
        if line.startswith(_PROMPT):
            words = shlex.split(line.removeprefix(_PROMPT))
            found.append(Typed(tuple(words), "", block.line + offset))
        else:
            last = found.pop()
            found.append(Typed(last.words, f"{last.shown}{line}\n", last.line))
    return found


def without_blocks(page: Path) -> str:
    """A page's text, its fenced blocks left out."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
