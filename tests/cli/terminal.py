"""A person at a terminal, for tests of what only happens there."""

import codecs
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conftest import environment_of

TINY = {
    "LUMBRE_LLM__PRIMARY__ID": "smollm2-135m-instruct-q4_1",
    "LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS": "12",
}


class Size(NamedTuple):
    """Of a terminal's window."""

    columns: int
    rows: int


_USUAL = Size(80, 24)


class Terminal:
    """A person at a terminal, typing to a program."""

    def __init__(self, home: Path, *words: str, size: Size, **environment: str) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (size.rows, size.columns))
        self._ours = ours
        self.seen = ""
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        wanted = environment_of(home, **({"TERM": "xterm"} | TINY | environment))
        for name in ("COLUMNS", "LINES"):  # of whoever runs the tests: another terminal's
            if name not in environment:
                wanted.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lumbre", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=wanted,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, limit_s: float = 20) -> None:
        """Read on until the text was shown, after what was waited for before."""
        until = time.monotonic() + limit_s
        while (at := self.seen.find(text, self._read)) < 0:
            ready, _, _ = select.select([self._ours], [], [], max(0, until - time.monotonic()))
            assert ready, f"{text!r} never came: {self.seen!r}"
            try:
                self.seen += self._decoder.decode(os.read(self._ours, 65536))
            except OSError as gone:  # how Linux tells that the other side has closed
                raise AssertionError(f"{text!r} never came: {self.seen!r}") from gone
        self._read = at + len(text)

    def resize(self, size: Size) -> None:
        termios.tcsetwinsize(self._ours, (size.rows, size.columns))

    def is_cooked(self) -> bool:
        """Whether what is typed is shown and waits for its line to end, as in any shell."""
        flags = termios.tcgetattr(self._ours)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)

    def ends(self, limit_s: float = 20) -> int:
        """Read on until the program has ended: its exit status."""
        until = time.monotonic() + limit_s
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it does not end: {self.seen!r}"
            self._read_some(0.1)
        while self._read_some(0):
            pass
        return self.process.returncode

    def _read_some(self, patience_s: float) -> bool:
        if not select.select([self._ours], [], [], patience_s)[0]:
            return False
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # how Linux tells that the other side has closed
            return False
        self.seen += self._decoder.decode(read)
        return bool(read)

    def interrupt_until(self, text: str) -> None:
        """Press ctrl-C until it shows: one that meets readline between two reads goes unheard."""
        for _ in range(20):
            os.kill(self.process.pid, signal.SIGINT)
            try:
                self.wait_for(text, limit_s=1)
            except AssertionError:
                continue
            return
        raise AssertionError(f"{text!r} never came: {self.seen!r}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def terminal(
    home: Path, *words: str, size: Size = _USUAL, **environment: str
) -> Iterator[Terminal]:
    opened = Terminal(home, *words, size=size, **environment)
    try:
        yield opened
    finally:
        opened.close()
