"""What every worker does first: take its orders, and never outlive the process that gave them.

Two ropes hold a worker to its parent, because each fails alone. The kernel kills it when
the parent's thread that started it ends (Linux; it works on a stopped worker too, but the
parent must start workers from a thread that lives as long as the household). The end of
standard input ends it wherever Python runs, also where the kernel has no such signal.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
"""Source: linux/prctl.h."""
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_SETTLE_S, _STILL_S = 2.0, 0.1


class Life:
    """A worker's tie to its parent, and the one line it says to it."""

    def __init__(self, settings: Mapping[str, Any], answers: int) -> None:
        self.settings = settings
        self._answers = answers
        self._last: Callable[[], object] | None = None
        self.is_ending = False

    def before_end(self, action: Callable[[], object]) -> None:
        """What is done once the parent is gone or closes our input, before we end too."""
        self._last = action

    def announce(self, url: str) -> None:
        """Tell the parent where this worker listens. Once."""
        os.write(self._answers, json.dumps({"url": url}).encode() + b"\n")
        os.close(self._answers)

    def wait(self) -> NoReturn:
        """Serve until the parent is gone or kills us."""
        while True:
            threading.Event().wait()

    def _watch(self) -> None:
        try:
            while os.read(_STDIN, 4096):
                pass
            self.is_ending = True
            if self._last is not None:
                self._last()
        finally:
            os._exit(0)


def begin() -> Life:
    """Read the settings line from standard input and tie this process to its parent.

    From here on anything printed goes to the log, so that no library can garble the line
    that `announce` writes. Ctrl-C in a terminal is the program's business, not ours.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    order = json.loads(_line())
    die_with(order["parent"])
    life = Life(order["settings"], answers)
    threading.Thread(target=life._watch, name="watch-parent", daemon=True).start()
    return life


def let_log_settle() -> None:
    """Return when the log has grown and grows no more, after two seconds in any case.

    For an engine that logs in the background: 2 of 150 failed loads lost their cause.
    """
    end_s = time.monotonic() + _SETTLE_S
    seen = 0
    while time.monotonic() < end_s:
        size = os.fstat(_STDERR).st_size
        if size and size == seen:
            return
        seen = size
        time.sleep(_STILL_S)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, where it can.

    However that end comes, kill -9 included; a stopped process is killed as well.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went away before the signal was asked for
        os._exit(0)


def _line() -> bytes:
    """One line of standard input, byte by byte: a buffered reader would hold a lock at exit."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(_STDIN, 1)
        if not byte:
            os._exit(0)
        line += byte
    return bytes(line)
