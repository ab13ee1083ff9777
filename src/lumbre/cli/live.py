"""A page that is drawn anew until a key ends it; the terminal is left as it was found."""

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lumbre.cli.top_lines import Line, plain

_T = TypeVar("_T")

_LOOK_S = 0.2
"""Between two looks at keys, news and the size of the terminal."""
_ENDS = (signal.SIGTERM, signal.SIGHUP)
_COLOURS = (
    *("white on blue", "black on green", "white on magenta"),
    *("black on cyan", "black on yellow", "white on red"),
)
_STYLES = {
    "": "",
    "title": "bold",
    "dim": "dim",
    "free": "dim",
    "reserve": "dim",
    "others": "dim",
    "starting": "yellow",
    "ready": "",
    "stopping": "dim",
    "bad": "red",
}


class Watch(Generic[_T]):
    """Looks at something again and again, in a thread, so that a slow look stops nobody."""

    def __init__(self, look: Callable[[], _T], every_s: float) -> None:
        self._look = look
        self._every_s = every_s
        self._over = threading.Event()
        self.seen: _T | None = None
        self.looks = 0
        """How often something was seen."""

    def __enter__(self) -> "Watch[_T]":
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self.seen = self._look()
            self.looks += 1
            self._over.wait(self._every_s)


def is_possible(term: str) -> bool:
    """Whether there is a terminal that a page can be drawn on."""
    return sys.stdout.isatty() and term not in ("", "dumb", "unknown")


def show(lines: Sequence[Line]) -> None:
    """Print lines once, with their styles in a terminal that has any."""
    if not sys.stdout.isatty():
        print("\n".join(plain(line).rstrip() for line in lines), flush=True)
        return
    console = _console()
    for line in lines:
        console.print(_text(line), soft_wrap=True)


def show_until(draw: Callable[[int, int], Sequence[Line]], ends: str) -> None:
    """Draw (columns, rows) several times a second, until one of the keys `ends` is pressed.

    SIGTERM and SIGHUP end the program as they do, after the terminal was restored.
    """
    console = _console()
    with _told_to_end(), _keys() as pressed:
        live = Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live:
            shown: Sequence[Line] = ()
            size = (0, 0)
            while True:
                before, size = size, (console.size.width, console.size.height)
                lines = draw(*size)
                if lines != shown or size != before:
                    live.update(Group(*map(_text, lines)), refresh=True)
                    shown = lines
                if set(pressed(_LOOK_S).lower()) & set(ends):
                    return


def _console() -> Console:
    # a COLUMNS of 0 says that nobody knows: rich would take it at its word
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES") or value.strip("0")
    }
    return Console(highlight=False, markup=False, emoji=False, _environ=environment)


def _text(line: Line) -> Text:
    text = Text(no_wrap=True, overflow="crop")
    for piece in line:
        text.append(piece.text, _style(piece.style))
    return text


def _style(name: str) -> str:
    if name.startswith("model "):
        return f"bold {_COLOURS[int(name.removeprefix('model ')) % len(_COLOURS)]}"
    return _STYLES[name]


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Keys as they are pressed, none of them shown; nothing comes where nobody types."""
    if not sys.stdin.isatty():
        over = threading.Event()

        def nothing(patience_s: float) -> str:
            over.wait(patience_s)
            return ""

        yield nothing
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    changed = termios.tcgetattr(handle)
    changed[3] &= ~(termios.ICANON | termios.ECHO)
    changed[6][termios.VSUSP] = b"\0"  # stopped, it would leave its page on the terminal

    def pressed(patience_s: float) -> str:
        ready, _, _ = select.select([handle], [], [], patience_s)
        return os.read(handle, 1024).decode(errors="replace") if ready else ""

    termios.tcsetattr(handle, termios.TCSADRAIN, changed)
    try:
        yield pressed
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


@contextmanager
def _told_to_end() -> Iterator[None]:
    """A signal that ends the program does so by way of everybody's `finally`."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
