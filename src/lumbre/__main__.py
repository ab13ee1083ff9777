"""`python -m lumbre` is `lumbre`; ctrl-C ends it without a word, however early."""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command line; the exit status."""
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:  # nothing has begun that would have to be ended in order
        signal.signal(signal.SIGINT, _end)
    from lumbre.cli.main import main as run

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
